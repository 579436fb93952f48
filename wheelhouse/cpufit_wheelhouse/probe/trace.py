"""Reading qemu's trace of system calls (``-strace``): which files were mapped where, and where a signal struck."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

_OPEN = re.compile(r'^\d+ open(?:at)?\((?:[^,"]*,)?"([^"]*)".*\) = (\d+)$')
_CLOSE = re.compile(r"^\d+ close\((\d+)\)")
_MAP = re.compile(r"^\d+ mmap\([^,]*,(\d+),([A-Z_|]+),[^,]*,(\d+),(0x[0-9a-f]+|\d+)\) = (0x[0-9a-f]+)$")
_SIGNAL = re.compile(r"^--- (SIG[A-Z]+) \{([^}]*)\} ---")
_ADDRESS = re.compile(r"si_addr ?= ?(0x[0-9a-fA-F]+)")
_DEADLY = frozenset({"SIGILL", "SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A file in memory."""

    path: str
    start: int
    size: int
    offset: int
    """In the file."""
    executable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a run did, as far as a probe wants to know."""

    mappings: tuple[Mapping, ...] = ()
    signal: str | None = None
    """The last deadly signal, ``SIGILL``."""
    address: int | None = None
    """Where it struck."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The paths of the files with executable mappings, in the order of loading."""
        return tuple(dict.fromkeys(one.path for one in self.mappings if one.executable))

    def at(self, address: int) -> tuple[str, int] | None:
        """Return the file and the offset in it that an address belongs to; the last mapping counts."""
        for one in reversed(self.mappings):
            if one.start <= address < one.start + one.size:
                return one.path, address - one.start + one.offset
        return None


def read_trace(text: str) -> Trace:
    """Return what a trace tells; lines that cannot be read, as those torn by threads, tell nothing."""
    files: dict[int, str] = {}
    mappings: list[Mapping] = []
    signal: str | None = None
    address: int | None = None
    for line in text.splitlines():
        if opened := _OPEN.match(line):
            files[int(opened[2])] = opened[1]
        elif closed := _CLOSE.match(line):
            files.pop(int(closed[1]), None)
        elif mapped := _MAP.match(line):
            path = files.get(int(mapped[3]))
            if path is not None:
                mappings.append(
                    Mapping(
                        path=posixpath.normpath(path),
                        start=int(mapped[5], 16),
                        size=int(mapped[1]),
                        offset=int(mapped[4], 0),
                        executable="PROT_EXEC" in mapped[2],
                    )
                )
        elif (struck := _SIGNAL.match(line)) and struck[1] in _DEADLY:
            found = _ADDRESS.search(struck[2])
            # Python's fault handler sends the signal again, without an address
            if found or struck[1] != signal:
                signal, address = struck[1], int(found[1], 16) if found else None
    return Trace(mappings=tuple(mappings), signal=signal, address=address)
