"""The rules by which facts become needs: each a pure function from facts to evidence, each with its own tests.

What makes it hard is that most libraries hold code for CPUs better than they need, chosen at run time. The rules tell
which code is chosen and which is not. :data:`~.verdict.RULES_VERSION` grows whenever one of them changes.

Thresholds were set on measured wheels (docs/explanation/how-a-wheel-is-judged.md) and lie in the middle of wide gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cpufit_resolver.features import architecture

from .facts import BUCKETS, LibraryFacts
from .verdict import Evidence

LEGACY_SHARE = 0.20
"""A library compiled for AVX has fewer vector functions than this with SSE encodings; one that dispatches has more."""
VECTOR_FUNCTIONS = 30
"""How many vector functions make that share mean something."""
SPREAD = 0.40
"""A feature in at least this share of a library's parts comes from its compiler's flags, not from a few kernels."""
SPREAD_FUNCTIONS = 1000
"""How many functions a library must have for that."""
DISPERSION, DISPERSION_FUNCTIONS, DISPERSED_USES = 0.35, 300, 24
"""In a library of so many functions, compiled for AVX: that part of the spread that as many uses have by chance."""
COMPANION_SPREAD = 0.10
"""Where SSE4.1 or SSE4.2 is spread, POPCNT or SSE4.2 in this share came by the same flags."""
AVX512_FUNCTIONS = 0.05
"""Which share of the vector functions must use AVX-512 besides: some libraries spread a few kernels everywhere."""
PLAINLY_SPREAD = 0.75
"""An SSE feature in this share is required however widely AVX is spread; below it only where it goes further than AVX,
since a library that has every kernel for each CPU spreads them all alike."""
SMALL_SHARE = 0.25
"""In a small library compiled for AVX, what this share of the vector functions use is required too."""
EXPORTED_FUNCTIONS = 20
"""How many exported functions with vector code tell how a library was compiled."""
EXPORTED_LEGACY_SHARE = 0.25
"""Where fewer of them have SSE encodings, they were compiled for AVX."""
EXPORTED_USES, EXPORTED_USE_SHARE = 3, 0.005
"""In so many of them, and in that share, a feature beyond AVX is required."""
LSE_SHARE = 0.003
"""arm64: where fewer of the functions use LSE and some use exclusives, the library was compiled for Armv8.0."""
RARE = frozenset({"fma4", "xop", "tbm", "sse4a", "avx512er", "avx512_vp2intersect"})
RARE_FUNCTIONS = 3
"""Features that no compiler emits unasked count from this many functions on: data decodes as them now and then."""

_SSE = ("sse3", "ssse3", "sse4_1", "sse4_2", "popcnt")
_WITH_AVX = ("avx2", "fma", "f16c", "bmi1", "bmi2", "abm", "movbe")
_AVX512 = (
    "avx512f", "avx512vl", "avx512bw", "avx512dq", "avx512cd", "avx512ifma", "avx512vbmi", "avx512_vbmi2",
    "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq", "avx512_bf16", "avx512_fp16",
)  # fmt: skip
_NOT_DECIDED_HERE = frozenset(
    {"cx16", "rdrand", "rdseed", "fsgsbase", "xsave", "rtm", "clwb", "movdiri", "movdir64b", "waitpkg", "rdpid",
     "serialize", "amx_tile", "amx_int8", "amx_bf16", "avx10_1", "adx"}
)  # fmt: skip
"""Never required by these rules: system instructions and accelerators that code tests for before it uses them, and
CMPXCHG16B, which libatomic emits everywhere and every CPU with SSE3 but the very first has."""
_ARM_HINTS = frozenset({"bti", "dcpop", "dcpodp", "mte", "rng", "uscat"})
_ARM_COMPILED = ("atomics", "crc32", "asimdrdm", "lrcpc", "fphp", "asimdhp", "asimddp", "fcma", "jscvt", "sve", "sve2")


def decided_features(facts: LibraryFacts) -> frozenset[str]:
    """Return the features that occur in a library and that these rules decide on."""
    skipped = _NOT_DECIDED_HERE | _ARM_HINTS
    return frozenset(
        name
        for name, count in facts.used.items()
        if not name.startswith(":") and name not in skipped and not (name in RARE and count < RARE_FUNCTIONS)
    )


def loose_features(facts: LibraryFacts) -> frozenset[str]:
    """Return the features of code that no function covers, of those that these rules decide on."""
    skipped = _NOT_DECIDED_HERE | _ARM_HINTS | RARE
    return frozenset(name for name in facts.loose if not name.startswith(":")) - skipped


def declared_note(facts: LibraryFacts) -> Evidence | None:
    """R0: the file's own note says which level it needs; the loader of glibc 2.33 and newer refuses it below that.

    Follows the x86-64 psABI, "GNU_PROPERTY_X86_ISA_1_NEEDED"; Mach-O's x86_64h subtype says the same of Haswell.
    """
    level = None if facts.isa_needed is None else architecture(facts.arch).level(facts.isa_needed)
    if level is None:
        return None
    features = level.features - architecture(facts.arch).floor
    return _evidence("declared-note", facts, features, f"its note says {level.name}") if features else None


def stated(facts: LibraryFacts) -> Evidence | None:
    """R0: a text in the library says what it was compiled for."""
    return _evidence("statement", facts, facts.stated, "its build information says so") if facts.stated else None


def no_dispatcher(facts: LibraryFacts) -> Evidence | None:
    """R1: in a library that has no way to ask what the CPU has, all code is meant to run everywhere it is installed.

    Left out is what a flag chooses that somebody else sets: functions named for a CPU, beside the same for every CPU.
    """
    features = decided_features(facts) - facts.chosen_by_name
    if facts.dispatchers or not features:
        return None
    return _evidence("no-dispatcher", facts, features, _first_seen(facts, features))


def encoding(facts: LibraryFacts) -> Evidence | None:
    """R3a: compilers that may use AVX encode every vector instruction with VEX, so SSE encodings all but vanish."""
    if facts.arch != "x86_64" or facts.vector_functions < VECTOR_FUNCTIONS or "avx" not in facts.used:
        return None
    if facts.legacy_share >= LEGACY_SHARE:
        return None
    share = f"{facts.legacy_share:.1%} of {facts.vector_functions} vector functions use SSE encodings"
    return _evidence("encoding", facts, {"avx"}, "; ".join(filter(None, [_first_seen(facts, {"avx"}), share])))


def spread(facts: LibraryFacts) -> Evidence | None:
    """R3b: what is met all over a library came by its compiler's flags; what is dispatched to stands together."""
    if facts.functions < SPREAD_FUNCTIONS:
        return None
    if facts.arch == "aarch64":
        features = set() if _compiled_for_armv8_0(facts) else _wide(facts, _ARM_COMPILED)
    elif encoding(facts) is not None:
        features = _wide(facts, _WITH_AVX) | _wide_avx512(facts)
    else:
        features = {name for name in _wide(facts, _SSE) if _more_than_dispatched(facts, name)}
        if features & {"sse4_1", "sse4_2"}:
            features |= {name for name in ("sse4_2", "popcnt") if facts.spread.get(name, 0) >= COMPANION_SPREAD}
    if not features:
        return None
    top = max(sorted(features), key=lambda name: facts.spread.get(name, 0))
    detail = f"{top} in {facts.spread[top]:.0%} of its parts"
    return _evidence("spread", facts, features, "; ".join(filter(None, [_first_seen(facts, features), detail])))


