"""Load as people bring it: many pips at once, idle connections, uploads and inspections in the middle of it.

The server runs in a process that also watches its event loop: a task asks to be woken every few milliseconds, and what
it is late by is a stall. Meanwhile pages are asked for all the time, and what they take is told.

::

    quiet      pages alone, while thousands of connections stay open and idle
    uploads    … and small wheels come in, and a large one, each hashed, stored and inspected
    pips       … and pips install, all at once, each into a folder of its own

What is told beside times: how many answers were 5xx, how many connections were lost, and whether each pip installed.

Usage::

    python -m benchmarks.load [--pips 200] [--environments 20] [--idle 2000] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from tests.server.conftest import wheel_bytes

_PROJECTS = 20
_TICK = 0.005
_SERVER = """
import asyncio, json, sys, time
from pathlib import Path
import uvicorn
from cpufit_server.app import create_app, in_front_of
from cpufit_server.front.protocol import FrontProtocol
from cpufit_server.settings import load_settings

settings = load_settings(home=Path(sys.argv[1]), port=int(sys.argv[2]), access_log=False)
front = in_front_of(create_app(settings), settings)

def waited():
    "Return for how many seconds this thread was ready to run and had no core."
    with open("/proc/thread-self/schedstat") as told:
        return int(told.read().split()[1]) / 1e9

async def watch():
    with open(sys.argv[3], "w", buffering=1) as told:
        while True:
            due, before = time.monotonic() + {tick}, waited()
            await asyncio.sleep({tick})
            late = time.monotonic() - due
            if late > 0.002:
                print(json.dumps([time.monotonic(), late, max(0, late - (waited() - before))]), file=told)

async def main():
    config = uvicorn.Config(
        front,
        port=settings.port,
        access_log=False,
        log_level="error",
        http=FrontProtocol,
        timeout_keep_alive=600,
    )
    watching = asyncio.create_task(watch())
    await uvicorn.Server(config).serve()
    watching.cancel()

with asyncio.Runner(loop_factory=uvicorn.Config(front).get_loop_factory()) as runner:
    runner.run(main())
"""


@dataclass
class Asked:
    """What became of the pages that were asked for in one phase."""

    seconds: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Pages(threading.Thread):
    """Asks for pages until it is stopped, and keeps what each took, by phase."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self._stopped = threading.Event()
        self.phase = "quiet"
        self.asked: dict[str, Asked] = {}

    def run(self) -> None:
        """Ask."""
        with httpx.Client(timeout=30, headers={"Accept": "application/vnd.pypi.simple.v1+json"}) as client:
            number = 0
            while not self._stopped.wait(0.004):
                number += 1
                found = self.asked.setdefault(self.phase, Asked())
                started = time.perf_counter()
                try:
                    status = client.get(f"{self._url}/simple/load{number % _PROJECTS}/").status_code
                except httpx.HTTPError as error:
                    found.failed.append(type(error).__name__)
                    continue
                found.seconds.append(time.perf_counter() - started)
                if status != 200:
                    found.failed.append(str(status))

    def stop(self) -> None:
        """Stop, and wait until the last answer is in."""
        self._stopped.set()
        self.join()


