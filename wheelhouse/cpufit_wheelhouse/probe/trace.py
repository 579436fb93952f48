"""Reading qemu's trace of system calls (``-strace``): which files were mapped where, and where a signal struck."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

# numbers are bounded: what is probed can write there too
_OPEN = re.compile(r'^(\d{1,9}) open(?:at)?\((?:[^,"]*,)?"([^"]*)".*\) = (\d{1,9})$')
_CLOSE = re.compile(r"^(\d{1,9}) close\((\d{1,9})\)")
_HEX = "0x[0-9a-fA-F]{1,16}"
_MAP = re.compile(
    rf"^(\d{{1,9}}) mmap\([^,]*,(\d{{1,19}}),([A-Z_|]+),[^,]*,(\d{{1,9}}),({_HEX}|\d{{1,19}})\) = ({_HEX})$"
)
_SIGNAL = re.compile(r"^--- (SIG[A-Z]+) \{([^}]*)\} ---")
_ADDRESS = re.compile(rf"si_addr ?= ?({_HEX})")
_TELLING = re.compile(rb" (?:open|close|mmap|SIG)")
_LONGEST_LINE = 16 << 10
_MOST = 1 << 16
"""The most open files and mappings of one run; more are made by nothing but malice."""
_DEADLY = frozenset({"SIGILL", "SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """A file in memory."""

    path: str
    """Absolute where it was opened so; empty where the trace does not tell what was opened."""
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
        return tuple(dict.fromkeys(one.path for one in self.mappings if one.executable and one.path))

    def elsewhere(self, places: Iterable[str]) -> tuple[str, ...]:
        """Return the files with executable mappings that lie in none of some folders, or nobody knows where."""
        folders = tuple(place.rstrip("/") + "/" for place in places)
        found = (one.path or "a file without a name" for one in self.mappings if one.executable)
        return tuple(dict.fromkeys(path for path in found if not path.startswith(folders)))

    def at(self, address: int) -> tuple[str, int] | None:
        """Return the file and the offset in it that an address belongs to; the last mapping counts."""
        for one in reversed(self.mappings):
            if one.start <= address < one.start + one.size:
                return one.path, address - one.start + one.offset
        return None


class TraceReader:
    """Reads a trace as it comes and keeps what a probe wants to know, however long the trace is.

    Lines that cannot be read, as those torn by threads, tell nothing.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._files: dict[tuple[str, str], str] = {}
        self._mappings: list[Mapping] = []
        self._signal: str | None = None
        self._address: int | None = None

    def feed(self, piece: bytes) -> None:
        """Take a piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self._rest = self._rest[-_LONGEST_LINE:]
        for line in lines:
            if len(line) <= _LONGEST_LINE and _TELLING.search(line):
                self._read(line.decode("utf-8", "replace"))

    def trace(self) -> Trace:
        """Return what was told so far."""
        return Trace(mappings=tuple(self._mappings), signal=self._signal, address=self._address)

    def _read(self, line: str) -> None:
        if opened := _OPEN.match(line):
            if len(self._files) < _MOST:
                self._files[opened[1], opened[3]] = opened[2]
        elif closed := _CLOSE.match(line):
            self._files.pop((closed[1], closed[2]), None)
        elif mapped := _MAP.match(line):
            self._mapped(mapped)
        elif (struck := _SIGNAL.match(line)) and struck[1] in _DEADLY:
            found = _ADDRESS.search(struck[2])
            # Python's fault handler sends the signal again, without an address
            if found or struck[1] != self._signal:
                self._signal, self._address = struck[1], int(found[1], 16) if found else None

    def _mapped(self, mapped: re.Match[str]) -> None:
        process, size, protection, file, offset, start = mapped.groups()
        path = self._files.get((process, file), "")
        executable = "PROT_EXEC" in protection
        if len(self._mappings) < _MOST and (path or executable):
            self._mappings.append(
                Mapping(
                    path=posixpath.normpath(path) if path else "",
                    start=int(start, 16),
                    size=int(size),
                    offset=int(offset, 0),
                    executable=executable,
                )
            )


def read_trace(text: str) -> Trace:
    """Return what a whole trace tells."""
    reader = TraceReader()
    reader.feed(text.encode() + b"\n")
    return reader.trace()
