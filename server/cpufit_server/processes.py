"""Child processes that do not outlive their parent's work.

Each runs in a session of its own, so that ending it ends what it has started too (``venv`` starts ``ensurepip``, pip a
build backend), and so that Ctrl-C reaches this process alone, which then ends its children in order.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

STOP_SECONDS = 15.0
"""How long a child may take to end after it was asked to."""


@contextlib.contextmanager
def child(
    command: Sequence[str | Path],
    *,
    environ: Mapping[str, str] | None = None,
    stdout: int | IO[bytes],
    patience: float = STOP_SECONDS,
) -> Iterator[subprocess.Popen[str]]:
    """Start a process that reads nothing, and end it, with all that it has started, when the block is left.

    :param environ: its whole environment; by default this process's
    :param stdout: where its output and its errors go
    :param patience: seconds that it may take to end after it was asked to
    :raises OSError: it cannot be started
    """
    process = subprocess.Popen(  # noqa: S603 - the callers start Pythons and scripts that they made or run in
        [str(part) for part in command],
        env=None if environ is None else dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end(process, patience)
        if process.stdout is not None:
            process.stdout.close()


def run(command: Sequence[str | Path], *, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a process to its end and return its status and all that it wrote.

    :raises OSError: it cannot be started
    """
    with child(command, environ=environ, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate()
        return process.returncode, output


def _end(process: subprocess.Popen[str], patience: float) -> None:
    """End a process and what it has started: asked first, then forced."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    until = time.monotonic() + patience
    while not _has_ended(process) and time.monotonic() < until:
        time.sleep(0.02)
    if process.returncode is None:
        # the rest of its group: as long as nobody has waited for it, its number cannot belong to another process
        _signal(process, signal.SIGKILL)
        process.wait()


def _has_ended(process: subprocess.Popen[str]) -> bool:
    """Tell whether a process has ended, where the system can tell it without releasing the process's number."""
    if hasattr(os, "waitid"):
        return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return process.poll() is not None


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    if not hasattr(os, "killpg"):
        process.send_signal(number)
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of ended processes
        os.killpg(process.pid, number)