def dispersed(facts: LibraryFacts) -> Evidence | None:
    """R3d: where a library is compiled for AVX, what its functions use as if drawn by chance came with it.

    The spread of a feature depends on how many functions use it; this does not. What is dispatched to stands together.
    """
    if facts.functions < DISPERSION_FUNCTIONS or encoding(facts) is None:
        return None
    measured = {name: (facts.used.get(name, 0), facts.spread.get(name, 0.0)) for name in _WITH_AVX}
    parts = min(BUCKETS, facts.functions)
    features = {
        name
        for name, (count, share) in measured.items()
        if count >= DISPERSED_USES and share >= DISPERSION * (1 - (1 - 1 / parts) ** count)
    }
    if not features:
        return None
    top = max(sorted(features), key=lambda name: facts.used[name])
    detail = f"{top} in {facts.used[top]} functions, which stand in {facts.spread[top]:.0%} of its parts"
    return _evidence("dispersed", facts, features, "; ".join(filter(None, [_first_seen(facts, features), detail])))


def small_avx(facts: LibraryFacts) -> Evidence | None:
    """R3c: where a small library is compiled for AVX, what a good part of its vector functions use came with it.

    AVX-512 is left out: it is what such libraries dispatch to.
    """
    if facts.functions >= SPREAD_FUNCTIONS or encoding(facts) is None:
        return None
    features = {name for name in _WITH_AVX if facts.used.get(name, 0) >= SMALL_SHARE * facts.vector_functions}
    return _evidence("small-avx", facts, features, _first_seen(facts, features)) if features else None


