"""What is said of code that no function covers, where it did not count."""

from __future__ import annotations

import pytest
from tests.inspection.test_rules import facts

from cpufit_wheelhouse.inspection.uncovered import uncovered

KERNELS = {":vex-vector": 300, ":legacy-vector": 200, "avx": 300, "avx2": 200, "ssse3": 100}


def test_features_beyond_what_is_needed_are_a_warning() -> None:
    found = uncovered(facts(loose=KERNELS, coverage=0.3), frozenset({"ssse3"}))
    assert found is not None
    assert (found.features, found.weight) == (("avx", "avx2"), "warns")
    assert "70%" in found.text


def test_what_known_functions_use_too_is_told_elsewhere() -> None:
    used = {":legacy-vector": 400, "avx": 3, "avx2": 3}
    assert uncovered(facts(loose=KERNELS, used=used, coverage=0.3), frozenset({"ssse3"})) is None
    assert uncovered(facts(coverage=0.3), frozenset()) is None


@pytest.mark.parametrize(
    ("coverage", "legacy", "encoded", "weight"),
    [(0.3, 10, 300, "suspects"), (0.6, 10, 300, "warns"), (0.3, 100, 300, "warns"), (0.3, 0, 29, "warns")],
)
def test_a_library_that_is_mostly_such_code_without_sse_is_suspected(
    coverage: float, legacy: int, encoded: int, weight: str
) -> None:
    loose = {":vex-vector": encoded, ":legacy-vector": legacy, "avx": encoded}
    found = uncovered(facts(loose=loose, coverage=coverage), frozenset())
    assert found is not None
    assert found.weight == weight
