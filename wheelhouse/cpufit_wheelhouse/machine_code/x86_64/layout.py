"""What the table generator and the decoder agree on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

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

IMM_LAST = IMM_GROUP3_Z


def immediate_lengths() -> npt.NDArray[np.uint8]:
    """Return how many bytes an immediate has, by kind, operand-size prefix, W and address-size prefix.

    The index is ``kind << 3 | prefix 66 << 2 | W << 1 | prefix 67``. Those that depend on more than that have 0 here.
    """
    lengths = np.zeros((IMM_LAST + 1) << 3, np.uint8)
    for low in range(8):
        small, wide, address32 = low >> 2 & 1, low >> 1 & 1, low & 1
        size_z = 2 if small and not wide else 4
        sizes = {IMM_8: 1, IMM_16: 2, IMM_16_8: 3, IMM_32: 4, IMM_Z: size_z, IMM_V: 8 if wide else size_z}
        sizes[IMM_OFFSET] = 4 if address32 else 8
        for kind, size in sizes.items():
            lengths[kind << 3 | low] = size
    return lengths


def plain_opcodes(forms: npt.NDArray[np.uint16], kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    """Return, for each opcode byte, what the short way of decoding needs; 0 where the long one is needed.

    The second half is for the byte behind 0x0F. Bit 0: a ModRM byte follows; bits 1 to 4: the length of the immediate;
    the high byte: the class. Bit 7 is set, so that nothing that is plain is 0.
    """
    lengths = immediate_lengths()
    plain = np.zeros(512, np.uint16)
    # further maps, 3DNow!, and the moves of control registers, whose ModRM.mod says nothing
    special = {0x138, 0x13A, 0x10F, *range(0x120, 0x124)}
    for opcode in range(512):
        told = int(forms[opcode])
        kind = told >> 1 & 15
        # fixed: as long with REX.W as without; no other prefix comes this way
        fixed = kind not in {IMM_V, IMM_8_8, IMM_GROUP3_8, IMM_GROUP3_Z}
        alone = kinds[opcode] == 1 if opcode < 256 else opcode not in special
        if alone and told >> 8 < LOOK and fixed:
            plain[opcode] = (told & 0xFF00) | 0x80 | int(lengths[kind << 3]) << 1 | (told & 1)
    return plain


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
