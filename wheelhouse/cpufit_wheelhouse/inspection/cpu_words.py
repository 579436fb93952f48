"""Words for CPUs in the names of libraries and functions, and the features that such a word promises.

``fuzz_cpp_avx2.so``, ``libggml-cpu-haswell.so`` and ``HUF_compress1X_bmi2`` say for which CPUs they were made. That is
no proof of what is inside, but it tells what is chosen from what: nobody names one of two copies ``avx2`` without a
test before it.
"""

from __future__ import annotations

import re

from cpufit_resolver.features import architecture

_V2, _V3, _V4 = "x86_64_v2", "x86_64_v3", "x86_64_v4"
_SERVERS = (
    r"x86[-_]?64[-_]?v4|skylake[-_]?(?:x|avx512)|skx|icelake(?:[-_]server)?|icl|icx|cascadelake|cooperlake"
    r"|sapphirerapids|spr|cannonlake|zen[45]|znver[45]"
)
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"x86[-_]?64[-_]?v2|nehalem|westmere", (_V2,)),
    (r"x86[-_]?64[-_]?v3|haswell|broadwell|zen[1-3]?|znver[1-3]|alderlake", (_V3,)),
    (_SERVERS, (_V4,)),
    (r"skylake", (_V3,)),
    (r"x86[-_]?64[-_]?v1", ()),
    (r"avx[-_]?512\w*?|knl|knm", ("avx512f",)),
    (r"avx2", ("avx2",)),
    (r"avx|sandybridge|ivybridge|bulldozer|piledriver", ("avx",)),
    (r"sse[-_]?4[-_.]?2", ("sse4_2",)),
    (r"sse[-_]?4a", ("sse4a",)),
    (r"sse[-_]?4[-_.]?1?|penryn", ("sse4_1",)),
    (r"ssse3|core2", ("ssse3",)),
    (r"sse3", ("sse3",)),
    (r"sse2?", ()),
    (r"f16c", ("f16c",)),
    (r"fma4", ("fma4",)),
    (r"fma3?", ("fma",)),
    (r"bmi2", ("bmi2",)),
    (r"popcnt", ("popcnt",)),
    (r"abm|lzcnt", ("abm",)),
    (r"adx", ("adx",)),
    (r"vaes", ("vaes",)),
    (r"aes[-_]?ni", ("aes",)),
    (r"aes", ()),
    (r"p?clmul\w*", ("pclmulqdq",)),
    (r"sha[-_]?ni", ("sha_ni",)),
    (r"gfni", ("gfni",)),
    (r"amx", ("amx_tile",)),
    (r"mc3?", ()),
    (r"neon|asimd|armv8(?:a|[-_.]0)?", ()),
    (r"sve2", ("sve2",)),
    (r"sve", ("sve",)),
    (r"sme", ("sme",)),
    (r"dotprod", ("asimddp",)),
    (r"fp16", ("asimdhp",)),
    (r"i8mm", ("i8mm",)),
    (r"lse|armv8[-_.][1-9][\w.]*|neoverse\w*|graviton\d|apple[-_]?m\d", ("atomics",)),
    (r"armv9[\w.]*", ("sve2",)),
    (r"cortex[-_]?\w+", ()),
)
"""From the particular to the general. MKL's ``mc`` and ``mc3`` are Merom, Nehalem; ``aes`` may be the cipher alone."""

CPU_WORD = "|".join(pattern for pattern, _ in _WORDS)
PLAIN_WORD = (
    r"def|default|generic|basic|serial|cpu|baseline|base|scalar|fallback|noavx\d*|no[-_]?simd|compat|portable|plain|x64"
    r"|x86[-_]?64|c"
)
"""Words for the copy that runs everywhere."""
_ONE_WORD = tuple((re.compile(pattern, re.IGNORECASE), features) for pattern, features in _WORDS)
_IN_NAME = re.compile(rf"(?<![a-z0-9])(?:{CPU_WORD})(?![a-z0-9])", re.IGNORECASE)
# in a function's name only what is set off by an underscore or a dot; a mangled name goes on with capital letters
_IN_FUNCTION = re.compile(rf"[_.](?i:{CPU_WORD})(?![a-z0-9])")
_TWIN = rb"[_.](?:def|default|generic|basic|baseline|base|scalar|fallback|portable|plain|ref|serial|c)(?![a-z0-9_])"


def words_in(name: str) -> tuple[str, ...]:
    """Return the words for CPUs in a file's name."""
    return tuple(_IN_NAME.findall(name))


def promised(name: str, arch: str) -> frozenset[str]:
    """Return the features that the words in a file's name promise of a CPU, beyond the architecture's floor."""
    table = architecture(arch)
    found: frozenset[str] = frozenset()
    for word in words_in(name):
        told = next((features for pattern, features in _ONE_WORD if pattern.fullmatch(word)), ())
        for feature in told:
            level = table.level(feature)
            one = table.canonical(feature)
            found |= level.features if level is not None else frozenset() if one is None else frozenset({one})
    return found - table.floor


def is_for_a_cpu(function: str) -> bool:
    """Tell whether a function's name says for which CPUs it is: ``HUF_compress1X_bmi2``, ``sum_avx2.part.0``."""
    return _IN_FUNCTION.search(function) is not None


def has_twin(function: str, names: bytes) -> bool:
    """Tell whether the same name stands among others with a word for every CPU in place of the word for some.

    :param names: bytes that hold the names, such as the whole file
    """
    found = _IN_FUNCTION.search(function)
    if found is None:
        return False
    stem = function[_beginning(function, found.end()) : found.start()]
    return len(stem) >= 4 and re.search(re.escape(stem.encode()) + _TWIN, names) is not None


def _beginning(function: str, end: int) -> int:
    """Return where the identifier begins in which ``end`` lies.

    Follows the Itanium C++ ABI, "Names": each is written behind its length, which is another one in the twin.
    """
    if not function.startswith("_Z"):
        return 0
    for length in re.finditer(r"[0-9]+", function):
        if length.end() < end <= length.end() + int(length[0][:6]):
            return length.end()
    return 0
