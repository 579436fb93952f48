"""Starting a server on one core, waiting for it, and telling what it takes of memory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"
"""What pip sends."""

START_SECONDS = 60.0
"""How long a server may take until it answers."""

_SETTLING_SECONDS, _QUIET_SECONDS = 15.0, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A running server."""

    pid: int
    started: float
    """When it was started, in seconds of ``time.perf_counter``."""

    def cpu_seconds(self) -> float:
        """Return how many seconds of CPU time it and its children took until now."""
        return sum(_cpu_seconds(pid) for pid in _family(self.pid))

    def resident(self) -> int:
        """Return how many bytes of memory it and its children have resident."""
        return sum(_resident(pid) for pid in _family(self.pid))

    def settle(self) -> None:
        """Wait until it computes nothing any more: a server may answer while it still loads what it needs later."""
        deadline, known = time.perf_counter() + _SETTLING_SECONDS, -1.0
        while (now := self.cpu_seconds()) != known and time.perf_counter() < deadline:
            known = now
            time.sleep(_QUIET_SECONDS)


def cores() -> tuple[str, str] | None:
    """Return the cores for the server and for the load; None where there are not two, or no taskset."""
    mine = sorted(os.sched_getaffinity(0))
    return (str(mine[0]), str(mine[1])) if len(mine) > 1 and shutil.which("taskset") else None


def pinned(core: int, command: Sequence[str | Path]) -> list[str]:
    """Return a command that stays on the server's core (0) or the load's (1)."""
    two = cores()
    return [*([] if two is None else ["taskset", "-c", two[core]]), *map(str, command)]


@contextmanager
def running(command: Sequence[str | Path], *, environment: Mapping[str, str], log: Path) -> Iterator[Process]:
    """Run a server on its core; stop it at the end."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CPUFIT_")}
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            pinned(0, command), env={**kept, **environment}, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield Process(pid=process.pid, started=started)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(url: str, process: Process, log: Path, *, timeout: float = START_SECONDS, accept: str = ACCEPT) -> float:
    """Wait until an address answers 200; return the seconds since the server's start.

    :raises RuntimeError: it does not, or the server died
    """
    deadline = process.started + timeout
    said = "nothing"
    while (now := time.perf_counter()) < deadline:
        try:
            request = urllib.request.Request(url, headers={"Accept": accept})
            with urllib.request.urlopen(request, timeout=deadline - now) as answer:
                answer.read()
                return time.perf_counter() - process.started
        except urllib.error.HTTPError as error:
            said = f"status {error.code}"
            error.close()
        except (OSError, TimeoutError) as error:
            said = str(error)
        if _ended(process.pid):
            break
        time.sleep(0.02)
    raise RuntimeError(f"{url}: {said}\n{log.read_text(errors='replace')[-2000:]}")


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [pid, *(one for child in found for one in _family(child))]


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)