def at_load(facts: LibraryFacts) -> Evidence | None:
    """R4: what runs whenever the library is loaded, before any test of the CPU, is needed for the import.

    A source file compiled for a better CPU brings its initialisers along, and nothing stands before those.
    """
    features = frozenset(facts.at_load) & decided_features(facts)
    if not features:
        return None
    first = max(sorted(features), key=_newness)
    return _evidence("at-load", facts, features, f"{facts.at_load[first].text}, run whenever it is loaded")


def exported(facts: LibraryFacts) -> Evidence | None:
    """R5: callers enter exported functions without having asked: if those are compiled for AVX, the library is.

    It tells where the encoding of the whole cannot, as where own code compiled for AVX stands beside a static library
    that is not and chooses for itself.
    """
    count, legacy = facts.exported.get("", 0), facts.exported.get(":legacy-vector", 0)
    if count < EXPORTED_FUNCTIONS or legacy >= EXPORTED_LEGACY_SHARE * count:
        return None
    least = max(EXPORTED_USES, EXPORTED_USE_SHARE * count)
    features = {name for name in ("avx", *_WITH_AVX) if facts.exported.get(name, 0) >= least}
    detail = f"{legacy} of {count} exported vector functions use SSE encodings"
    return _evidence("exported", facts, features, "; ".join(filter(None, [_first_seen(facts, features), detail])))


def leak(facts: LibraryFacts, required: frozenset[str]) -> Evidence | None:
    """R2b: a function of which the linker kept one copy of many, reached as the library is loaded, beyond its baseline.

    Nobody tests the CPU before calling an inline function or a template: that its kept copy was compiled for a better
    CPU is an accident, and the import dies of it.
    """
    features = frozenset(facts.reached_weak) & decided_features(facts) - required
    if not features or not facts.dispatchers:
        return None
    where = facts.reached_weak[min(sorted(features), key=lambda name: facts.used.get(name, 0))]
    return _evidence("leak", facts, features, f"{where.text}, reached when it is loaded")


def descent(facts: LibraryFacts, required: frozenset[str]) -> Evidence | None:
    """R2: what direct calls reach from where loading begins. A test of the CPU may stand before it: a suspicion."""
    features = frozenset(facts.reached) & decided_features(facts) - required
    if not features:
        return None
    detail = ", ".join(f"{facts.reached[name].text}" for name in sorted(features)[:2])
    return _evidence("descent", facts, features, f"reached when it is loaded: {detail}", weight="suspects")


def weak_copies(facts: LibraryFacts, required: frozenset[str]) -> Evidence | None:
    """Warn of functions of which the linker kept one copy of many: perhaps one compiled for a better CPU.

    Where a library dispatches, an inline function or template used on both sides is compiled twice, and any caller
    gets the copy that was kept. Many such functions are harmless, so this is a warning.
    """
    features = frozenset(facts.weak) & decided_features(facts) - required
    if not features or not facts.dispatchers:
        return None
    most = max(sorted(features), key=lambda name: facts.weak[name])
    detail = f"{facts.weak[most]} weak functions use {most}"
    return _evidence("weak-copies", facts, features, detail, weight="warns")


