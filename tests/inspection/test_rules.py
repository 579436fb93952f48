"""Each rule on facts made by hand; what real libraries look like is in tests/truth."""

from __future__ import annotations

from typing import Any

import pytest

from cpufit_resolver.features import architecture
from cpufit_wheelhouse.inspection import rules
from cpufit_wheelhouse.inspection.facts import LibraryFacts, Sighting


def facts(**changed: Any) -> LibraryFacts:
    values: dict[str, Any] = {
        "library": "pkg/x.so",
        "arch": "x86_64",
        "functions": 5000,
        "vector_functions": 400,
        "legacy_functions": 400,
        "used": {":legacy-vector": 400},
        "spread": {":legacy-vector": 1.0},
        "weak": {},
        "dispatchers": ("CPUID in init_cpu",),
        "isa_needed": None,
        "seen": {},
    }
    return LibraryFacts(**(values | changed))


def test_without_a_way_to_ask_everything_used_is_required() -> None:
    found = rules.no_dispatcher(
        facts(dispatchers=(), used={"avx2": 1, "fma": 2}, seen={"avx2": Sighting(instruction="vpaddd", function="add")})
    )
    assert found is not None
    assert found.features == ("avx2", "fma")
    assert "vpaddd in add" in found.text


def test_what_a_flag_from_elsewhere_chooses_by_name_is_not_required() -> None:
    used = {"bmi2": 7, "popcnt": 3}
    found = rules.no_dispatcher(facts(dispatchers=(), used=used, chosen_by_name=frozenset({"bmi2"})))
    assert found is not None
    assert found.features == ("popcnt",)


def test_a_library_that_asks_the_cpu_may_have_what_it_does_not_need() -> None:
    assert rules.no_dispatcher(facts(used={"avx2": 50})) is None


@pytest.mark.parametrize("name", ["cx16", "rdrand", "rtm", ":tzcnt", ":cpuid"])
def test_system_instructions_and_marks_are_never_required(name: str) -> None:
    assert rules.no_dispatcher(facts(dispatchers=(), used={name: 9})) is None


@pytest.mark.parametrize(("count", "required"), [(2, False), (3, True)])
def test_features_that_data_decodes_as_count_from_three_functions_on(count: int, required: bool) -> None:
    assert (rules.no_dispatcher(facts(dispatchers=(), used={"xop": count})) is not None) is required


@pytest.mark.parametrize(("legacy", "required"), [(0, True), (79, True), (80, False), (400, False)])
def test_vector_code_next_to_free_of_sse_encodings_was_compiled_for_avx(legacy: int, required: bool) -> None:
    found = rules.encoding(facts(legacy_functions=legacy, used={"avx": 390}))
    assert (found is not None) is required
    if found is not None:
        assert found.features == ("avx",)


def test_a_few_vector_functions_say_nothing_by_their_encoding() -> None:
    assert rules.encoding(facts(vector_functions=29, legacy_functions=0, used={"avx": 29})) is None
    assert rules.encoding(facts(vector_functions=30, legacy_functions=0, used={"avx": 30})) is not None


def test_no_share_without_any_avx() -> None:
    assert rules.encoding(facts(legacy_functions=0, used={})) is None


def test_what_is_met_in_most_parts_is_required_and_what_is_in_few_is_not() -> None:
    found = rules.spread(facts(spread={"sse3": 0.58, "ssse3": 0.39}))
    assert found is not None
    assert found.features == ("sse3",)


def test_avx2_spread_over_a_library_that_also_has_sse_encodings_is_dispatched() -> None:
    assert rules.spread(facts(used={"avx2": 900}, spread={"avx2": 0.9})) is None


def test_within_code_compiled_for_avx_its_companions_are_required_where_they_spread() -> None:
    found = rules.spread(
        facts(legacy_functions=1, used={"avx": 399}, spread={"avx": 1.0, "f16c": 0.5, "avx2": 0.05, "sse3": 0.9})
    )
    assert found is not None
    assert found.features == ("f16c",)


def test_sse4_that_spreads_brings_popcnt_that_spreads_less() -> None:
    found = rules.spread(facts(spread={"sse4_1": 0.42, "popcnt": 0.17, "sse4_2": 0.02}))
    assert found is not None
    assert found.features == ("popcnt", "sse4_1")
    assert rules.closed("x86_64", frozenset(found.features)) >= architecture("x86_64").level("x86_64_v2").features - (  # type: ignore[union-attr]  # the level is in the table
        architecture("x86_64").floor
    )


@pytest.mark.parametrize(("functions", "required"), [(7, False), (20, True)])
def test_avx512_must_be_in_enough_of_the_vector_functions(functions: int, required: bool) -> None:
    found = rules.spread(
        facts(
            legacy_functions=1, used={"avx": 399, ":evex-vector": functions}, spread={"avx512f": 0.44, "avx512vl": 0.44}
        )
    )
    assert (found is not None) is required


def test_a_small_library_says_nothing_by_spread() -> None:
    assert rules.spread(facts(functions=999, spread={"sse3": 1.0})) is None


