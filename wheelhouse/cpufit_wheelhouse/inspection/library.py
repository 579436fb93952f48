"""All rules on one library, in their order."""

from __future__ import annotations

from .facts import LibraryFacts
from .rules import (
    at_load,
    closed,
    declared_note,
    descent,
    dispersed,
    encoding,
    exported,
    leak,
    no_dispatcher,
    small_avx,
    spread,
    stated,
    weak_copies,
)
from .uncovered import uncovered
from .verdict import Evidence


def library_evidence(facts: LibraryFacts) -> tuple[Evidence, ...]:
    """Return what all rules say of one library, what is required first."""
    rules = (declared_note, stated, no_dispatcher, encoding, spread, dispersed, small_avx, at_load, exported)
    strong = [found for rule in rules if (found := rule(facts)) is not None]
    required = closed(facts.arch, frozenset().union(*(one.features for one in strong)))
    if (found := leak(facts, required)) is not None:
        strong.append(found)
        required = closed(facts.arch, required | frozenset(found.features))
    doubts = [found for rule in (descent, weak_copies, uncovered) if (found := rule(facts, required)) is not None]
    return (*strong, *doubts)