_IMPLIED: Mapping[str, tuple[tuple[frozenset[str], frozenset[str] | str], ...]] = {
    "x86_64": (
        (frozenset({"ssse3"}), frozenset({"sse3"})),
        (frozenset({"sse4_1"}), frozenset({"ssse3", "sse3"})),
        (frozenset({"sse4_1", "popcnt"}), "x86_64_v2"),
        (frozenset({"sse4_2"}), "x86_64_v2"),
        (frozenset({"avx"}), "x86_64_v2"),
        (frozenset({"avx2"}), frozenset({"avx"})),
        (frozenset({"fma"}), frozenset({"avx"})),
        (frozenset({"f16c"}), frozenset({"avx"})),
        (frozenset({"avx_vnni"}), frozenset({"avx2"})),
        (frozenset({"avx2", "bmi1"}), "x86_64_v3"),
        (frozenset({"avx2", "bmi2"}), "x86_64_v3"),
        (frozenset({"avx512f"}), "x86_64_v3"),
        (frozenset({"avx512f", "avx512vl"}), "x86_64_v4"),
        (frozenset({"avx512f", "avx512bw"}), "x86_64_v4"),
        (frozenset({"avx512f", "avx512dq"}), "x86_64_v4"),
    ),
    "aarch64": (
        (frozenset({"sve2"}), frozenset({"sve"})),
        (frozenset({"asimdhp"}), frozenset({"fphp"})),
        (frozenset({"fphp"}), frozenset({"asimdhp"})),
        (frozenset({"pmull"}), frozenset({"aes"})),
    ),
}
"""What a CPU that has some features has as well, since none was ever made without: so few instructions of a level tell
the whole level. The rest of a level stands here by its name."""


def closed(arch: str, features: frozenset[str]) -> frozenset[str]:
    """Return the features together with everything that they imply on every CPU that was made."""
    result = frozenset(features)
    while True:
        more = result
        for condition, implied in _IMPLIED.get(arch, ()):
            if condition <= more:
                level = architecture(arch).level(implied) if isinstance(implied, str) else None
                more |= level.features - architecture(arch).floor if level is not None else frozenset(implied)
        if more == result:
            return result
        result = more


def _wide(facts: LibraryFacts, names: Iterable[str]) -> set[str]:
    return {name for name in names if facts.spread.get(name, 0) >= SPREAD}


def _compiled_for_armv8_0(facts: LibraryFacts) -> bool:
    """Tell whether atomic operations are done by exclusives: then the compiler was not allowed LSE, nor more than that.

    Every CPU with anything that is decided here has LSE, and no compiler that may use it writes a loop of exclusives.
    Outline atomics, which choose at run time, hold both; a few functions with LSE are kernels for better CPUs.
    """
    exclusive = facts.used.get(":exclusive", 0)
    return exclusive > 0 and facts.used.get("atomics", 0) - exclusive < LSE_SHARE * facts.functions


def _more_than_dispatched(facts: LibraryFacts, name: str) -> bool:
    share = facts.spread.get(name, 0)
    return share >= PLAINLY_SPREAD or share > facts.spread.get("avx", 0)


def _wide_avx512(facts: LibraryFacts) -> set[str]:
    # any function with an EVEX instruction has avx512f or one of its kin
    share = facts.used.get(":evex-vector", 0) / facts.vector_functions
    return _wide(facts, _AVX512) if share >= AVX512_FUNCTIONS else set()


def _first_seen(facts: LibraryFacts, features: Iterable[str]) -> str:
    # the rarest first: it is the one that a person will look for
    order = sorted((name for name in sorted(features) if name in facts.seen), key=lambda name: facts.used.get(name, 0))
    order.sort(key=_newness, reverse=True)
    return facts.seen[order[0]].text if order else ""


def _newness(name: str) -> int:
    table = (*_SSE, "avx", *_WITH_AVX, *_AVX512)
    return table.index(name) if name in table else -1


def _evidence(
    rule: str, facts: LibraryFacts, features: Iterable[str], detail: str, *, weight: str = "requires"
) -> Evidence:
    return Evidence(
        rule=rule,
        arch=facts.arch,
        features=tuple(sorted(features)),
        library=facts.library,
        detail=detail,
        weight="requires" if weight == "requires" else "suspects" if weight == "suspects" else "warns",
    )
