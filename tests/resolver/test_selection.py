"""Selection: the fastest wheel that runs, and a reason for every other."""

from __future__ import annotations

from dataclasses import replace

from cpufit_resolver import BASELINE_NEED, ArchNeed, Candidate, CpuProfile, Need, parse_need, select

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
TAGS = [LINUX, "cp311-abi3-manylinux_2_17_x86_64", "py3-none-any"]
V2, V3 = CpuProfile.parse("x86_64_v2"), CpuProfile.parse("x86_64_v3")


def wheel(name: str, need: str | None, tag: str = LINUX) -> Candidate:
    judged = None if need is None else parse_need(need, frozenset({"x86_64"}))
    return Candidate(filename=name, tags=frozenset({tag}), need=judged)


def ranked(*candidates: Candidate, cpu: CpuProfile = V3) -> list[str]:
    return [candidate.filename for candidate in select(candidates, cpu, TAGS).ranked]


def test_highest_level_that_fits_wins() -> None:
    wheels = [wheel("v1", "x86_64_v1"), wheel("v3", "x86_64_v3"), wheel("v4", "x86_64_v4"), wheel("v2", "x86_64_v2")]
    assert ranked(*wheels) == ["v3", "v2", "v1"]
    assert ranked(*wheels, cpu=V2) == ["v2", "v1"]


def test_what_asks_for_more_features_wins_within_a_level() -> None:
    assert ranked(wheel("v2", "x86_64_v2"), wheel("avx", "x86_64_v2+avx")) == ["avx", "v2"]


def test_interpreters_own_order_of_tags_decides_between_equal_needs() -> None:
    assert ranked(wheel("abi3", "x86_64_v2", TAGS[1]), wheel("cp311", "x86_64_v2")) == ["cp311", "abi3"]


def test_higher_build_tag_decides_between_equal_tags() -> None:
    first, second = wheel("a-1", "x86_64_v2"), wheel("a-2", "x86_64_v2")
    assert ranked(replace(first, build=(9, "")), replace(second, build=(10, "a"))) == ["a-2", "a-1"]
    assert ranked(first, replace(second, build=(1, ""))) == ["a-2", "a-1"]


def test_wheel_without_native_code_comes_after_one_that_uses_the_cpu() -> None:
    plain = Candidate(filename="any", tags=frozenset({"py3-none-any"}), need=BASELINE_NEED)
    assert ranked(plain, wheel("v2", "x86_64_v2")) == ["v2", "any"]


def test_misfit_is_refused_by_the_features_it_misses() -> None:
    found = select([wheel("tf", "x86_64_v2+avx+f16c")], V2, TAGS)
    assert found.chosen is None
    assert [refusal.missing for refusal in found.refusals] == [("avx", "f16c")]


def test_wheel_for_another_platform_is_refused_as_such_before_its_need_is_looked_at() -> None:
    found = select([wheel("win", "x86_64_v4", "cp311-cp311-win_amd64")], V2, TAGS)
    assert [refusal.code for refusal in found.refusals] == ["wheel-for-another-platform"]


def test_unknown_wheel_is_taken_only_where_policy_allows_and_then_last() -> None:
    wheels = [wheel("unknown", None), wheel("v1", "x86_64_v1")]
    assert ranked(*wheels) == ["v1"]
    assert [r.code for r in select(wheels, V3, TAGS).refusals] == ["wheel-not-inspected"]
    allowed = select(wheels, V3, TAGS, allow_unknown=True)
    assert [candidate.filename for candidate in allowed.ranked] == ["v1", "unknown"]


def test_import_only_fit_comes_last_of_all_and_only_where_somebody_asked() -> None:
    parts = {"x86_64": ArchNeed(at_import=frozenset({"avx"}), at_use=frozenset({"avx512f"}))}
    half = Candidate(filename="half", tags=frozenset({LINUX}), need=Need.of(parts, source="probed"))
    wheels = [half, wheel("v1", "x86_64_v1")]
    assert ranked(*wheels) == ["v1"]
    asked = select(wheels, V3, TAGS, allow_import_only=True)
    assert [candidate.filename for candidate in asked.ranked] == ["v1", "half"]
    assert asked.import_only == {"half"}


def test_nothing_comes_of_nothing() -> None:
    found = select([], V3, TAGS)
    assert (found.chosen, found.refusals) == (None, ())
