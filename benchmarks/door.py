"""What three indexes let in: the same uploads to cpufit, devpi-server and pypiserver, one after another.

    python benchmarks/door.py [--only SERVER]... [--write]

The peers are installed into environments of their own in a temporary folder, from the index that uv uses, and listen
on the loopback. The uploads are those of ``tests/flow/upload_probes.py``. With ``--write`` the answers are kept in
``door.json`` and the page of the documentation is made. The status is 1 where cpufit answers otherwise than is wanted a
probe that the tests hold it to.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import importlib.metadata
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from door_page import page, table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.flow.flow_clients import uv_program  # noqa: E402 - the root stands on the path only now
from tests.flow.flow_server import free_port, running_server  # noqa: E402
from tests.flow.upload_probes import CLAIMS, HELD, project_of, status_of  # noqa: E402

STORE = Path(__file__).with_name("door.json")
PAGE = ROOT / "docs" / "reference" / "door.md"
ALL = (*HELD, *CLAIMS)
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where an index takes uploads, and who may bring them."""

    version: str
    url: str
    auth: tuple[str, str]


def main() -> int:
    """Send every probe to every index, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=sorted(SERVERS), help="ask this index alone; repeatable")
    parser.add_argument("--write", action="store_true", help="keep the answers and write the page")
    options = parser.parse_args()
    if options.write and options.only:
        parser.error("the page has all columns, and they come from one run")
    columns: dict[str, dict[str, Any]] = {}
    for name, start in SERVERS.items():
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory(prefix="door-") as folder, start(Path(folder)) as door:
            print(f"{name} {door.version} …", file=sys.stderr)
            answers = [status_of(probe, project_of(number), door.url, door.auth) for number, probe in enumerate(ALL)]
        columns[name] = {"version": door.version, "answers": answers}
    probes = [{"name": probe.name, "wanted": list(probe.wanted)} for probe in ALL]
    told = {"date": dt.datetime.now(dt.timezone.utc).date().isoformat(), "probes": probes, "columns": columns}
    print(table(told))
    if options.write:
        STORE.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        PAGE.write_text(page(told), encoding="utf-8")
    ours = columns.get("cpufit", {"answers": []})["answers"]
    return int(any(status not in probe.wanted for status, probe in zip(ours, HELD, strict=False)))


@contextmanager
def cpufit(folder: Path) -> Iterator[Door]:
    """Run the server of this checkout."""
    with running_server(folder) as server:
        token = server.token(*(project_of(number) for number in range(len(ALL))))
        yield Door(version=importlib.metadata.version("cpufit"), url=server.upload_url(), auth=("__token__", token))


@contextmanager
def devpi(folder: Path) -> Iterator[Door]:
    """Run devpi-server with one index whose files do not change."""
    programs, version = installed(folder / "environment", "devpi-server")
    data, port, password = folder / "data", free_port(), secrets.token_urlsafe()
    init = [programs / "devpi-init", "--serverdir", data, "--root-passwd", password, "--no-root-pypi"]
    subprocess.run([str(word) for word in init], check=True, capture_output=True, timeout=120)
    command = [programs / "devpi-server", "--serverdir", data, "--host", "127.0.0.1", "--port", port, "--offline-mode"]
    with running(command, folder / "log", f"http://127.0.0.1:{port}/+api") as base:
        root = httpx.URL(base).join("/")
        with httpx.Client(base_url=root, headers={"Accept": "application/json"}, trust_env=False, timeout=30) as client:
            user = client.put("/probes", json={"password": password})
            user.raise_for_status()
            login = client.post("/+login", json={"user": "probes", "password": password})
            secret = login.raise_for_status().json()["result"]["password"]
            index = {"type": "stage", "bases": [], "volatile": False}
            client.put("/probes/dev", json=index, auth=None, headers=_devpi_login("probes", secret)).raise_for_status()
        yield Door(version=version, url=f"{root}probes/dev/", auth=("probes", password))


@contextmanager
def pypiserver(folder: Path) -> Iterator[Door]:
    """Run pypiserver with uploads by anybody, which it calls no authentication."""
    programs, version = installed(folder / "environment", "pypiserver")
    packages, port = folder / "packages", free_port()
    packages.mkdir()
    options = ["-i", "127.0.0.1", "-p", port, "-P", ".", "-a", ".", "--disable-fallback"]
    with running([programs / "pypi-server", "run", *options, packages], folder / "log", f"http://127.0.0.1:{port}/"):
        yield Door(version=version, url=f"http://127.0.0.1:{port}/", auth=("any", "any"))


SERVERS: Mapping[str, Callable[[Path], AbstractContextManager[Door]]] = {
    "cpufit": cpufit,
    "devpi": devpi,
    "pypiserver": pypiserver,
}


def installed(directory: Path, project: str) -> tuple[Path, str]:
    """Install a project's newest release into an environment; return the folder of its programs and its version."""
    python = directory / "bin" / "python"
    uv = [str(uv_program()), "--no-config"]
    for words in (["venv", "--quiet", directory], ["pip", "install", "--quiet", "--python", python, project]):
        subprocess.run([*uv, *map(str, words)], check=True, timeout=300)
    code = f"import importlib.metadata as m; print(m.version({project!r}))"
    asked = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return python.parent, asked.stdout.strip()


@contextmanager
def running(command: list[object], log: Path, ready: str) -> Iterator[str]:
    """Run a server until the block ends; the address is asked until it answers, a minute at most."""
    with log.open("wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not answer:\n{log.read_text(errors='replace')}")
            time.sleep(0.2)
        yield ready
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False


def _devpi_login(user: str, secret: str) -> dict[str, str]:
    return {"X-Devpi-Auth": base64.b64encode(f"{user}:{secret}".encode()).decode()}


if __name__ == "__main__":
    raise SystemExit(main())
