"""Where each feature's bit stands, by the names of :mod:`cpufit_resolver.features`: CPUID, HWCAP, sysctl, Windows.

Sources: Intel 64 and IA-32 Architectures SDM vol. 2A, CPUID; AMD64 Architecture Programmer's Manual vol. 3, appendix
E; glibc ``sysdeps/x86/bits/platform/x86.h``; Linux ``arch/arm64/include/uapi/asm/hwcap.h``; Apple "Determining
instruction set characteristics"; Microsoft ``IsProcessorFeaturePresent``.
"""

from __future__ import annotations

EAX, EBX, ECX, EDX = range(4)

CPUID_BITS = {
    (0x1, 0, ECX): {
        "sse3": 0, "pclmulqdq": 1, "ssse3": 9, "fma": 12, "cx16": 13, "sse4_1": 19, "sse4_2": 20, "movbe": 22,
        "popcnt": 23, "aes": 25, "xsave": 26, "avx": 28, "f16c": 29, "rdrand": 30,
    },
    (0x1, 0, EDX): {"fpu": 0, "cx8": 8, "cmov": 15, "mmx": 23, "fxsr": 24, "sse": 25, "sse2": 26},
    (0x7, 0, EBX): {
        "fsgsbase": 0, "bmi1": 3, "hle": 4, "avx2": 5, "bmi2": 8, "rtm": 11, "avx512f": 16, "avx512dq": 17,
        "rdseed": 18, "adx": 19, "avx512ifma": 21, "clflushopt": 23, "clwb": 24, "avx512pf": 26, "avx512er": 27,
        "avx512cd": 28, "sha_ni": 29, "avx512bw": 30, "avx512vl": 31,
    },
    (0x7, 0, ECX): {
        "prefetchwt1": 0, "avx512vbmi": 1, "pku": 4, "waitpkg": 5, "avx512_vbmi2": 6, "gfni": 8, "vaes": 9,
        "vpclmulqdq": 10, "avx512_vnni": 11, "avx512_bitalg": 12, "avx512_vpopcntdq": 14, "rdpid": 22,
        "cldemote": 25, "movdiri": 27, "movdir64b": 28,
    },
    (0x7, 0, EDX): {
        "avx512_4vnniw": 2, "avx512_4fmaps": 3, "avx512_vp2intersect": 8, "serialize": 14, "amx_bf16": 22,
        "avx512_fp16": 23, "amx_tile": 24, "amx_int8": 25,
    },
    (0x80000001, 0, ECX): {
        "lahf_lm": 0, "abm": 5, "sse4a": 6, "prefetchw": 8, "xop": 11, "fma4": 16, "tbm": 21, "mwaitx": 29,
    },
    (0x80000001, 0, EDX): {"syscall": 11},
    (0xD, 1, EAX): {"xsaveopt": 0, "xsavec": 1},
    (0x80000008, 0, EBX): {"clzero": 0, "wbnoinvd": 9},
    (0x7, 1, EAX): {"avx_vnni": 4, "avx512_bf16": 5, "avx_ifma": 23},
    (0x7, 1, EDX): {"avx_vnni_int8": 4, "avx_ne_convert": 5},
}  # fmt: skip  # one row of the manuals' tables per line
"""(leaf, subleaf, register) to the bit of each feature. ``pku`` is OSPKE: the bit that says the system turned it on."""

GLIBC_INDEX = {
    (0x1, 0): 0,
    (0x7, 0): 1,
    (0x80000001, 0): 2,
    (0xD, 1): 3,
    (0x80000008, 0): 5,
    (0x7, 1): 6,
}
"""The argument of ``__x86_get_cpuid_feature_leaf`` for each query that matters here."""

OSXSAVE = 1 << 27
"""CPUID.1:ECX: the operating system uses XSAVE; XGETBV may be executed."""
HYPERVISOR = 1 << 31
"""CPUID.1:ECX: reserved on silicon, set by every hypervisor (and by qemu-user)."""

NOT_ACTIVE_IN_EVERY_GLIBC = frozenset(
    {"fpu", "syscall", "clzero", "mwaitx", "fma4", "avx_ifma", "avx_ne_convert", "avx_vnni_int8"}
)
"""Features that glibc calls active never, on AMD's CPUs alone (``fma4``) or only since 2.37 (``avx_*``).

glibc ``sysdeps/x86/cpu-features.c``, ``update_active`` and ``init_cpu_features``.
"""

LEFT_OUT_BY_GLIBC = frozenset({"hle", "rtm"})
"""Features that glibc does not call active on models whose errata turn them off, though CPUID may show them."""

HWCAP2_FSGSBASE = 1 << 1
"""Linux x86 AT_HWCAP2: user code may use RDFSBASE and its like (Documentation/arch/x86/x86_64/fsgs.rst)."""

TILE_STATE = 0x60000
ZMM_STATE = 0xE6
YMM_STATE = 0x6
"""Bits of XCR0 that must all be set (SDM vol. 1, 13.3 and 15.2)."""

X86_REQUIRES = {
    "avx": "xsave", "xsaveopt": "xsave", "xsavec": "xsave",
    "avx2": "avx", "fma": "avx", "f16c": "avx", "fma4": "avx", "xop": "avx", "vaes": "avx", "vpclmulqdq": "avx",
    "avx512f": "avx2", "avx_vnni": "avx2", "avx_ifma": "avx2", "avx_vnni_int8": "avx2", "avx_ne_convert": "avx2",
    "amx_tile": "xsave", "amx_bf16": "amx_tile", "amx_int8": "amx_tile",
}  # fmt: skip  # grouped by what they rest on
"""A feature is of no use without the one it rests on; ``avx512*`` rest on ``avx512f``. Masked machines have holes."""

