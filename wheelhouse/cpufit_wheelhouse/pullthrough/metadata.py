"""A wheel's METADATA out of a few ranges of its bytes, without the rest of the wheel.

Whoever has the bytes is asked for ranges: :func:`read_metadata` is a generator that yields a range and is sent its
bytes, so it works the same over HTTP and on a file. Specification: binary distribution format, "The .dist-info
directory": at the top of the archive, with METADATA in it.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final
from zipfile import BadZipFile, ZipFile, ZipInfo

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from cpufit_wheelhouse.errors import DistInfoMismatch, NotAWheel, WheelError, WheelTooLarge
from cpufit_wheelhouse.filename import WheelFilename, parse_wheel_filename

TAIL: Final = 16 << 10
"""Bytes asked for first: the directory of most wheels is among their last ones."""
_LOCAL_HEADER = 30 + 1024
"""Bytes before a member's own: the fixed part, and room for what else stands there besides its name."""
_MOST_BYTES = 8 << 20
"""Bytes asked for in all: a directory that is larger is not worth it."""
_UNREADABLE: Final = (BadZipFile, OSError, NotImplementedError, ValueError, RuntimeError, zlib.error)
"""What reading a zip raises: NotImplementedError where a newer zip is wanted, RuntimeError where one is encrypted."""
_MEMBER = re.compile(r"([^/]+)-([^/-]+)\.dist-info/METADATA")


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes ``start`` up to but not including ``stop``."""

    start: int
    stop: int


class _Missing(Exception):
    def __init__(self, wanted: Range) -> None:
        super().__init__("bytes that are not here yet")
        self.range = wanted


class _Holes(io.RawIOBase):
    """A file of which some ranges are here; reading another raises ``_Missing``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._at = 0
        self._parts: list[tuple[Range, bytes]] = []

    def add(self, part: Range, data: bytes) -> None:
        self._parts.append((part, data))

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("a place before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        stop = self._size if count is None or count < 0 else min(self._at + count, self._size)
        if stop <= self._at:
            return b""
        found = self.get(Range(self._at, stop))
        self._at = stop
        return found

    def get(self, wanted: Range) -> bytes:
        for part, data in self._parts:
            if part.start <= wanted.start and wanted.stop <= part.stop:
                return data[wanted.start - part.start : wanted.stop - part.start]
        raise _Missing(wanted)


class _OnDisk(_Holes):
    """A file that is here; its directory is read once, where the way by ranges reads it anew for each of them.

    :param most: bytes that are read at most
    """

    def __init__(self, stream: BinaryIO, size: int, most: int) -> None:
        super().__init__(size)
        self._stream, self._left = stream, most

    def get(self, wanted: Range) -> bytes:
        self._left -= wanted.stop - wanted.start
        if self._left < 0:
            raise WheelTooLarge("its directory is too large to be read")
        self._stream.seek(wanted.start)
        return self._stream.read(wanted.stop - wanted.start)


def read_metadata(filename: str, size: int, *, max_bytes: int) -> Generator[Range, bytes, bytes]:
    """Yield the ranges that are needed one after another, and return the bytes of METADATA in the end.

    :param filename: the wheel's name, which tells whose METADATA it has to be
    :param size: of the wheel, in bytes
    :param max_bytes: the largest METADATA
    :raises WheelError: the wheel cannot be read so, or has no such file
    """
    name = parse_wheel_filename(filename)
    file = _Holes(size)
    wanted, asked = Range(max(0, size - TAIL), size), 0
    while True:
        asked += wanted.stop - wanted.start
        if asked > _MOST_BYTES + max_bytes:
            raise WheelTooLarge("its directory is too large to be read in parts", where=filename)
        data = yield wanted
        if len(data) != wanted.stop - wanted.start:
            raise NotAWheel("fewer bytes came than were asked for", where=filename)
        file.add(wanted, data)
        try:
            return _metadata_in(file, name, max_bytes)
        except _Missing as missing:
            wanted = missing.range
        except _UNREADABLE as error:
            raise NotAWheel(f"the zip cannot be read: {error}", where=filename) from error


def metadata_of_file(path: Path, filename: str, *, max_bytes: int) -> bytes:
    """Return the bytes of METADATA in a wheel on disk.

    :raises WheelError: as :func:`read_metadata`
    """
    name = parse_wheel_filename(filename)
    with path.open("rb") as stream:
        file = _OnDisk(stream, path.stat().st_size, _MOST_BYTES + 2 * max_bytes)
        try:
            return _metadata_in(file, name, max_bytes)
        except _UNREADABLE as error:
            raise NotAWheel(f"the zip cannot be read: {error}", where=filename) from error


def _metadata_in(file: _Holes, name: WheelFilename, max_bytes: int) -> bytes:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    with ZipFile(file) as archive:
        members = [info for info in archive.infolist() if _is_metadata(info, name)]
        if len(members) != 1:
            raise DistInfoMismatch("not exactly one .dist-info of its own", where=name.format())
        if members[0].file_size > max_bytes:
            raise WheelTooLarge(f"METADATA of {members[0].file_size} bytes", where=name.format())
        start = members[0].header_offset
        length = _LOCAL_HEADER + len(members[0].filename) + members[0].compress_size
        file.get(Range(start, min(size, start + length)))  # in one piece, not as a zip is read
        return archive.read(members[0])


def _is_metadata(info: ZipInfo, name: WheelFilename) -> bool:
    match = _MEMBER.fullmatch(info.filename)
    if match is None or canonicalize_name(match[1]) != name.name:
        return False
    try:
        return Version(match[2].replace("_", "-")) == name.version
    except InvalidVersion:
        return False


__all__ = ["Range", "WheelError", "metadata_of_file", "read_metadata"]