@contextlib.contextmanager
def served(home: Path, stalls: Path) -> Iterator[str]:
    """Run a server that watches its own event loop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = _SERVER.replace("{tick}", str(_TICK))
    process = subprocess.Popen([sys.executable, "-c", code, str(home), str(port), str(stalls)])
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{url}/healthz").status_code == 200:
                    break
            time.sleep(0.05)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def token_for(home: Path) -> str:
    """Return a token that may upload to every project."""
    command = [sys.executable, "-m", "cpufit_server", "token", "create", "--all-projects", "--home", str(home)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]


def upload(url: str, token: str, file: tuple[str, bytes]) -> int:
    """Upload a wheel and return the status."""
    return httpx.post(
        f"{url}/legacy/",
        data={":action": "file_upload", "protocol_version": "1"},
        files={"content": file},
        auth=("__token__", token),
        timeout=120,
    ).status_code


@contextlib.contextmanager
def idle_connections(url: str, count: int) -> Iterator[list[socket.socket]]:
    """Open connections that asked for one page and then stay silent."""
    host, port = url.removeprefix("http://").split(":")
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            connection = socket.create_connection((host, int(port)), timeout=30)
            connection.sendall(b"HEAD /simple/load0/ HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.recv(4096)
            opened.append(connection)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def phase_quiet() -> None:
    """Let pages be asked for alone."""
    time.sleep(10)


def phase_uploads(url: str, token: str) -> list[int]:
    """Bring 100 small wheels by eight at once, and one of 60 MB."""
    large = wheel_bytes(name="load-large".replace("-", "_"), extra=os.urandom(30_000_000).hex().encode())
    small = [wheel_bytes(name=f"load{number % _PROJECTS}", version=f"2.{number}") for number in range(100)]
    with ThreadPoolExecutor(9) as threads:
        return list(threads.map(lambda file: upload(url, token, file), [large, *small]))


def phase_pips(url: str, folder: Path, pips: int, environments: int) -> list[int]:
    """Let pips install at once, from some environments."""
    pythons = []
    for number in range(environments):
        venv = folder / f"environment{number}"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
        pythons.append(venv / "bin" / "python")

    def install(number: int) -> int:
        command = [sys.executable, "-m", "pip", "--python", str(pythons[number % environments]), "install"]
        command += ["--quiet", "--disable-pip-version-check", "--no-cache-dir", "--index-url", f"{url}/simple/"]
        command += ["--target", str(folder / f"target{number}"), f"load{number % _PROJECTS}"]
        ended = subprocess.run(command, env=_clean(folder), capture_output=True, check=False, timeout=600)
        return ended.returncode

    with ThreadPoolExecutor(pips) as threads:
        return list(threads.map(install, range(pips)))


def _clean(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "PIP_CONFIG_FILE": os.devnull, "LANG": "C.UTF-8"}


def main() -> int:
    """Run the phases and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pips", type=int, default=200)
    parser.add_argument("--environments", type=int, default=20)
    parser.add_argument("--idle", type=int, default=2000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as name:
        told = run(Path(name), arguments)
    for phase, figures in told["phases"].items():
        print(f"{phase:8}", "  ".join(f"{key} {value}" for key, value in figures.items()))
    print(
        "uploads by status:", told["uploads"], " pips by exit status:", told["pips"], " idle lost:", told["idle_lost"]
    )
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


def run(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the phases in a folder and return the figures."""
    home, stalls = folder / "home", folder / "stalls"
    token = token_for(home)
    spans: dict[str, tuple[float, float]] = {}

    def timed(phase: str, work: Callable[[], Any]) -> Any:
        pages.phase = phase
        started = time.monotonic()
        result = work()
        spans[phase] = (started, time.monotonic())
        return result

    with served(home, stalls) as url:
        for number in range(_PROJECTS):
            assert upload(url, token, wheel_bytes(name=f"load{number}")) == 200
        with idle_connections(url, arguments.idle) as idle:
            pages = Pages(url)
            pages.start()
            timed("quiet", phase_quiet)
            uploads = timed("uploads", lambda: phase_uploads(url, token))
            installed = timed("pips", lambda: phase_pips(url, folder, arguments.pips, arguments.environments))
            pages.stop()
            lost = sum(1 for connection in idle if _is_closed(connection))
    late = [json.loads(line) for line in stalls.read_text(encoding="utf-8").splitlines()]
    phases = {}
    for phase, (started, ended) in spans.items():
        asked = pages.asked[phase]
        stalled = [(wall, own) for moment, wall, own in late if started <= moment <= ended]
        phases[phase] = {
            "seconds": round(ended - started, 1),
            "pages": len(asked.seconds),
            "p50_ms": round(statistics.median(asked.seconds) * 1e3, 1),
            "p99_ms": round(statistics.quantiles(asked.seconds, n=100)[98] * 1e3, 1),
            "failed": len(asked.failed),
            "worst_stall_ms": round(max((wall for wall, _ in stalled), default=0) * 1e3, 1),
            "worst_own_stall_ms": round(max((own for _, own in stalled), default=0) * 1e3, 1),
        }
    return {"phases": phases, "uploads": _counted(uploads), "pips": _counted(installed), "idle_lost": lost}


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False


def _counted(statuses: list[int]) -> dict[str, int]:
    return {str(status): statuses.count(status) for status in sorted(set(statuses))}


if __name__ == "__main__":
    sys.exit(main())
