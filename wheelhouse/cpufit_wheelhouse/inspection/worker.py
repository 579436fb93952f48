"""The child process of :mod:`.workers`: reads a request from each line of its input, answers in lines of JSON.

Arguments: the bytes it may allocate, and the seconds without work after which it ends with status 0.
"""

from __future__ import annotations

import json
import os
import selectors
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from cpufit_wheelhouse.archive import ArchiveLimits
from cpufit_wheelhouse.errors import WheelError


def main() -> None:
    """Serve until the input ends, or nothing was asked for some time."""
    memory, idle = int(sys.argv[1]), float(sys.argv[2])
    _limit_memory(memory)
    for line in _lines(sys.stdin, idle):
        _answer(_answered(json.loads(line)))


def _limit_memory(size: int) -> None:
    try:
        import resource  # noqa: PLC0415  # POSIX has it
    except ImportError:  # pragma: no cover  # Windows
        return
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


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
    from .wheel import DEFAULT_INSPECTION_LIMITS, inspect_wheel  # noqa: PLC0415  # takes a second: numpy

    limits = replace(
        DEFAULT_INSPECTION_LIMITS,
        archive=ArchiveLimits(**request["archive"]),
        max_library_bytes=request["max_library_bytes"],
        max_libraries=request["max_libraries"],
    )
    try:
        verdict = inspect_wheel(
            Path(request["path"]),
            request["filename"],
            limits=limits,
            threads=request["threads"],
            progress=lambda *told: _answer({"progress": told}),
        )
    except WheelError as error:
        return {"error": error.as_dict()}
    return {"verdict": verdict.as_dict()}


def _answer(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()
