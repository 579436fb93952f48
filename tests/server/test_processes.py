"""Child processes that do not outlive their parent's work: real processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cpufit_server.processes import child, run

SLEEP = "import time; time.sleep(60)"
# starts a process of its own, tells its number and sleeps
PARENT = f"""
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {SLEEP!r}]).pid, flush=True)
time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ends(pid: int, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(pid)


def started(command: str, patience: float = 5) -> tuple[subprocess.Popen[str], str]:
    """Start a Python, leave the block by an exception once it has spoken, and return it with its first line."""
    with (
        contextlib.suppress(KeyboardInterrupt),
        child([sys.executable, "-c", command], stdout=subprocess.PIPE, patience=patience) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        raise KeyboardInterrupt
    return process, line


def test_a_child_tells_its_status_and_all_that_it_wrote() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    status, output = run([sys.executable, "-c", code])
    assert status == 3
    assert sorted(output.split()) == ["err", "out"]


def test_a_child_sees_the_environment_that_it_is_given() -> None:
    status, output = run([sys.executable, "-c", "import os; print(os.environ['ONLY'])"], environ={"ONLY": "this"})
    assert (status, output) == (0, "this\n")


def test_a_child_reads_nothing_from_the_terminal() -> None:
    assert run([sys.executable, "-c", "print(repr(input()))"])[0] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_leaving_the_block_ends_what_the_child_has_started_too() -> None:
    process, line = started(PARENT)
    assert process.returncode == -15
    assert ends(int(line))


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM cannot be ignored there")
def test_a_child_that_does_not_listen_is_forced() -> None:
    process, line = started(STUBBORN, patience=0.3)
    assert line == "deaf\n"
    assert process.returncode == -9


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing"):
        run([tmp_path / "nothing"])
