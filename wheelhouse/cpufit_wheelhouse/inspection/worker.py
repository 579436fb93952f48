"""The child process of :mod:`.workers`: reads a request from each line of its input, answers in lines of JSON.

Arguments: the bytes it may allocate, the seconds without work after which it ends with status 0, and how far behind
other processes it stands.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from cpufit_wheelhouse.archive_limits import ArchiveLimits
from cpufit_wheelhouse.errors import WheelError

from .verdict import Verdict

_TRIES, _PAUSE_SECONDS = 5, 0.13
"""How often, and how long apart, a worker tries to bring its session behind others."""
_LOOK_SECONDS = 1.0
"""How often a worker looks whether its server is still there."""


def main() -> None:
    """Serve until the input ends, or nothing was asked for some time."""
    _leave_ending_to_the_server()
    memory, idle, niceness = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    _limit_memory(memory)
    _stand_behind(niceness)
    for line in _lines(sys.stdin, idle):
        _answer(_answered(json.loads(line)))


def _leave_ending_to_the_server() -> None:
    """Outlive the signals that a service manager sends to every process of a server, and never outlive the server.

    Whoever dies first of the two would decide otherwise: the server would take the end of its worker for the wheel's
    fault. One that was killed cannot tell its workers to stop, nor end an inspection that takes too long.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        # a function and not SIG_IGN, which the programs of a probe would inherit
        signal.signal(number, lambda *_: None)
    if os.name == "posix":
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


def _limit_memory(size: int) -> None:
    try:
        import resource  # noqa: PLC0415  # POSIX has it
    except ImportError:  # pragma: no cover  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _stand_behind(niceness: int) -> None:
    """Let others have the cores first: pages are waited for, an upload's verdict may take its time."""
    if not niceness or not hasattr(os, "nice"):
        return
    with suppress(OSError):  # a filter of system calls may forbid it, which is no reason not to inspect
        os.nice(niceness)
    # Linux weighs whole sessions against each other before the processes within one (autogroups, sched(7))
    for _ in range(_TRIES):
        if _session_told(niceness):
            return
        time.sleep(_PAUSE_SECONDS)


def _session_told(niceness: int) -> bool:
    """Return whether nothing is left to be done: it took the niceness, or has none."""
    try:
        Path("/proc/self/autogroup").write_text(str(niceness), encoding="ascii")
    except BlockingIOError:  # one change in a tenth of a second is taken, of the whole system
        return False
    except OSError:
        pass
    return True


def _lines(stream: TextIO, idle: float) -> Iterator[str]:
    if os.name != "posix":  # pragma: no cover  # a pipe cannot be waited for there
        yield from stream
        return
    # unbuffered: what select says of the descriptor has to be the truth
    buffer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream.fileno(), selectors.EVENT_READ)
        while selector.select(idle):
            piece = os.read(stream.fileno(), 1 << 16)
            if not piece:
                return
            buffer += piece
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                yield line.decode()


def _answered(request: dict[str, Any]) -> dict[str, object]:
    try:
        verdict = _probed(request) if "probe" in request else _inspected(request)
    except WheelError as error:
        return {"error": error.as_dict()}
    return {"verdict": verdict.as_dict()}


def _probed(request: dict[str, Any]) -> Verdict:
    from cpufit_wheelhouse.probe.combine import combine  # noqa: PLC0415  # where an operator turned it on
    from cpufit_wheelhouse.probe.options import ProbeOptions  # noqa: PLC0415  # as above
    from cpufit_wheelhouse.probe.probe import probe_wheel  # noqa: PLC0415  # as above

    static = Verdict.from_dict(request["static"])
    options = ProbeOptions.from_dict(request["probe"])
    return combine(static, probe_wheel(Path(request["path"]), request["filename"], static, options))


def _inspected(request: dict[str, Any]) -> Verdict:
    from .wheel import DEFAULT_INSPECTION_LIMITS, inspect_wheel  # noqa: PLC0415  # takes a second: numpy

    limits = replace(
        DEFAULT_INSPECTION_LIMITS,
        archive=ArchiveLimits(**request["archive"]),
        max_library_bytes=request["max_library_bytes"],
        max_libraries=request["max_libraries"],
    )
    return inspect_wheel(
        Path(request["path"]),
        request["filename"],
        limits=limits,
        threads=request["threads"],
        progress=lambda *told: _answer({"progress": told}),
    )


def _answer(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
