"""Copying a zip with a few members changed, and every other member's compressed bytes as they are.

The result depends on the source and the changes alone: new members are stored without compression, because deflate's
output differs between versions of zlib, and are dated 1980-01-01, the first day that a zip can hold. Nothing is read
into memory but one piece of one member at a time, and the target is written from front to back.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol
from zipfile import ZipFile, ZipInfo

from . import framing

_CENTRAL = struct.Struct("<4s4B4H3L5H2L")
_CHUNK = 1 << 20
_LIMIT32 = 0xFFFFFFFF
_LIMIT16 = 0xFFFF
_UNIX = 3
_PLAIN_FILE = 0o100644 << 16
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
_LEVEL_FLAGS = 0x6
"""How hard deflate tried: of no use, and kept as it is."""


class Writable(Protocol):
    """Where bytes can be written, one piece behind the other."""

    def write(self, data: bytes, /) -> object:
        """Take these bytes."""


def _same(name: str) -> str:
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is to be different in the copy."""

    contents: Mapping[str, bytes]
    """Members with new bytes, by their names in the copy; those that the source has not are added."""
    last: str
    """Which of ``contents`` is written last: RECORD."""
    rename: Callable[[str], str] = field(default=_same)
    """The name in the copy for a name in the source; asked for folders too, whose names end with a slash."""
    dropped: frozenset[str] = frozenset()
    """Members, by their names in the source, that the copy has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One member of the copy, as the zip's directory tells it."""

    name: bytes
    flags: int
    method: int
    date_time: tuple[int, int, int, int, int, int]
    crc: int
    packed: int
    size: int
    create_system: int
    external: int
    offset: int = 0


def rewrite_zip(source: Path, target: Writable, changes: Changes) -> None:
    """Write a copy of a zip, with changes, to a target that need not be seekable.

    Members keep their order; new ones stand before the last. Extra fields and comments, which no wheel needs, are
    left out.

    :raises NotAWheel: the source's records contradict each other
    """
    writer = _Writer(target)
    pending = dict(changes.contents)
    closing = pending.pop(changes.last)
    with source.open("rb") as file, ZipFile(file) as archive:
        infos = archive.infolist()
        directory = framing.find_directory(file, max_members=len(infos), max_bytes=source.stat().st_size)
        # the checks seek in the file that the copy reads, so they come first
        for info, begin in list(framing.data_ranges(file, infos, directory)):
            name = changes.rename(info.orig_filename)
            if info.orig_filename in changes.dropped or name == changes.last:
                continue
            if name in pending:
                writer.add(name, pending.pop(name))
            else:
                writer.copy(file, info, name, begin)
    for name in sorted(pending):
        writer.add(name, pending[name])
    writer.add(changes.last, closing)
    writer.finish()


class _Writer:
    """Writes members one behind the other, then the directory."""

    def __init__(self, target: Writable) -> None:
        self._target = target
        self._position = 0
        self._entries: list[_Entry] = []

    def add(self, name: str, data: bytes) -> None:
        """Write a new member, stored."""
        self._begin(
            _Entry(
                name=name.encode("utf-8"),
                flags=0,
                method=framing.STORED,
                date_time=_FIRST_DAY,
                crc=zlib.crc32(data),
                packed=len(data),
                size=len(data),
                create_system=_UNIX,
                external=_PLAIN_FILE,
                offset=self._position,
            )
        )
        self._write(data)

    def copy(self, file: BinaryIO, info: ZipInfo, name: str, begin: int) -> None:
        """Write a member of the source with its bytes as they are there."""
        self._begin(
            _Entry(
                name=name.encode("utf-8"),
                flags=info.flag_bits & _LEVEL_FLAGS,
                method=info.compress_type,
                date_time=info.date_time,
                crc=info.CRC,
                packed=info.compress_size,
                size=info.file_size,
                create_system=info.create_system,
                external=info.external_attr,
                offset=self._position,
            )
        )
        file.seek(begin)
        left = info.compress_size
        while left:
            data = file.read(min(_CHUNK, left))
            self._write(data)
            left -= len(data)

    def finish(self) -> None:
        """Write the directory and its end."""
        start = self._position
        for entry in self._entries:
            self._write(_central_header(entry))
        self._write(_end(len(self._entries), self._position - start, start))

    def _begin(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._write(_local_header(entry))

    def _write(self, data: bytes) -> None:
        self._target.write(data)
        self._position += len(data)


def _flags(entry: _Entry) -> int:
    return entry.flags | (0 if entry.name.isascii() else framing.FLAG_UTF8)


def _dos_time(moment: tuple[int, int, int, int, int, int]) -> tuple[int, int]:
    year, month, day, hour, minute, second = moment
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _local_header(entry: _Entry) -> bytes:
    large = entry.size >= _LIMIT32 or entry.packed >= _LIMIT32
    # in a local header zip64 has both sizes or none (APPNOTE 4.5.3)
    extra = struct.pack("<2H2Q", framing.EXTRA_ZIP64, 16, entry.size, entry.packed) if large else b""
    header = framing.LOCAL.pack(
        b"PK\x03\x04",
        45 if large else 20,
        _flags(entry),
        entry.method,
        *_dos_time(entry.date_time),
        entry.crc,
        _LIMIT32 if large else entry.packed,
        _LIMIT32 if large else entry.size,
        len(entry.name),
        len(extra),
    )
    return header + entry.name + extra


def _central_header(entry: _Entry) -> bytes:
    large = entry.size >= _LIMIT32 or entry.packed >= _LIMIT32
    values = [entry.size, entry.packed] if large else []
    if entry.offset >= _LIMIT32:
        values.append(entry.offset)
    extra = struct.pack(f"<2H{len(values)}Q", framing.EXTRA_ZIP64, 8 * len(values), *values) if values else b""
    version = 45 if values else 20
    header = _CENTRAL.pack(
        b"PK\x01\x02",
        version,
        entry.create_system,
        version,
        0,
        _flags(entry),
        entry.method,
        *_dos_time(entry.date_time),
        entry.crc,
        _LIMIT32 if large else entry.packed,
        _LIMIT32 if large else entry.size,
        len(entry.name),
        len(extra),
        0,
        0,
        0,
        entry.external,
        min(entry.offset, _LIMIT32),
    )
    return header + entry.name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    records = b""
    if count >= _LIMIT16 or size >= _LIMIT32 or offset >= _LIMIT32:
        records = framing.END64.pack(b"PK\x06\x06", framing.END64.size - 12, 45, 45, 0, 0, count, count, size, offset)
        records += framing.LOCATOR64.pack(b"PK\x06\x07", 0, offset + size, 1)
    short = min(count, _LIMIT16)
    return records + framing.END.pack(b"PK\x05\x06", 0, 0, short, short, min(size, _LIMIT32), min(offset, _LIMIT32), 0)
