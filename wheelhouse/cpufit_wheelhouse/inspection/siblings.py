"""Siblings: libraries that differ by the CPU they were made for, of which something outside them takes one.

rapidfuzz ships ``fuzz_cpp.so`` and ``fuzz_cpp_avx2.so`` and chooses in Python; others load ``libggml-cpu-haswell.so``
by name, or let glibc choose from ``glibc-hwcaps/x86-64-v3``. Such a family needs what its least demanding member needs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_ISA = (
    r"x86[-_]?64[-_]?v[1-4]|avx[-_]?512\w*?|avx2|avx|sse[-_]?4[-_.]?[12a]?|s?sse[23]?|f16c|fma[34]?|bmi2|popcnt"
    r"|haswell|broadwell|skylake(?:[-_]?(?:x|avx512))?|skx|icelake(?:[-_]server)?|icl|icx|cascadelake|cooperlake"
    r"|sapphirerapids|spr|alderlake|cannonlake|sandybridge|ivybridge|nehalem|westmere|core2|penryn|piledriver"
    r"|bulldozer|zen[1-5]?|znver[1-5]|knl|knm|mc3?|amx"
    r"|aes[-_]?ni|aes|p?clmul\w*|sha[-_]?ni|vaes|gfni|adx|abm|lzcnt"
    r"|neon|asimd|sve2?|sme|dotprod|fp16|i8mm|lse|armv[89][\w.]*|cortex[-_]?\w+|neoverse\w*|graviton\d|apple[-_]?m\d"
)
_PLAIN = (
    r"def|default|generic|basic|cpu|baseline|base|scalar|fallback|noavx\d*|no[-_]?simd|compat|portable|plain|x64"
    r"|x86[-_]?64|c"
)
_GPU = r"cuda[\d_]*|cu\d+|rocm[\d_]*|hip|metal|vulkan|opencl|sycl"
_TOKEN = re.compile(rf"(?<![a-z0-9])(?:{_ISA}|{_GPU})(?![a-z0-9])", re.IGNORECASE)
_GPU_TOKEN = re.compile(rf"(?<![a-z0-9])(?:{_GPU})(?![a-z0-9])", re.IGNORECASE)
_ISA_TOKEN = re.compile(rf"(?<![a-z0-9])(?:{_ISA})(?![a-z0-9])", re.IGNORECASE)
_PLAIN_TOKEN = re.compile(rf"(?<![a-z0-9])(?:{_PLAIN})(?![a-z0-9])", re.IGNORECASE)
_HWCAPS = re.compile(r"(?:^|/)glibc-hwcaps/[^/]+/")
_HASH = re.compile(r"-[0-9a-f]{8}(?=\.so|\.dylib|\.dll|$)")
"""What auditwheel and delocate put into the names of the libraries that they bring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Libraries of which one is chosen at run time."""

    key: str
    members: tuple[str, ...]
    """Sorted."""


def families(libraries: Iterable[str]) -> tuple[Family, ...]:
    """Return the families among a wheel's libraries: at least two names that differ by a word for a CPU alone.

    :param libraries: members' names in the wheel
    """
    groups: dict[str, set[str]] = {}
    marked: set[str] = set()
    names = sorted(set(libraries))
    for name in names:
        key, is_marked = _key(name)
        groups.setdefault(key, set()).add(name)
        if is_marked:
            marked.add(name)
    return tuple(
        Family(key=key, members=tuple(sorted(members)))
        for key, members in sorted(groups.items())
        if len(members) > 1 and members & marked
    )


def names_a_cpu(library: str) -> bool:
    """Tell whether a library's own name says for which CPU it is (``_raw_aesni.so``, ``_sha256_shani.so``)."""
    stem = _HASH.sub("", library.rpartition("/")[2]).partition(".")[0]
    return bool(_ISA_TOKEN.search(stem))


def least_demanding(family: Family, needs: Mapping[str, frozenset[str]]) -> str:
    """Return the member that runs on most CPUs: whose need is within the most others' needs, then the smallest.

    One made for a graphics processor does not count beside one that is not.
    """
    known = [name for name in family.members if name in needs]
    members = [name for name in known if not _GPU_TOKEN.search(name)] or known
    return min(
        members, key=lambda name: (-sum(needs[name] <= needs[other] for other in members), len(needs[name]), name)
    )


def _key(name: str) -> tuple[str, bool]:
    plain = _HASH.sub("", _HWCAPS.sub("/", f"/{name}"))
    marked = bool(_HWCAPS.search(name))
    folder, _, leaf = plain.rpartition("/")
    stem, dot, rest = leaf.partition(".")
    # a version or an ABI tag behind the first dot says x86_64 on every platform: only the stem and the folders tell
    folder, in_folder = _TOKEN.subn("*", folder)
    stem, in_stem = _TOKEN.subn("*", stem)
    stem = _PLAIN_TOKEN.sub("*", stem)
    folder = posixpath.normpath(_PLAIN_TOKEN.sub("*", folder).replace("/*", "") or "/")
    stem = re.sub(r"(?:[-_.]*\*)+", "", stem)
    return f"{folder}/{stem}{dot}{rest}", marked or bool(in_folder or in_stem)