ARM_HWCAP = (
    "fp", "asimd", "", "aes", "pmull", "sha1", "sha2", "crc32", "atomics", "fphp", "asimdhp", "cpuid", "asimdrdm",
    "jscvt", "fcma", "lrcpc", "dcpop", "sha3", "sm3", "sm4", "asimddp", "sha512", "sve", "asimdfhm", "dit", "uscat",
    "ilrcpc", "flagm", "ssbs", "sb", "paca", "pacg",
)  # fmt: skip  # in the order of the bits
ARM_HWCAP2 = (
    "dcpodp", "sve2", "sveaes", "svepmull", "svebitperm", "svesha3", "svesm4", "flagm2", "frint", "svei8mm",
    "svef32mm", "svef64mm", "svebf16", "i8mm", "bf16", "dgh", "rng", "bti", "mte", "ecv", "", "", "", "sme",
    "", "", "", "", "", "", "", "", "ebf16", "", "", "", "sve2p1", "sme2",
)  # fmt: skip  # in the order of the bits; empty for what no table of ours has

MACOS_X86_STATE = {
    "avx": "hw.optional.avx1_0",
    "avx2": "hw.optional.avx2_0",
    "fma": "hw.optional.fma",
    "f16c": "hw.optional.f16c",
    "avx512f": "hw.optional.avx512f",
    "avx512cd": "hw.optional.avx512cd",
    "avx512dq": "hw.optional.avx512dq",
    "avx512bw": "hw.optional.avx512bw",
    "avx512vl": "hw.optional.avx512vl",
    "avx512ifma": "hw.optional.avx512ifma",
    "avx512vbmi": "hw.optional.avx512vbmi",
}
"""macOS x86-64: what the kernel (or Rosetta) says may be used, beside the CPUID names in ``machdep.cpu``."""

MACOS_X86_NAMES = ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures")

MACOS_X86_SPELLINGS = {
    "rdwrfsgs": "fsgsbase", "clfsopt": "clflushopt", "avx512vnni": "avx512_vnni", "avx512bitalg": "avx512_bitalg",
    "avx512vpopcntdq": "avx512_vpopcntdq", "avx512vbmi2": "avx512_vbmi2", "movdiri64b": "movdir64b",
    "ospke": "pku", "pku": "",
}  # fmt: skip  # a table
"""What xnu (``osfmk/i386/cpuid.c``) spells in its own way. Its ``PKU`` is the CPU's bit, ``OSPKE`` the system's."""

MACOS_ARM = {
    "FEAT_AES": ("aes",), "FEAT_PMULL": ("pmull",), "FEAT_SHA1": ("sha1",), "FEAT_SHA256": ("sha2",),
    "FEAT_SHA3": ("sha3",), "FEAT_SHA512": ("sha512",), "FEAT_LSE": ("atomics",), "FEAT_RDM": ("asimdrdm",),
    "FEAT_CRC32": ("crc32",), "FEAT_DPB": ("dcpop",), "FEAT_DPB2": ("dcpodp",), "FEAT_JSCVT": ("jscvt",),
    "FEAT_FCMA": ("fcma",), "FEAT_LRCPC": ("lrcpc",), "FEAT_LRCPC2": ("ilrcpc",), "FEAT_PAuth": ("paca", "pacg"),
    "FEAT_DotProd": ("asimddp",), "FEAT_DIT": ("dit",), "FEAT_FlagM": ("flagm",), "FEAT_FlagM2": ("flagm2",),
    "FEAT_LSE2": ("uscat",), "FEAT_FRINTTS": ("frint",), "FEAT_SB": ("sb",), "FEAT_SSBS": ("ssbs",),
    "FEAT_BF16": ("bf16",), "FEAT_I8MM": ("i8mm",), "FEAT_FP16": ("fphp", "asimdhp"), "FEAT_FHM": ("asimdfhm",),
    "FEAT_BTI": ("bti",), "FEAT_ECV": ("ecv",), "FEAT_SME": ("sme",), "FEAT_SME2": ("sme2",),
}  # fmt: skip  # a table
"""``hw.optional.arm.*`` to HWCAP names."""

WINDOWS_X86 = {
    3: "mmx", 6: "sse", 10: "sse2", 13: "sse3", 14: "cx16", 17: "xsave", 22: "fsgsbase", 28: "rdrand", 33: "rdpid",
    36: "ssse3", 37: "sse4_1", 38: "sse4_2", 39: "avx", 40: "avx2", 41: "avx512f", 60: "bmi2", 61: "movdir64b",
}  # fmt: skip  # a table
WINDOWS_ARM = {
    30: ("aes", "pmull", "sha1", "sha2"), 31: ("crc32",), 34: ("atomics",), 43: ("asimddp",), 44: ("jscvt",),
    45: ("lrcpc",), 46: ("sve",), 47: ("sve2",), 48: ("sve2p1",), 49: ("sveaes",), 50: ("svepmull",),
    51: ("svebitperm",), 52: ("svebf16",), 55: ("svesha3",), 56: ("svesm4",), 57: ("svei8mm",), 58: ("svef32mm",),
    59: ("svef64mm",), 62: ("uscat",), 64: ("sha3",), 65: ("sha512",), 66: ("i8mm",), 67: ("fphp", "asimdhp"),
    68: ("bf16",), 69: ("ebf16",), 70: ("sme",), 71: ("sme2",),
}  # fmt: skip  # a table
"""Numbers of ``winnt.h`` (``PF_…``); a Windows that does not know one answers no."""
