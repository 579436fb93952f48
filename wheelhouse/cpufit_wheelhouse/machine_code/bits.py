"""What one instruction tells, as bits of a 64-bit mask: the features it needs, and marks that the rules look at.

A function's mask is the union of its instructions' masks. Feature names are those of
:mod:`cpufit_resolver.features`; a mark begins with a colon, which no feature's name does.
"""

from __future__ import annotations

from collections.abc import Iterator

LEGACY_VECTOR = ":legacy-vector"
"""An SSE instruction on vector registers without a VEX or EVEX prefix. Code compiled for AVX has next to none."""
VEX_VECTOR = ":vex-vector"
"""A VEX-encoded vector instruction (the scalar ones, BMI's, do not count)."""
EVEX_VECTOR = ":evex-vector"
"""An EVEX-encoded vector instruction."""
CPUID = ":cpuid"
"""CPUID or XGETBV: somebody asks what the CPU has."""
TZCNT = ":tzcnt"
"""TZCNT; compilers write it as ``rep bsf`` for every x86-64, so it tells nothing of BMI1."""
ID_REGISTER = ":id-register"
"""arm64: ``MRS`` of an ``ID_AA64*`` register: somebody asks what the CPU has."""
EXCLUSIVE = ":exclusive"
"""arm64: a load-exclusive or store-exclusive. Code compiled for LSE has next to none, and no out-of-line atomics."""

X86_64_BITS: tuple[str, ...] = (
    LEGACY_VECTOR, VEX_VECTOR, EVEX_VECTOR, CPUID, TZCNT,
    "sse3", "ssse3", "sse4_1", "sse4_2", "sse4a", "popcnt", "cx16", "movbe", "aes", "pclmulqdq", "sha_ni",
    "avx", "avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "adx", "rdrand", "rdseed", "fsgsbase", "xsave", "rtm",
    "avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd", "avx512ifma", "avx512vbmi", "avx512_vbmi2",
    "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq", "avx512_bf16", "avx512_fp16", "avx512_vp2intersect",
    "avx512er", "avx_vnni", "gfni", "vaes", "vpclmulqdq", "fma4", "xop", "tbm", "amx_tile", "amx_int8", "amx_bf16",
    "movdiri", "movdir64b", "waitpkg", "rdpid", "clwb", "serialize", "avx10_1", ":other",
)  # fmt: skip
"""Bit numbers of x86-64, in order. ``:other`` is a rare extension that no token of ours names."""

AARCH64_BITS: tuple[str, ...] = (
    ID_REGISTER,
    "crc32", "aes", "pmull", "sha1", "sha2", "atomics", "asimdrdm", "fphp", "asimdhp", "asimddp", "asimdfhm", "sha3",
    "sha512", "sm3", "sm4", "sve", "sve2", "jscvt", "fcma", "lrcpc", "ilrcpc", "flagm", "flagm2", "frint", "sb",
    "paca", "i8mm", "bf16", "sme", "rng", "mte", "uscat", "dcpop", "dcpodp", "bti", "mops", "lse128", ":other",
    EXCLUSIVE,
)  # fmt: skip
"""Bit numbers of arm64, in order."""

BITS = {"x86_64": X86_64_BITS, "aarch64": AARCH64_BITS}


def bit(arch: str, name: str) -> int:
    """Return the mask with one bit set; ``name`` is a feature or a mark of that architecture."""
    return 1 << BITS[arch].index(name)


def mask_of(arch: str, names: frozenset[str] | set[str] | tuple[str, ...]) -> int:
    """Return the mask of several features or marks."""
    return sum(bit(arch, name) for name in frozenset(names))


def names_of(arch: str, mask: int) -> Iterator[str]:
    """Yield the features and marks of a mask, in bit order."""
    return (name for number, name in enumerate(BITS[arch]) if mask >> number & 1)
