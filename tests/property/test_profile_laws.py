"""Laws of tokens, fits and selection, for any CPU and any wheel."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cpufit_resolver import (
    Candidate,
    CpuProfile,
    InvalidCpuToken,
    Need,
    missing_features,
    parse_need,
    parse_token,
    select,
)
from cpufit_resolver.features import architecture, architectures

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
NAMES = sorted(architectures())
FEATURES = st.frozensets(st.sampled_from(sorted(architecture("x86_64").vocabulary)))
MACHINES = FEATURES.map(lambda extra: CpuProfile("x86_64", extra | architecture("x86_64").floor))
NEEDS = FEATURES.map(lambda features: Need.uniform("x86_64", features, source="inspected"))


@st.composite
def profiles(draw: st.DrawFn) -> CpuProfile:
    table = architecture(draw(st.sampled_from(NAMES)))
    extra = draw(st.frozensets(st.sampled_from(sorted(table.vocabulary)))) if table.vocabulary else frozenset()
    return CpuProfile(table.name, extra | table.floor)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    needs = draw(st.lists(st.none() | NEEDS, max_size=6))
    tags = st.sampled_from([LINUX, "py3-none-any", "cp311-cp311-win_amd64"])
    return [Candidate(f"{i}.whl", frozenset({draw(tags)}), need) for i, need in enumerate(needs)]


@given(profiles())
def test_token_of_a_profile_reads_back_as_the_profile(profile: CpuProfile) -> None:
    assert CpuProfile.parse(profile.token) == profile


@given(profiles(), st.randoms())
def test_token_does_not_depend_on_order_or_repetition(profile: CpuProfile, random: object) -> None:
    level, *extras = profile.token.split("+")
    words = [*extras, *extras]
    random.shuffle(words)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert CpuProfile.parse(" ".join([level, *words])).token == profile.token


@given(st.text(max_size=60) | st.from_regex(r"x86_64_v[0-5]([+ ][a-z0-9_]{2,6}){0,4}", fullmatch=True))
def test_any_text_is_a_token_or_refused_as_none(text: str) -> None:
    try:
        arch, features = parse_token(text, strict=False)
    except InvalidCpuToken:
        return
    assert features <= architecture(arch).vocabulary
    assert features >= architecture(arch).floor


@given(NEEDS, MACHINES, FEATURES)
def test_more_features_never_make_a_wheel_unfit(need: Need, machine: CpuProfile, more: frozenset[str]) -> None:
    better = CpuProfile("x86_64", machine.features | more)
    tags = ("manylinux_2_17_x86_64",)
    assert missing_features(need, better, tags) <= missing_features(need, machine, tags)


@given(NEEDS)
def test_need_survives_its_key_and_its_json(need: Need) -> None:
    assert parse_need(need.key, frozenset({"x86_64"})) == need
    assert Need.from_dict(need.as_dict()) == need


@given(candidates(), MACHINES)
def test_selection_never_returns_a_misfit_and_gives_a_reason_for_all_the_rest(
    wheels: list[Candidate], machine: CpuProfile
) -> None:
    found = select(wheels, machine, [LINUX, "py3-none-any"])
    for candidate in found.ranked:
        assert candidate.need is not None
        assert candidate.need.on("x86_64") is not None
        assert candidate.need.relevant_features <= machine.features
        assert not candidate.tags.isdisjoint({LINUX, "py3-none-any"})
    assert len(found.ranked) + len(found.refusals) == len(wheels)


@given(candidates(), MACHINES, FEATURES)
def test_better_machine_never_loses_a_wheel(wheels: list[Candidate], machine: CpuProfile, more: frozenset[str]) -> None:
    tags = [LINUX, "py3-none-any"]
    better = CpuProfile("x86_64", machine.features | more)
    assert set(select(wheels, machine, tags).ranked) <= set(select(wheels, better, tags).ranked)


@given(candidates(), MACHINES)
def test_profile_reduced_to_what_the_wheels_need_selects_the_same(wheels: list[Candidate], machine: CpuProfile) -> None:
    relevant = frozenset[str]().union(*(wheel.need.relevant_features for wheel in wheels if wheel.need is not None))
    tags = [LINUX, "py3-none-any"]
    assert select(wheels, machine.reduced_to(relevant), tags).ranked == select(wheels, machine, tags).ranked