def test_the_files_own_note_is_believed() -> None:
    found = rules.declared_note(facts(isa_needed="x86_64_v3"))
    assert found is not None
    assert "avx2" in found.features
    assert rules.declared_note(facts(isa_needed="x86_64_v1")) is None
    assert rules.declared_note(facts()) is None


def test_what_loading_reaches_beyond_the_requirement_is_a_suspicion() -> None:
    seen = {"avx2": Sighting(instruction="vinserti128", function="Parse")}
    found = rules.descent(facts(used={"avx2": 5}, reached=seen), frozenset({"avx"}))
    assert found is not None
    assert found.weight == "suspects"
    assert "vinserti128 in Parse" in found.detail
    assert rules.descent(facts(used={"avx2": 5}, reached=seen), frozenset({"avx2"})) is None


def test_weak_copies_beyond_the_requirement_are_a_warning() -> None:
    found = rules.weak_copies(facts(used={"avx2": 5}, weak={"avx2": 5}), frozenset({"avx"}))
    assert found is not None
    assert found.weight == "warns"
    assert rules.weak_copies(facts(used={"avx2": 5}, weak={"avx2": 5}, dispatchers=()), frozenset()) is None


@pytest.mark.parametrize(
    ("features", "token_level"),
    [
        ({"sse4_2"}, "x86_64_v2"),
        ({"avx"}, "x86_64_v2"),
        ({"avx2", "bmi2"}, "x86_64_v3"),
        ({"avx512f", "avx512vl"}, "x86_64_v4"),
    ],
)
def test_few_features_of_a_level_tell_the_whole_level(features: set[str], token_level: str) -> None:
    table = architecture("x86_64")
    level = table.highest_level(rules.closed("x86_64", frozenset(features)) | table.floor)
    assert level is not None
    assert level.name == token_level


def test_avx2_alone_does_not_bring_fma() -> None:
    assert "fma" not in rules.closed("x86_64", frozenset({"avx2"}))


def test_arm64_needs_lse_where_it_is_spread_and_not_where_helpers_hold_it() -> None:
    arm: dict[str, Any] = {"arch": "aarch64", "vector_functions": 0, "legacy_functions": 0}
    found = rules.spread(facts(**arm, spread={"atomics": 0.8, "crc32": 0.1}))
    assert found is not None
    assert found.features == ("atomics",)
    assert rules.spread(facts(**arm, spread={"atomics": 0.02})) is None
    assert rules.encoding(facts(**arm, used={"avx": 400})) is None


def test_what_runs_whenever_a_library_is_loaded_is_needed_though_it_dispatches() -> None:
    seen = {"avx2": Sighting(instruction="vpaddd", function="_GLOBAL__sub_I_x")}
    found = rules.at_load(facts(used={"avx2": 5}, at_load=seen))
    assert found is not None
    assert (found.features, found.weight) == (("avx2",), "requires")
    assert "vpaddd in _GLOBAL__sub_I_x" in found.detail
    assert rules.at_load(facts(used={"cx16": 5}, at_load={"cx16": seen["avx2"]})) is None


@pytest.mark.parametrize(
    ("count", "legacy", "uses", "features"),
    [
        (76, 14, {"avx": 62, "avx2": 3, "fma": 2}, ("avx", "avx2")),
        (3805, 598, {"avx": 3207, "fma": 19}, ("avx",)),
        (3805, 598, {"avx": 3207, "fma": 20}, ("avx", "fma")),
        (76, 19, {"avx": 57, "avx2": 7}, None),
        (19, 0, {"avx": 19}, None),
        (0, 0, {}, None),
    ],
)
def test_exported_functions_tell_how_a_library_was_compiled(
    count: int, legacy: int, uses: dict[str, int], features: tuple[str, ...] | None
) -> None:
    found = rules.exported(facts(exported={"": count, ":legacy-vector": legacy, **uses}))
    assert (None if found is None else found.features) == features


@pytest.mark.parametrize(
    ("used", "required"),
    [
        ({"sve": 1400, ":exclusive": 2, "atomics": 14}, False),  # out-of-line atomics: compiled for every CPU
        ({"sve": 1400, ":exclusive": 20, "atomics": 400}, True),
        ({"sve": 1400}, True),
    ],
)
def test_on_arm64_atomics_tell_for_which_cpus_a_library_was_compiled(used: dict[str, int], required: bool) -> None:
    found = rules.spread(facts(arch="aarch64", functions=15000, used=used, spread={"sve": 0.66}))
    assert (found is not None) is required


@pytest.mark.parametrize(
    ("count", "share", "features"),
    [
        (51, 0.31, ("avx2",)),  # by chance 55 % of the parts would have it
        (248, 0.21, None),  # by chance 98 %
        (11, 0.06, None),  # too few to tell
    ],
)
def test_what_is_dispersed_as_by_chance_came_by_the_compilers_flags(
    count: int, share: float, features: tuple[str, ...] | None
) -> None:
    used = {"avx": 800, "avx2": count}
    found = rules.dispersed(
        facts(functions=2500, vector_functions=843, legacy_functions=7, used=used, spread={"avx2": share})
    )
    assert (None if found is None else found.features) == features
    assert rules.dispersed(facts(functions=2500, used=used, spread={"avx2": share})) is None  # not compiled for AVX
