"""What to say of code that no function covers in a library that asks what the CPU has.

Such code was not counted (:mod:`.reading`): mostly it is the kernels that a dispatcher chooses from. Where it is most
of the library, and all of it is encoded for AVX, it was rather compiled for it.
"""

from __future__ import annotations

from cpufit_wheelhouse.machine_code.bits import EVEX_VECTOR, LEGACY_VECTOR, VEX_VECTOR

from .facts import LibraryFacts
from .rules import LEGACY_SHARE, VECTOR_FUNCTIONS, loose_features
from .verdict import Evidence, Weight

LITTLE_COVERED = 0.50
"""Below this share of the code in known functions, these are not what the library is."""


def uncovered(facts: LibraryFacts, required: frozenset[str]) -> Evidence | None:
    """Tell which features beyond those required only code outside the known functions uses.

    It warns, as of any code that is chosen at run time; where that code is most of the library and next to none of it
    has SSE encodings, as a dispatcher's kernels for older CPUs would, it is a suspicion.
    """
    features = loose_features(facts) - required - set(facts.used)
    if not features:
        return None
    weight: Weight = "suspects" if facts.coverage < LITTLE_COVERED and _compiled_for_avx(facts) else "warns"
    return Evidence(
        rule="uncovered",
        arch=facts.arch,
        features=tuple(sorted(features)),
        library=facts.library,
        detail=f"only in code that no function covers, {1 - facts.coverage:.0%} of it",
        weight=weight,
    )


def _compiled_for_avx(facts: LibraryFacts) -> bool:
    legacy = facts.loose.get(LEGACY_VECTOR, 0)
    encoded = max(facts.loose.get(VEX_VECTOR, 0), facts.loose.get(EVEX_VECTOR, 0))
    return encoded >= VECTOR_FUNCTIONS and legacy < LEGACY_SHARE * (legacy + encoded)
