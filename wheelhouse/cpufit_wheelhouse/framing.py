"""The records of a zip file as they lie on disk, checked so that every tool sees the same members.

:mod:`zipfile` reads the central directory; uv and others read the local headers as they stream. A file in which the
two differ, or that has bytes belonging to no member, shows different wheels to different tools and is refused.
The byte ranges found here let :mod:`.rewrite` copy compressed bytes as they are.

Specification: PKWARE APPNOTE 6.3.10, sections 4.3.7 (local header), 4.3.9 (data descriptor), 4.3.12 (central
directory), 4.3.14 to 4.3.16 (its end), 4.5.3 (zip64).
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from zipfile import ZipInfo

from .errors import NotAWheel, WheelTooLarge

LOCAL = struct.Struct("<4s5H3L2H")
END = struct.Struct("<4s4H2LH")
END64 = struct.Struct("<4sQ2H2L4Q")
LOCATOR64 = struct.Struct("<4sLQL")
FLAG_ENCRYPTED = 0x1 | 0x40 | 0x2000
FLAG_DESCRIPTOR = 0x8
FLAG_UTF8 = 0x800
_FLAGS_KNOWN = 0x6 | FLAG_DESCRIPTOR | FLAG_UTF8 | FLAG_ENCRYPTED
"""How well it was deflated, and the three that are looked at; any other changes how a member is to be read."""
EXTRA_ZIP64 = 0x0001
EXTRA_UNICODE_PATH = 0x7075
DEFLATED = 8
STORED = 0
CHUNK = 1 << 18
"""Bytes of a member read, and unpacked, at once."""

_LEFT = 0xFFFFFFFF
"""The size in a header that leaves it to the zip64 field."""
_LONGEST_COMMENT = 0xFFFF
_DESCRIPTOR_SIGNATURE = b"PK\x07\x08"


@dataclass(frozen=True, slots=True)
class Directory:
    """Where the central directory lies."""

    count: int
    """How many members it has."""
    offset: int
    size: int
    """Bytes."""


def find_directory(file: BinaryIO, *, max_members: int, max_bytes: int) -> Directory:
    """Return where the central directory lies, without reading it.

    :param max_bytes: how large a central directory may be: readers keep it whole in memory
    :raises NotAWheel: there is none, its two end records differ, or the file has bytes before or behind the zip's own
    :raises WheelTooLarge: more members, or a larger directory, than the limits allow
    """
    length = file.seek(0, 2)
    end = _find_end(file, length)
    file.seek(end)
    _, disk, first_disk, here, count, size, offset, _ = END.unpack(file.read(END.size))
    behind = end
    file.seek(max(0, end - LOCATOR64.size))
    locator = file.read(LOCATOR64.size)
    if locator.startswith(b"PK\x06\x07"):
        *large, behind = _read_end64(file, end, locator)
        _check_ends((disk, first_disk, here, count, size, offset), large)
        disk, first_disk, here, count, size, offset = large
    if disk or first_disk or here != count:
        raise NotAWheel("a zip in several parts")
    if count > max_members or size > max_bytes:
        raise WheelTooLarge(f"{count} members, or a directory of {size} bytes", hint=f"at most {max_members} members")
    if offset + size != behind:
        raise NotAWheel("the zip's directory does not end where it says", hint="something stands before or in it")
    return Directory(count=count, offset=offset, size=size)


def _check_ends(short: Sequence[int], large: Sequence[int]) -> None:
    """Hold the two end records together: some tools read the zip64 one only where the other has no room."""
    full = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    if any(small not in (wide, most) for small, wide, most in zip(short, large, full, strict=True)):
        raise NotAWheel("the zip's two end records point to different directories")


def _find_end(file: BinaryIO, length: int) -> int:
    start = max(0, length - END.size - _LONGEST_COMMENT)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + END.size > len(tail):
        raise NotAWheel("not a zip file")
    comment = int(END.unpack_from(tail, at)[7])
    if at + END.size + comment != len(tail):
        raise NotAWheel("bytes stand behind the zip's end, or its end is cut off")
    return start + at


def _read_end64(file: BinaryIO, end: int, locator: bytes) -> tuple[int, int, int, int, int, int, int]:
    _, _, at, disks = LOCATOR64.unpack(locator)
    expected = end - LOCATOR64.size - END64.size
    if at != expected or disks > 1:
        raise NotAWheel("the zip64 end record is not where its locator says")
    file.seek(at)
    signature, record_size, _, _, disk, first_disk, here, count, size, offset = END64.unpack(file.read(END64.size))
    if signature != b"PK\x06\x06" or record_size != END64.size - 12:
        raise NotAWheel("the zip64 end record cannot be read")
    return disk, first_disk, here, count, size, offset, at


def data_ranges(file: BinaryIO, infos: Sequence[ZipInfo], directory: Directory) -> Iterator[tuple[ZipInfo, int]]:
    """Check every local header against the central directory; yield each member with where its bytes begin.

    Members come in the order in which they lie in the file. They must cover it from its first byte to the directory,
    each byte once.

    :raises NotAWheel: a local header and the directory differ, or bytes belong to no member or to two
    """
    if len(infos) != directory.count:
        raise NotAWheel(f"the zip's directory has {len(infos)} members, its end says {directory.count}")
    position = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset != position:
            raise NotAWheel("bytes that belong to no member, or to two", where=ascii(info.orig_filename))
        _check_entry(info)
        begin = _check_local(file, info)
        yield info, begin
        position = begin + info.compress_size
        if info.flag_bits & FLAG_DESCRIPTOR:
            position += _check_descriptor(file, info, position)
    if position != directory.offset:
        raise NotAWheel("bytes between the last member and the zip's directory")


def _check_entry(info: ZipInfo) -> None:
    """Check what the central directory alone says of a member."""
    where = ascii(info.orig_filename)
    if info.comment:
        raise NotAWheel("a comment on a member", where=where)
    if info.volume:
        raise NotAWheel("a member on another disk", where=where)
    if info.flag_bits & ~_FLAGS_KNOWN:
        raise NotAWheel(f"unknown flags {info.flag_bits:#06x}", where=where)
    fields = [value for kind, value in extra_fields(info.extra) if kind == EXTRA_ZIP64]
    # what the field says is what the member has, whichever of its values a tool goes by
    known = [struct.pack("<Q", value) for value in (info.file_size, info.compress_size, info.header_offset)]
    sound = {b"".join(values) for count in (1, 2, 3) for values in itertools.combinations(known, count)}
    if len(fields) > 1 or not sound.issuperset(fields):
        raise NotAWheel("a zip64 field that tools read differently", where=where)


def _check_local(file: BinaryIO, info: ZipInfo) -> int:
    where = ascii(info.orig_filename)
    file.seek(info.header_offset)
    header = file.read(LOCAL.size)
    if len(header) < LOCAL.size or not header.startswith(b"PK\x03\x04"):
        raise NotAWheel("no local header where the zip's directory points", where=where)
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = LOCAL.unpack(header)
    name = file.read(name_length)
    extra = file.read(extra_length)
    if name != info.orig_filename.encode("utf-8" if info.flag_bits & FLAG_UTF8 else "cp437"):
        raise NotAWheel("the local header has another name", where=where)
    described = info.flag_bits & FLAG_DESCRIPTOR
    if method != info.compress_type or (flags & ~0x6) != (info.flag_bits & ~0x6):
        raise NotAWheel("the local header has another method or other flags", where=where)
    if described and method == STORED:
        raise NotAWheel("a stored member whose size stands behind it", where=where)
    if any(kind == EXTRA_UNICODE_PATH for kind, _ in (*extra_fields(extra), *extra_fields(info.extra))):
        raise NotAWheel("a second name in an extra field", where=where)
    size, packed = _zip64_sizes(extra, size, packed, where)
    known = (crc, packed, size)
    if known != (info.CRC, info.compress_size, info.file_size) and not (described and known == (0, 0, 0)):
        raise NotAWheel("the local header has another size or checksum", where=where)
    return info.header_offset + LOCAL.size + len(name) + len(extra)


def unpacked(file: BinaryIO, info: ZipInfo, begin: int) -> Iterator[bytes]:
    """Yield a member's bytes in pieces, and check its size and checksum at the end.

    :mod:`zipfile` ignores what stands behind the end of a deflate stream; a tool that reads the zip as a stream finds
    the next member there.

    :param begin: where its packed bytes begin, from :func:`data_ranges`
    :raises NotAWheel: it is damaged, unpacks to another size, or does not end where its packed bytes do
    :raises zlib.error: its deflate stream is damaged
    """
    file.seek(begin)
    crc = size = 0
    for piece in (_inflated if info.compress_type == DEFLATED else _copied)(file, info):
        crc = zlib.crc32(piece, crc)
        size += len(piece)
        if size > info.file_size:
            break
        yield piece
    where = ascii(info.orig_filename)
    if size != info.file_size:
        found = "more" if size > info.file_size else str(size)
        raise NotAWheel(f"unpacks to {found} bytes, its header says {info.file_size}", where=where)
    if crc != info.CRC:
        raise NotAWheel("the bytes have another CRC-32 than the header says", where=where)


def _copied(file: BinaryIO, info: ZipInfo) -> Iterator[bytes]:
    left = info.compress_size
    while left and (piece := file.read(min(CHUNK, left))):
        left -= len(piece)
        yield piece


def _inflated(file: BinaryIO, info: ZipInfo) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    left, packed = info.compress_size, b""
    while not inflater.eof:
        if not packed:
            packed = file.read(min(CHUNK, left))
            left -= len(packed)
        piece = inflater.decompress(packed, CHUNK)
        if not piece and not packed and not inflater.eof:
            raise NotAWheel("a deflate stream that is cut off", where=ascii(info.orig_filename))
        yield piece
        packed = inflater.unconsumed_tail
    if left or inflater.unused_data:
        raise NotAWheel("bytes behind the end of a deflate stream", where=ascii(info.orig_filename))


def _zip64_sizes(extra: bytes, size: int, packed: int, where: str) -> tuple[int, int]:
    """Return the sizes that a local header gives: its own, or those of its zip64 field.

    A tool takes the field's sizes where it finds the field, another one where the header has no room. So the field is
    one, has both sizes and nothing else, and the header leaves both to it.
    """
    fields = [value for kind, value in extra_fields(extra) if kind == EXTRA_ZIP64]
    if not fields:
        return size, packed
    if len(fields) > 1 or len(fields[0]) != 16 or (size, packed) != (_LEFT, _LEFT):
        raise NotAWheel("a zip64 field that tools read differently", where=where)
    large_size, large_packed = struct.unpack("<2Q", fields[0])
    return large_size, large_packed


def extra_fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the extra fields of a header: kind and value.

    :raises NotAWheel: one of them reaches beyond the end
    """
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        at += 4 + length
        if at > len(extra):
            raise NotAWheel("an extra field of a member is cut off")
        yield kind, extra[at - length : at]


def _check_descriptor(file: BinaryIO, info: ZipInfo, position: int) -> int:
    file.seek(position)
    found = file.read(24)
    for sizes in ("<3L", "<L2Q"):
        plain = struct.Struct(sizes)
        try:
            expected = plain.pack(info.CRC, info.compress_size, info.file_size)
        except struct.error:  # too large for 32 bits, so only the second form can be there
            continue
        for form in (_DESCRIPTOR_SIGNATURE + expected, expected):
            if found.startswith(form):
                return len(form)
    raise NotAWheel("the data descriptor does not match the zip's directory", where=ascii(info.orig_filename))
