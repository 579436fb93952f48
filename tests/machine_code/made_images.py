"""Small native libraries made byte by byte: one code section, one function, as little around it as a loader takes."""

from __future__ import annotations

import struct

CODE = bytes.fromhex("c5fd6fc1 c5fdfec2 c3".replace(" ", ""))
"""``vmovdqa ymm0, ymm1; vpaddd ymm0, ymm0, ymm2; ret``: a function that needs AVX2."""
ARM_CODE = bytes.fromhex("0080228b c0035fd6".replace(" ", ""))
BASE = 0x1000


def elf(code: bytes = CODE, *, machine: int = 62, sections: bool = True, symbol: bytes = b"PyInit_made") -> bytes:
    """Return a shared object with a ``.text``, one function's symbol, and section headers where they are wanted."""
    strings = b"\0" + symbol + b"\0"
    names = b"\0.text\0.dynsym\0.dynstr\0.shstrtab\0"
    symbols = bytes(24) + struct.pack("<IBBHQQ", 1, 0x12, 0, 1, BASE, len(code))
    text, table = BASE, BASE + (len(code) + 15 & ~15)
    string_table, name_table = table + len(symbols), table + len(symbols) + len(strings)
    headers = name_table + len(names) + 7 & ~7
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, headers if sections else 0, 0, 64, 56, 1, 64, 5, 4)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, headers, headers, 0x1000)
    body = head.ljust(text, b"\0") + code.ljust(table - text, b"\0") + symbols + strings + names
    rows = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (1, 1, 6, text, text, len(code), 0, 0, 16, 0),
        (7, 11, 2, table, table, len(symbols), 3, 1, 8, 24),
        (15, 3, 2, string_table, string_table, len(strings), 0, 0, 1, 0),
        (23, 3, 2, name_table, name_table, len(names), 0, 0, 1, 0),
    ]
    table_bytes = b"".join(struct.pack("<IIQQQQIIQQ", *row) for row in rows)
    return body.ljust(headers, b"\0") + (table_bytes if sections else b"")


def pe(code: bytes = CODE, *, machine: int = 0x8664) -> bytes:
    """Return a DLL with ``.text`` and ``.pdata``, the exception table that names its one function."""
    table = struct.pack("<III", BASE, BASE + len(code), 0)
    directories = [(0, 0)] * 3 + [(0x2000, len(table))] + [(0, 0)] * 12
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0x200, 0x200, 0, BASE, BASE)
    optional += struct.pack("<QIIHHHHHHIIIIHHQQQQII", 0x180000000, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, 0x3000, 0x200, 0,
                            2, 0, 1 << 20, 1 << 12, 1 << 20, 1 << 12, 0, 16)  # fmt: skip
    optional += b"".join(struct.pack("<II", *one) for one in directories)
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0"
    head += struct.pack("<HHIIIHH", machine, 2, 0, 0, 0, len(optional), 0x2022) + optional
    rows = ((b".text", len(code), BASE, 0x200, 0x400, 0x60000020), (b".pdata", len(table), 0x2000, 0x200, 0x600, 0x40))
    for name, size, address, raw_size, offset, flags in rows:
        head += struct.pack("<8sIIIIIIHHI", name, size, address, raw_size, offset, 0, 0, 0, 0, flags)
    return head.ljust(0x400, b"\0") + code.ljust(0x200, b"\xcc") + table.ljust(0x200, b"\0")


def macho(code: bytes = CODE, *, cpu: int = 0x0100_0007, subtype: int = 3) -> bytes:
    """Return a bundle with a ``__TEXT,__text`` and ``LC_FUNCTION_STARTS``."""
    starts = b"\x80\x20\0"  # 0x1000 after the beginning of __TEXT
    section = struct.pack(
        "<16s16sQQIIIIIIII", b"__text", b"__TEXT", BASE, len(code), BASE, 4, 0, 0, 0x8000_0400, 0, 0, 0
    )
    size = BASE + (len(code) + 15 & ~15)
    segment = struct.pack("<II16sQQQQIIII", 0x19, 152, b"__TEXT", 0, size, 0, size, 5, 5, 1, 0) + section
    function_starts = struct.pack("<IIII", 0x26, 16, size, len(starts))
    head = struct.pack("<IIIIIIII", 0xFEEDFACF, cpu, subtype, 8, 2, len(segment) + 16, 0, 0)
    return (head + segment + function_starts).ljust(BASE, b"\0") + code.ljust(size - BASE, b"\x90") + starts


def universal(*parts: tuple[int, bytes]) -> bytes:
    """Return a universal binary of parts, each with its CPU type."""
    head, body, position = struct.pack(">II", 0xCAFEBABE, len(parts)), b"", 0x1000
    for cpu, data in parts:
        head += struct.pack(">IIIII", cpu, 3, position, len(data), 12)
        padded = data.ljust(len(data) + 0xFFF & ~0xFFF, b"\0")
        body, position = body + padded, position + len(padded)
    return head.ljust(0x1000, b"\0") + body


MADE = {
    "elf": elf(),
    "elf-stripped": elf(sections=False),
    "elf-arm64": elf(ARM_CODE, machine=183),
    "pe": pe(),
    "pe-arm64": pe(ARM_CODE, machine=0xAA64),
    "macho": macho(),
    "macho-arm64": macho(ARM_CODE, cpu=0x0100_000C, subtype=0),
    "universal": universal((0x0100_0007, macho()), (0x0100_000C, macho(ARM_CODE, cpu=0x0100_000C, subtype=0))),
}
