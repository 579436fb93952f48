"""Which CPU is asked next; the answers are made up, the CPUs are those of the ladder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpufit_resolver.features import architecture
from cpufit_wheelhouse.probe.models import X86_64, Model
from cpufit_wheelhouse.probe.plan import Result, next_model

BY_NAME = {model.name: model for model in X86_64}
V1, SSE3, SSSE3, SSE41, V2, AVX, F16C, V3 = (model.features for model in X86_64)


def asked(need: frozenset[str], answer: Callable[[Model], Result], budget: int = 3) -> dict[str, Result]:
    results: dict[str, Result] = {}
    while (model := next_model(X86_64, need, results, budget)) is not None:
        assert model.name not in results
        results[model.name] = answer(model)
    return results


def runs_with(needed: frozenset[str]) -> Callable[[Model], Result]:
    return lambda model: "ok" if needed <= model.features else "died"


def test_a_wheel_for_everybody_is_asked_once() -> None:
    assert asked(V1, runs_with(V1)) == {X86_64[0].name: "ok"}


@pytest.mark.parametrize("need", [SSE3, V2, AVX, F16C, V3])
def test_it_begins_where_the_need_is_met_and_looks_below(need: frozenset[str]) -> None:
    results = asked(need, runs_with(need))
    first, *others = results
    assert need <= BY_NAME[first].features
    assert results[first] == "ok"
    assert others
    assert all(not need <= BY_NAME[name].features for name in others)


def test_an_import_that_needs_less_is_followed_down() -> None:
    results = asked(AVX | {"f16c"}, runs_with(AVX))
    assert results == {"IvyBridge-v1": "ok", "SandyBridge-v1": "ok", "Nehalem-v1": "died"}


def test_a_need_that_was_too_little_is_looked_for_above() -> None:
    results = asked(V1, runs_with(V2))
    assert "ok" in results.values()


def test_a_need_above_every_emulated_cpu_still_looks_at_the_import() -> None:
    v4 = architecture("x86_64").level("x86_64_v4")
    assert v4 is not None
    for name in asked(v4.features, runs_with(V3)):
        assert BY_NAME[name].features <= V3


@given(
    st.sampled_from([model.features for model in X86_64]),
    st.lists(st.sampled_from(["ok", "died", "inconclusive"]), min_size=8, max_size=8),
    st.integers(1, 6),
)
def test_it_ends_within_its_budget_whatever_comes(need: frozenset[str], answers: list[Result], budget: int) -> None:
    results = asked(need, lambda model: answers[X86_64.index(model)], budget)
    assert 1 <= len(results) <= budget
