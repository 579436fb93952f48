"""The page on further wheels is what its data say, and no verdict in them asks for less than was measured."""

from __future__ import annotations

from types import ModuleType

import pytest
from tests.benchmark_pages import data, page, program

from cpufit_wheelhouse.inspection.verdict import RULES_VERSION


@pytest.fixture(scope="module")
def further() -> ModuleType:
    return program("further_page")


def test_the_page_is_made_of_the_data(further: ModuleType) -> None:
    assert page("accuracy-further") == further.page(data("truth/further"), data("truth/further_judged"))


def test_the_data_were_judged_by_the_rules_of_this_version() -> None:
    assert {one["rules_version"] for one in data("truth/further_judged").values()} == {RULES_VERSION}


def test_no_verdict_asks_for_less_than_was_measured(further: ModuleType) -> None:
    assert further.below(data("truth/further"), data("truth/further_judged")) == []


def test_a_verdict_that_asks_for_less_would_be_told(further: ModuleType) -> None:
    judged = data("truth/further_judged")
    judged["finufft==2.5.1"]["need"] = {"import": "x86_64_v2", "use": "x86_64_v2"}
    assert further.below(data("truth/further"), judged) == ["finufft==2.5.1: judged x86_64_v2, died on IvyBridge"]
