"""Who brings the load: readers of pages, uploaders, pips, and connections that say nothing."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import httpx
from tests.server.conftest import wheel_bytes

ACCEPT = "application/vnd.pypi.simple.v1+json"
NATIVE = ("uvloop.loop", "httptools.parser.parser", "pydantic_core._pydantic_core", "zstandard.backend_c")
"""Installed extension modules, of 1 to 15 MB of real machine code."""

_PAUSE = 0.004
_UPLOADS_AT_ONCE = 8
_SMALL_UPLOADS = 100
_LARGE_BYTES = 60_000_000


@dataclass(slots=True)
class Asked:
    """What became of the pages that were asked for in one phase."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Pages(threading.Thread):
    """Asks for one project's page after another until it is stopped, and keeps what each took, by phase."""

    def __init__(self, url: str, projects: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._url, self._projects = url, projects
        self._stopped = threading.Event()
        self.phase = "quiet"
        self.asked: dict[str, Asked] = {}

    def run(self) -> None:
        """Ask."""
        number = 0
        with httpx.Client(timeout=30, headers={"Accept": ACCEPT, "Accept-Encoding": "gzip"}) as client:
            while not self._stopped.wait(_PAUSE):
                number += 1
                found = self.asked.setdefault(self.phase, Asked())
                started = time.perf_counter()
                try:
                    # the raw bytes: what unpacking costs is not the server's
                    with client.stream(
                        "GET", f"{self._url}/simple/{self._projects[number % len(self._projects)]}/"
                    ) as answer:
                        for _ in answer.iter_raw():
                            pass
                except httpx.HTTPError as error:
                    found.failed.append(type(error).__name__)
                    continue
                found.seconds.append(time.perf_counter() - started)
                if answer.status_code != httpx.codes.OK:
                    found.failed.append(str(answer.status_code))

    def stop(self) -> None:
        """Stop, and wait until the last answer is in."""
        self._stopped.set()
        self.join()


def upload(url: str, token: str, file: tuple[str, bytes]) -> int:
    """Upload a wheel and return the status; 0 where no answer came, so that it is told with the others."""
    try:
        return httpx.post(
            f"{url}/legacy/",
            data={":action": "file_upload", "protocol_version": "1"},
            files={"content": file},
            auth=("__token__", token),
            timeout=120,
        ).status_code
    except httpx.HTTPError:
        return 0


def uploads(url: str, token: str, projects: Sequence[str], version: int) -> list[int]:
    """Bring small wheels of every project by eight at once, wheels with machine code, and a large one in between."""
    large = wheel_bytes("large", f"{version}.0", extra=random.randbytes(_LARGE_BYTES // 2).hex().encode())
    native = [_native_wheel(module, version) for module in NATIVE if find_spec(module) is not None]
    small = [
        wheel_bytes(projects[number % len(projects)].replace("-", "_"), f"{version}.{number}")
        for number in range(_SMALL_UPLOADS)
    ]
    step = max(1, len(small) // (len(native) + 1))
    for number, file in enumerate(native):
        small.insert(number * step, file)
    with ThreadPoolExecutor(_UPLOADS_AT_ONCE + 1) as people:
        return list(people.map(lambda file: upload(url, token, file), [large, *small]))


def _native_wheel(module: str, version: int) -> tuple[str, bytes]:
    found = find_spec(module)
    assert found is not None
    assert found.origin is not None
    name = module.partition(".")[0]
    # never the same bytes twice: what was inspected once is known
    code = Path(found.origin).read_bytes() + f"{version}".encode()
    return wheel_bytes(name, f"{version}.0", "cp311-cp311-manylinux_2_17_x86_64", native=True, library=code)


def pips(url: str, folder: Path, projects: Sequence[str], *, count: int, environments: int) -> list[int]:
    """Let pips install at once, from some environments, each into a folder of its own; return their exit statuses."""
    pythons = [_environment(folder / f"environment{number}") for number in range(environments)]

    def install(number: int) -> int:
        command = [sys.executable, "-m", "pip", "--python", str(pythons[number % environments]), "install"]
        command += ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--index-url", f"{url}/simple/"]
        command += ["--target", str(folder / f"target{number}"), projects[number % len(projects)]]
        ended = subprocess.run(command, env=_clean(folder), capture_output=True, check=False, timeout=900)
        return ended.returncode

    with ThreadPoolExecutor(count) as people:
        return list(people.map(install, range(count)))


def _environment(path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
    return path / "bin" / "python"


def _clean(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PIP_CONFIG_FILE": os.devnull, "LANG": "C.UTF-8"}


@contextlib.contextmanager
def idle_connections(url: str, count: int) -> Iterator[list[socket.socket]]:
    """Open connections that asked for one page and then stay silent."""
    host, port = url.removeprefix("http://").split(":")
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            connection = socket.create_connection((host, int(port)), timeout=30)
            opened.append(connection)
            connection.sendall(b"HEAD /simple/load-0/ HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.recv(4096)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def is_closed(connection: socket.socket) -> bool:
    """Tell whether the other side closed a silent connection."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:  # it was reset
        return True
