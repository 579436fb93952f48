"""The processes of the demonstration: commands that run to their end, and the server beside them."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx

from cpufit_resolver import CpufitError
from cpufit_server.processes import child

LOOPBACK = "127.0.0.1"
_START_SECONDS = 60.0
_PORTS = range(12_000, 32_000)
"""Below those that systems give to outgoing connections: none of them can come in between."""
_PORT_TRIES = 100


class DemoFailed(CpufitError):
    """A step of the demonstration did not work."""

    code = "demo-failed"


def run(
    command: Sequence[str | Path], *, environ: Mapping[str, str], tell: Callable[[str], None], what: str
) -> list[str]:
    """Run a command to its end, handing on each line as it comes, and return the lines.

    :param what: what it does, for the error
    :raises DemoFailed: it ends with another status than 0
    """
    lines: list[str] = []

    def keep(line: str) -> None:
        lines.append(line)
        tell(line)

    status = run_to_any_end(command, environ=environ, tell=keep)
    if status != 0:
        raise DemoFailed(f"{what} ended with {status_name(status)}")
    return lines


def run_to_any_end(command: Sequence[str | Path], *, environ: Mapping[str, str], tell: Callable[[str], None]) -> int:
    """Run a command, handing on each line as it comes, and return its status: below 0, the signal that ended it."""
    with child(command, environ=environ, stdout=subprocess.PIPE) as process:
        for line in process.stdout or ():
            tell(line.rstrip("\n"))
        return process.wait()


@contextlib.contextmanager
def running_server(home: Path, log: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Run a server on a free port of the loopback while the block runs; give its address.

    :raises DemoFailed: it does not answer
    """
    port = free_port()
    command = [sys.executable, "-m", "cpufit_server", "serve", "--host", LOOPBACK, "--port", str(port)]
    command += ["--home", str(home), "--upstream", "pip"]
    with log.open("wb") as output, child(command, environ=environ, stdout=output) as process:
        url = f"http://{LOOPBACK}:{port}"
        _wait_until_healthy(url, process, log)
        yield url


def free_port(together: int = 1) -> int:
    """Return a TCP port of the loopback that nobody uses just now, the first of so many in a row.

    :raises DemoFailed: none was found
    """
    for _ in range(_PORT_TRIES):
        first = secrets.choice(_PORTS[:-together])
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + together):
                probes.enter_context(socket.socket()).bind((LOOPBACK, port))
            return first
    raise DemoFailed(f"no {together} free ports in a row were found on {LOOPBACK}")


def _wait_until_healthy(url: str, process: subprocess.Popen[str], log: Path) -> None:
    until = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            # loopback: no proxy of the environment has a say
            if httpx.get(f"{url}/healthz", trust_env=False, timeout=5).is_success:
                return
        time.sleep(0.1)
    why = "does not answer" if process.poll() is None else f"ended with {status_name(process.returncode)}"
    last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    raise DemoFailed(f"the server {why}: {' / '.join(last) or 'it said nothing'}")


def status_name(code: int) -> str:
    """Return how a process ended, for a person: ``status 1``, ``signal SIGILL``."""
    return f"status {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
