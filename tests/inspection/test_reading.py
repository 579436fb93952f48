"""Which code counts: that of functions the file tells of, and of those found between them where it must be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from tests.machine_code.test_recovery import ADD, PAD, RET, image_of

from cpufit_wheelhouse.inspection.facts import gather
from cpufit_wheelhouse.inspection.library import library_evidence
from cpufit_wheelhouse.inspection.reading import LEAST_CODE, read_code
from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary

PLAIN = (b"\x48\x89\xf8" * 5 + RET).ljust(32, PAD)  # mov rax, rdi
AVX2 = (ADD * 4 + RET).ljust(32, PAD)
ASKS = (b"\x0f\xa2" * 8 + RET).ljust(32, PAD)  # cpuid


def needs(code: bytes, bounds: list[tuple[int, int]] | None = None, imports: frozenset[str] = frozenset()) -> set[str]:
    facts = gather("made.so", dataclasses.replace(image_of(code, bounds), imports=imports))
    return {name for one in library_evidence(facts) if one.weight == "requires" for name in one.features}


def test_a_library_that_tells_of_no_function_is_read_all_the_same() -> None:
    assert "avx2" in needs(PLAIN * 4 + AVX2)
    assert needs(PLAIN * 4) == set()


def test_code_between_functions_counts_where_nothing_asks_the_cpu() -> None:
    assert "avx2" in needs(PLAIN * 8 + AVX2, [(0, 256)])


@pytest.mark.parametrize("known", [True, False])
def test_where_something_asks_it_is_the_kernels_that_are_chosen_from(known: bool) -> None:
    code = ASKS + PLAIN * 8 + AVX2 * 8
    bounds = [(0 if known else 32, 288)]
    facts = gather("made.so", image_of(code, bounds))
    assert facts.asks_the_cpu
    assert "avx2" not in facts.used
    assert (facts.loose["avx2"], facts.recovered) == (8, 0)
    assert needs(code, bounds) == set()
    assert needs(PLAIN * 8 + AVX2 * 8, [(0, 256)], frozenset({"getauxval"})) == set()


def test_where_next_to_nothing_is_told_of_all_that_is_found_is_measured() -> None:
    facts = gather("made.so", image_of(ASKS + PLAIN + AVX2 * 60, [(32, 64)]))
    assert (facts.recovered, facts.loose) == (61, {})
    assert facts.used["avx2"] == 60
    assert facts.vector_functions == 60
    assert "avx" in needs(ASKS + PLAIN + AVX2 * 60, [(32, 64)])  # by the rules' shares, as for any other library


def test_a_function_that_does_not_decode_hides_nothing() -> None:
    code = PLAIN * 4 + AVX2 + b"\x06" * 32
    assert "avx2" in needs(code, [(0, len(code))])


def test_what_well_covered_libraries_leave_is_not_looked_at() -> None:
    code = PLAIN * 400 + AVX2
    read = read_code(image_of(code, [(0, 12_800)]), 1)
    assert read.coverage > 0.98
    assert (read.recovered, len(read.loose)) == (0, 0)


def test_code_that_is_none_is_refused() -> None:
    """Packed and encrypted libraries: what runs is made when they are loaded."""
    noise = np.random.default_rng(5).bytes(2 * LEAST_CODE)
    for arch in ("x86_64", "aarch64"):
        with pytest.raises(UnreadableLibrary, match="hardly any"):
            gather("made.so", image_of(noise, arch=arch))
    assert gather("made.so", image_of(noise[: LEAST_CODE // 2])).used == {}
