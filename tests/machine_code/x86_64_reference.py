"""What iced-x86 says of instructions, in the decoder's words: the reference that its tests compare with."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from iced_x86 import Code, Decoder

from cpufit_wheelhouse.machine_code.x86_64.generate import instruction_bits


@cache
def bits_of(code: int) -> int:
    return instruction_bits(code)


def decoded(data: bytes) -> tuple[int, int]:
    """Return length and mask of the first instruction; (0, 0) for what is none."""
    instruction = next(iter(Decoder(64, data)))
    if instruction.code == Code.INVALID:
        return 0, 0
    return instruction.len, bits_of(instruction.code)


def all_decoded(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield offset, length and mask of one instruction after the other; length 0 and one byte on after what is none."""
    decoder = Decoder(64, data)
    for instruction in decoder:
        invalid = instruction.code == Code.INVALID
        yield instruction.ip, 0 if invalid else instruction.len, 0 if invalid else bits_of(instruction.code)


def code_of(path: Path, limit: int = 1 << 21) -> bytes:
    """Return the beginning of a library's ``.text``, by its section table; empty for what is no 64-bit ELF."""
    data = path.read_bytes()
    if data[:5] != b"\x7fELF\x02":
        return b""
    (table,) = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    rows = [struct.unpack_from("<IIQQQQ", data, table + i * size) for i in range(count)]
    strings = rows[names][4] if rows else 0
    for name, _, _, _, offset, length in rows:
        if data[strings + name : strings + name + 6] == b".text\0":
            return data[offset : offset + min(length, limit)]
    return b""
