"""Other indexes to compare with, the newest of each, in environments and folders of their own on the loopback."""

from __future__ import annotations

import base64
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.flow.flow_clients import uv_program

from cpufit_server.demo.processes import free_port

START_SECONDS = 120.0


class CannotBeHad(Exception):
    """An index cannot be installed here: the index that uv uses does not answer, or has no such release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where an index takes uploads and hands them out, and who may bring them."""

    version: str
    url: str
    """Where files are posted to."""
    simple: str
    """The index's address for installers."""
    auth: tuple[str, str]


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
            client.put("/probes/dev", json=index, headers=_devpi_login("probes", secret)).raise_for_status()
        url = f"{root}probes/dev/"
        yield Door(version=version, url=url, simple=f"{url}+simple/", auth=("probes", password))


@contextmanager
def pypiserver(folder: Path) -> Iterator[Door]:
    """Run pypiserver with uploads by anybody, which it calls no authentication."""
    programs, version = installed(folder / "environment", "pypiserver")
    packages, port = folder / "packages", free_port()
    packages.mkdir()
    options = ["-i", "127.0.0.1", "-p", port, "-P", ".", "-a", ".", "--disable-fallback"]
    with running([programs / "pypi-server", "run", *options, packages], folder / "log", f"http://127.0.0.1:{port}/"):
        url = f"http://127.0.0.1:{port}/"
        yield Door(version=version, url=url, simple=f"{url}simple/", auth=("any", "any"))


def installed(directory: Path, project: str) -> tuple[Path, str]:
    """Install a project's newest release into an environment; return the folder of its programs and its version.

    :raises CannotBeHad: the index that uv uses does not answer
    """
    python = directory / "bin" / "python"
    uv = [str(uv_program()), "--no-config"]
    for words in (["venv", "--quiet", directory], ["pip", "install", "--quiet", "--python", python, project]):
        ended = subprocess.run([*uv, *map(str, words)], capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode != 0:
            raise CannotBeHad(f"{project}: {ended.stderr.strip()[-200:]}")
    code = f"import importlib.metadata as m; print(m.version({project!r}))"
    asked = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return python.parent, asked.stdout.strip()


@contextmanager
def running(command: Sequence[object], log: Path, ready: str) -> Iterator[str]:
    """Run a server until the block ends; the address is asked until it answers, two minutes at most."""
    with log.open("wb") as output:
        process = subprocess.Popen([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{command[0]} does not answer:\n{log.read_text(errors='replace')}")
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
