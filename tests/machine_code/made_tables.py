"""Native libraries whose tables are chosen freely: huge ones, cyclic ones, ones that say what is not so."""

from __future__ import annotations

import struct
from collections.abc import Sequence

PAGE = 0x1000
Segment = tuple[int, int, int, int, int]
"""Type, flags, offset, address, size."""
Section = tuple[int, int, int, int, int, int, int]
"""Offset of the name, type, flags, address, offset, size, link."""


def elf_of(segments: Sequence[Segment], sections: Sequence[Section], body: bytes, names: int = 0) -> bytes:
    """Return an x86-64 ELF file with ``body`` at offset 0x1000 or the next page after the program headers."""
    where = body_offset(len(segments))
    headers = where + len(body)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, headers if sections else 0, 0, 64, 56, len(segments), 64,
        len(sections) if len(sections) < 0x10000 else 0, names,
    )  # fmt: skip
    rows = [
        struct.pack("<IIQQQQQQ", kind, flags, at, address, 0, n, n, PAGE) for kind, flags, at, address, n in segments
    ]
    table = [struct.pack("<IIQQQQIIQQ", *row, 0, 1, 24) for row in sections]
    if len(sections) >= 0x10000:
        table[0] = struct.pack("<IIQQQQIIQQ", 0, 0, 0, 0, 0, len(sections), 0, 0, 0, 0)
    return (head + b"".join(rows)).ljust(where, b"\0") + body + b"".join(table)


def body_offset(segments: int) -> int:
    """Return where the body of such a file begins."""
    return max(PAGE, (64 + 56 * segments + PAGE - 1) // PAGE * PAGE)


def symbols_of(rows: Sequence[tuple[int, int, int, int]]) -> bytes:
    """Return a symbol table of global functions: name, section, value, size."""
    return b"".join(struct.pack("<IBBHQQ", name, 0x12, 0, section, value, size) for name, section, value, size in rows)


def pe_of(
    directories: dict[int, tuple[int, int]], sections: Sequence[tuple[int, int, int, int, int]], body: bytes,
    *, alignment: int = PAGE,
) -> bytes:  # fmt: skip
    """Return an x86-64 DLL with ``body`` at offset 0x1000; sections are address, memory size, offset, size, flags."""
    optional = struct.pack("<HBBIIIIIQII", 0x20B, 14, 0, 0, 0, 0, 0, 0, 0x180000000, alignment, min(alignment, 0x200))
    optional = optional.ljust(108, b"\0") + struct.pack("<I", 16)
    optional += b"".join(struct.pack("<II", *directories.get(number, (0, 0))) for number in range(16))
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, len(optional), 0x2022) + optional
    for address, memory, offset, size, flags in sections:
        head += struct.pack("<8sIIIIIIHHI", b".made", memory, address, size, offset, 0, 0, 0, 0, flags)
    return head.ljust(PAGE, b"\0") + body


def macho_of(commands: Sequence[bytes], body: bytes = b"") -> bytes:
    """Return an x86-64 bundle of load commands, with ``body`` behind them at the next page."""
    joined = b"".join(commands)
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, 0x0100_0007, 3, 8, len(commands), len(joined), 0, 0)
    size = len(head) + len(joined)
    return (head + joined).ljust((size + PAGE - 1) // PAGE * PAGE, b"\0") + body


def macho_segment(
    address: int, offset: int, size: int, sections: Sequence[tuple[int, int, int, int]], protection: int = 5
) -> bytes:
    """Return ``LC_SEGMENT_64``; sections are address, offset, size, flags."""
    rows = b"".join(
        struct.pack("<16s16sQQIIIIIIII", b"__made", b"__TEXT", at, n, where, 0, 0, 0, flags, 0, 0, 0)
        for at, where, n, flags in sections
    )
    return (
        struct.pack("<II16sQQQQIIII", 0x19, 72 + len(rows), b"__TEXT", address, size, offset, size, protection,
                    protection, len(sections), 0) + rows
    )  # fmt: skip
