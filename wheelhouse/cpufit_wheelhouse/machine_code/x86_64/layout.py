"""What the table generator and the decoder agree on."""

from __future__ import annotations

from pathlib import Path

TABLES_VERSION = 1
TABLES = Path(__file__).parent / "data" / f"tables-{TABLES_VERSION}.npz"

INVALID = 255
"""The class of what no instruction is."""
LOOK = 254
"""In place of a class where an opcode alone does not tell it."""
SLOTS = 72
"""Eight for memory operands (by ModRM.reg), then 64 for register operands (by the low six bits of ModRM)."""

LEGACY, VEX, EVEX, XOP = range(4)
ENCODING_COUNT = 4
MAP_COUNT = 11

# iced-x86's EncodingKind and OpCodeTableKind are plain integers; its order is part of its interface
ENCODINGS = {0: LEGACY, 1: VEX, 2: EVEX, 3: XOP, 4: LEGACY}
MAPS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 5, 5: 6, 6: 8, 7: 9, 8: 10}

(
    IMM_NONE,
    IMM_8,
    IMM_16,
    IMM_16_8,
    IMM_8_8,
    IMM_32,
    IMM_Z,
    IMM_V,
    IMM_OFFSET,
    IMM_GROUP3_8,
    IMM_GROUP3_Z,
) = range(11)
"""Which immediate follows: so many bits; ``Z`` is 32, or 16 with prefix 66; ``V`` is 64 with REX.W, else as ``Z``;
``OFFSET`` is as long as an address; group 3 (F6, F7) has one for TEST alone."""

IMMEDIATE_OF = {
    "IMM8": IMM_8,
    "IMM8SEX16": IMM_8,
    "IMM8SEX32": IMM_8,
    "IMM8SEX64": IMM_8,
    "IMM4_M2Z": IMM_8,
    "XMM_IS4": IMM_8,
    "XMM_IS5": IMM_8,
    "YMM_IS4": IMM_8,
    "YMM_IS5": IMM_8,
    "IMM16": IMM_16,
    "IMM32": IMM_32,
    "IMM32SEX64": IMM_32,
    "IMM64": IMM_V,
    "BR64_1": IMM_8,
    "BR64_4": IMM_32,
    "XBEGIN_2": IMM_16,
    "XBEGIN_4": IMM_Z,
    "MEM_OFFS": IMM_OFFSET,
}
