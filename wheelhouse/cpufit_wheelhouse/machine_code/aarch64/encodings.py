"""Which arm64 words belong to which extension: rows of (mask, value, bits), from the encoding tables of the Arm ARM.

Source: Arm Architecture Reference Manual (DDI 0487), chapter C4 "A64 instruction set encoding"; the table named in each
row's comment. A word matches a row when ``word & mask == value``. No row matches an instruction of Armv8.0 without
extensions; hint-space instructions (PACIASP, BTI and the like) do nothing on a CPU that does not know them and have no
row.
"""

from __future__ import annotations

from cpufit_wheelhouse.machine_code.bits import EXCLUSIVE, ID_REGISTER

Row = tuple[int, int, tuple[str, ...], str]

ROWS: tuple[Row, ...] = (
    # System register moves: MRS with op0=3, op1=0, CRn=0, CRm 4 to 7 are the ID_AA64* registers
    (0xFFFFFC00, 0xD5380400, (ID_REGISTER,), "mrs of an ID register"),
    (0xFFFFFFE0, 0xD5380000, (ID_REGISTER,), "mrs of MIDR_EL1"),
    (0xFFFFFFC0, 0xD53B2400, ("rng",), "rndr"),
    # System instructions: cache maintenance to the point of persistence
    (0xFFFFFFE0, 0xD50B7C20, ("dcpop",), "dc cvap"),
    (0xFFFFFFE0, 0xD50B7D20, ("dcpodp",), "dc cvadp"),
    # Atomic memory operations: LDADD to SWP
    (0x3F208C00, 0x38200000, ("atomics",), "an LSE atomic"),
    (0x3F20FC00, 0x38208000, ("atomics",), "swp"),
    # Load/store exclusive: a register, a pair; compare and swap
    (0x3FA00000, 0x08000000, (EXCLUSIVE,), "a load or store exclusive"),
    (0xBFA00000, 0x88200000, (EXCLUSIVE,), "a load or store exclusive of a pair"),
    (0x3FA07C00, 0x08A07C00, ("atomics",), "cas"),
    (0xBFA07C00, 0x08207C00, ("atomics",), "casp"),
    # Atomic memory operations on pairs
    (0xFF20FC00, 0x19201000, ("lse128",), "ldclrp"),
    (0xFF20FC00, 0x19203000, ("lse128",), "ldsetp"),
    (0xFF20FC00, 0x19208000, ("lse128",), "swpp"),
    # Load acquire RCpc (LDAPR), and with an unscaled offset
    (0x3FFFFC00, 0x38BFC000, ("lrcpc",), "ldapr"),
    (0x3F200C00, 0x19000000, ("ilrcpc",), "ldapur"),
    # Data processing, two sources: CRC32
    (0x7FE0F000, 0x1AC04000, ("crc32",), "crc32"),
    (0x7FE0F000, 0x1AC05000, ("crc32",), "crc32c"),
    # Pointer authentication outside the hint space: data processing one source, branches, loads
    (0xFFFF8000, 0xDAC10000, ("paca",), "a pointer authentication"),
    (0xFFE0FC00, 0x9AC03000, ("paca",), "pacga"),
    (0xFE1FF800, 0xD61F0800, ("paca",), "an authenticated branch"),
    (0xFF200400, 0xF8200400, ("paca",), "ldraa"),
    # Cryptographic AES, three-register SHA, two-register SHA
    (0xFFFE0C00, 0x4E280800, ("aes",), "aes"),
    (0xFFE0CC00, 0x5E000000, ("sha1",), "sha1"),
    (0xFFE0CC00, 0x5E004000, ("sha2",), "sha256"),
    (0xFFFFFC00, 0x5E280800, ("sha1",), "sha1h"),
    (0xFFFFFC00, 0x5E281800, ("sha1",), "sha1su1"),
    (0xFFFFFC00, 0x5E282800, ("sha2",), "sha256su0"),
    # Advanced SIMD three different: PMULL on 64 bits
    (0xBFE0FC00, 0x0EE0E000, ("pmull",), "pmull"),
    # Cryptographic three-register SHA-512, four-register, XAR
    (0xFFE0F800, 0xCE608000, ("sha512",), "sha512h"),
    (0xFFE0FC00, 0xCE608800, ("sha512",), "sha512su1"),
    (0xFFFFFC00, 0xCEC08000, ("sha512",), "sha512su0"),
    (0xFFC08000, 0xCE000000, ("sha3",), "eor3"),
    (0xFFE00000, 0xCE800000, ("sha3",), "xar"),
    (0xFFE0FC00, 0xCE608C00, ("sha3",), "rax1"),
    (0xFFE08000, 0xCE400000, ("sm3",), "sm3ss1"),
    (0xFFE0C000, 0xCE408000, ("sm3",), "sm3tt"),
    (0xFFE0F800, 0xCE60C000, ("sm3",), "sm3partw"),
    (0xFFE0FC00, 0xCE60C800, ("sm4",), "sm4ekey"),
    (0xFFFFFC00, 0xCEC08400, ("sm4",), "sm4e"),
    # Advanced SIMD three same extra: SQRDMLAH, SDOT, USDOT, FCMLA, FCADD, matrix multiply, BF16
    (0x9F20FC00, 0x0E008400, ("asimdrdm",), "sqrdmlah"),
    (0x9F20FC00, 0x0E008C00, ("asimdrdm",), "sqrdmlsh"),
    (0xBF20FC00, 0x2E008400, ("asimdrdm",), "sqrdmlah"),
    (0xBF20FC00, 0x2E008C00, ("asimdrdm",), "sqrdmlsh"),
    (0xFF20FC00, 0x7E008400, ("asimdrdm",), "sqrdmlah"),
    (0xFF20FC00, 0x7E008C00, ("asimdrdm",), "sqrdmlsh"),
    (0x9FE0FC00, 0x0E809400, ("asimddp",), "sdot"),
    (0x9FC0F400, 0x0F80E000, ("asimddp",), "sdot"),
    (0xBF00D400, 0x2F00D000, ("asimdrdm",), "sqrdmlah"),
    (0xFF00D400, 0x7F00D000, ("asimdrdm",), "sqrdmlah"),
    (0xBFE0FC00, 0x0E809C00, ("i8mm",), "usdot"),
    (0xBFC0F400, 0x0F80F000, ("i8mm",), "usdot"),
    (0xBFC0F400, 0x0F00F000, ("i8mm",), "sudot"),
    (0xFFE0FC00, 0x4E80A400, ("i8mm",), "smmla"),
    (0xFFE0FC00, 0x6E80A400, ("i8mm",), "ummla"),
    (0xFFE0FC00, 0x4E80AC00, ("i8mm",), "usmmla"),
    (0xBF20E400, 0x2E00C400, ("fcma",), "fcmla"),
    (0xBF20EC00, 0x2E00E400, ("fcma",), "fcadd"),
    (0xBF009400, 0x2F001000, ("fcma",), "fcmla"),
    (0xBFE0FC00, 0x2E40FC00, ("bf16",), "bfdot"),
    (0xBFC0F400, 0x0F40F000, ("bf16",), "bfdot"),
    (0xBFC0F400, 0x0FC0F000, ("bf16",), "bfmlal"),
    (0xFFE0FC00, 0x6E40EC00, ("bf16",), "bfmmla"),
    (0xBFE0FC00, 0x2EC0FC00, ("bf16",), "bfmlal"),
    (0xBFFFFC00, 0x0EA16800, ("bf16",), "bfcvtn"),
    (0xFFFFFC00, 0x1E634000, ("bf16",), "bfcvt"),
    # Advanced SIMD three same (FP16), two-register miscellaneous (FP16)
    (0x9F60C400, 0x0E400400, ("asimdhp",), "a half-precision vector instruction"),
    (0x9F7E0C00, 0x0E780800, ("asimdhp",), "a half-precision vector instruction"),
    # The same by element, across lanes, modified immediate, shift by immediate
    (0xBFC0B400, 0x0F001000, ("asimdhp",), "a half-precision vector instruction"),
    (0x9FC0F400, 0x0F009000, ("asimdhp",), "a half-precision vector instruction"),
    (0xBF7FFC00, 0x0E30C800, ("asimdhp",), "a half-precision vector instruction"),
    (0xBF7FFC00, 0x0E30F800, ("asimdhp",), "a half-precision vector instruction"),
    (0xBFF8FC00, 0x0F00FC00, ("asimdhp",), "a half-precision vector instruction"),
    (0x9F70FC00, 0x0F10E400, ("asimdhp",), "a half-precision vector instruction"),
    (0x9F70FC00, 0x0F10FC00, ("asimdhp",), "a half-precision vector instruction"),
    # Advanced SIMD scalar: three same, two-register miscellaneous, pairwise, by element, shift by immediate
    (0xDF60C400, 0x5E400400, ("fphp", "asimdhp"), "a half-precision instruction"),
    (0xDF7E0C00, 0x5E780800, ("fphp", "asimdhp"), "a half-precision instruction"),
    (0xFF7FCC00, 0x5E30C800, ("fphp", "asimdhp"), "a half-precision instruction"),
    (0xFFC0B400, 0x5F001000, ("fphp", "asimdhp"), "a half-precision instruction"),
    (0xDFC0F400, 0x5F009000, ("fphp", "asimdhp"), "a half-precision instruction"),
    (0xDF70FC00, 0x5F10E400, ("fphp", "asimdhp"), "a half-precision instruction"),
    (0xDF70FC00, 0x5F10FC00, ("fphp", "asimdhp"), "a half-precision instruction"),
    # Advanced SIMD three same: FMLAL on halves
    (0xBF60FC00, 0x0E20EC00, ("asimdfhm",), "fmlal"),
    (0xBF60FC00, 0x2E20CC00, ("asimdfhm",), "fmlal2"),
    (0xBFC0B400, 0x0F800000, ("asimdfhm",), "fmlal"),
    (0xBFC0B400, 0x2F808000, ("asimdfhm",), "fmlal2"),
    # Floating-point data processing with type 3 (half): one source but for FCVT, which every CPU has; two and three
    # sources, compare, immediate
    (0xFFFE7C00, 0x1EE04000, ("fphp",), "a half-precision instruction"),
    (0xFFFC7C00, 0x1EE44000, ("fphp",), "a half-precision instruction"),
    (0xFFE00C00, 0x1EE00800, ("fphp",), "a half-precision instruction"),
    (0xFFE00C00, 0x1EE00400, ("fphp",), "a half-precision instruction"),
    (0xFFE00C00, 0x1EE00C00, ("fphp",), "a half-precision instruction"),
    (0xFFE01C00, 0x1EE01000, ("fphp",), "a half-precision instruction"),
    (0xFFE0FC07, 0x1EE02000, ("fphp",), "a half-precision instruction"),
    (0xFFC00000, 0x1FC00000, ("fphp",), "a half-precision instruction"),
    # Conversion between floating-point and integer: JavaScript, half
    (0xFFFFFC00, 0x1E7E0000, ("jscvt",), "fjcvtzs"),
    (0x7FE0FC00, 0x1EE00000, ("fphp",), "a half-precision conversion"),
    (0x7FE00000, 0x1EC00000, ("fphp",), "a half-precision conversion"),
    # FRINT32/64
    (0xFFFE7C00, 0x1E284000, ("frint",), "frint32"),
    (0xFFFE7C00, 0x1E684000, ("frint",), "frint64"),
    (0x9FBFEC00, 0x0E21E800, ("frint",), "frint of vectors"),
    # Flag manipulation
    (0xFFFFFFFF, 0xD500405F, ("flagm2",), "axflag"),
    (0xFFFFFFFF, 0xD500403F, ("flagm2",), "xaflag"),
    (0xFFFFFFFF, 0xD500401F, ("flagm",), "cfinv"),
    (0xFFE07C10, 0xBA000400, ("flagm",), "rmif"),
    (0xFFFFBC1F, 0x3A00080D, ("flagm",), "setf"),
    (0xFFFFFFFF, 0xD50330FF, ("sb",), "sb"),
    # Memory copy and set
    (0x3B200C00, 0x19000400, ("mops",), "cpy"),
    # Memory tagging
    (0xDFE0FC00, 0x9AC00000, ("mte",), "subp"),
    (0xFFE0F800, 0x9AC01000, ("mte",), "irg"),
    (0xBFC0C000, 0x91800000, ("mte",), "addg"),
    (0xFF200000, 0xD9200000, ("mte",), "stg"),
    (0xFE400000, 0x68000000, ("mte",), "stgp"),
    # Without a name here: CSSC, ordered loads and stores of limited regions, 64-byte stores, transactions
    (0x7FF00000, 0x11C00000, (":other",), "a minimum or maximum"),
    (0x7FE0F000, 0x1AC06000, (":other",), "a minimum or maximum"),
    (0x7FFFF800, 0x5AC01800, (":other",), "a bit count"),
    (0x7FFFFC00, 0x5AC02000, (":other",), "abs"),
    (0x3FA08000, 0x08800000, (":other",), "ldlar"),
    (0xFFE0CC00, 0xF8208000, (":other",), "st64b"),
    # SVE: the whole of op0 0010; what came with SVE2 is below, by the tables of "SVE encodings" in the same order
    (0x1E000000, 0x04000000, ("sve",), "an SVE instruction"),
    # Multiplication and bitwise operations of three vectors, shifts by immediate
    (0xFF20F000, 0x04206000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F800, 0x04207000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F800, 0x04203800, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20FC00, 0x04203400, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF3EE000, 0x04068000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF3EE000, 0x040C8000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF3FE000, 0x040F8000, ("sve", "sve2"), "an SVE2 instruction"),
    # Permutations from two registers
    (0xFFE0E000, 0x05600000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F800, 0x05202800, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF3FE000, 0x052D8000, ("sve", "sve2"), "an SVE2 instruction"),
    # WHILE counting down, and for pointers that conflict
    (0xFF20E400, 0x25200000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20FC00, 0x25203000, ("sve", "sve2"), "an SVE2 instruction"),
    # Integer multiply-add: of vectors, predicated, by element
    (0xFF20F800, 0x44000800, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F000, 0x44001000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20E000, 0x44002000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20E000, 0x44004000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F000, 0x44006000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F800, 0x44007000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20C000, 0x44008000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F800, 0x44200800, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F800, 0x44201000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20E000, 0x44202000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20C000, 0x44204000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF208000, 0x44208000, ("sve", "sve2"), "an SVE2 instruction"),
    # Widening and narrowing, interleaved, accumulating; matching, histograms, cryptography
    (0xFF208000, 0x45000000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F000, 0x45008000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20F800, 0x45009000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20E000, 0x4500A000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF20C000, 0x4500C000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF200000, 0x45200000, ("sve", "sve2"), "an SVE2 instruction"),
    # Floating point: odd conversions, pairs, FMLAL, FLOGB
    (0xFFFFE000, 0x640AA000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFFFEE000, 0x6488A000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFFFEE000, 0x64CAA000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFF38E000, 0x64108000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFFE0D800, 0x64A08000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFFE0D000, 0x64A04000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFFF9E000, 0x6518A000, ("sve", "sve2"), "an SVE2 instruction"),
    # Loads and stores past the caches at gathered addresses
    (0xFE60C000, 0x84008000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFE60A000, 0xC4008000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFE60E000, 0xE4002000, ("sve", "sve2"), "an SVE2 instruction"),
    (0xFE60E000, 0xE4402000, ("sve", "sve2"), "an SVE2 instruction"),
    # Matrix multiplication and BF16 in SVE registers
    (0xFF20FC00, 0x45009800, ("sve", "i8mm"), "smmla"),
    (0xFFE0FC00, 0x44807800, ("sve", "i8mm"), "usdot"),
    (0xFFE0F800, 0x44A01800, ("sve", "i8mm"), "usdot"),
    (0xFFE0FC00, 0x64608000, ("sve", "bf16"), "bfdot"),
    (0xFFE0FC00, 0x64604000, ("sve", "bf16"), "bfdot"),
    (0xFFE0FC00, 0x6460E400, ("sve", "bf16"), "bfmmla"),
    (0xFFE0F800, 0x64E08000, ("sve", "bf16"), "bfmlal"),
    (0xFFE0F000, 0x64E04000, ("sve", "bf16"), "bfmlal"),
    (0xFFFFE000, 0x658AA000, ("sve", "bf16"), "bfcvt"),
    (0xFFFFE000, 0x648AA000, ("sve", "bf16"), "bfcvtnt"),
    # SME: op0 0000 with the top bit
    (0x9E000000, 0x80000000, ("sme",), "an SME instruction"),
    (0xFFFFF8FF, 0xD503407F, ("sme",), "smstart"),
    (0xFFFFF800, 0x04BF5800, ("sme",), "rdsvl"),
    (0xFFA0F800, 0x04205800, ("sme",), "addsvl"),
    (0xFFFFE000, 0x052E8000, ("sme",), "revd"),
    (0xFF20C000, 0x25204000, ("sme",), "psel"),
    (0xFF20F800, 0x4400C000, ("sme",), "sclamp"),
)


def is_unallocated(top_bits: int) -> bool:
    """Tell whether op0 (bits 28 to 25) of a word is in a group that the architecture leaves free."""
    return top_bits in (0b0001, 0b0011)
