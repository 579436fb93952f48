"""The page on accuracy is what the measured data say, and the data say that every verdict is right."""

from __future__ import annotations

from types import ModuleType

import pytest
from tests.benchmark_pages import data, page, program

from cpufit_wheelhouse.inspection.verdict import RULES_VERSION


@pytest.fixture(scope="module")
def accuracy() -> ModuleType:
    return program("accuracy_page")


def test_the_page_is_made_of_the_data(accuracy: ModuleType) -> None:
    made = accuracy.page(data("truth/needs"), data("truth/judged"), data("truth/measured"), data("truth/cases"))
    assert page("accuracy") == made


def test_the_data_were_judged_by_the_rules_of_this_version() -> None:
    assert {one["rules_version"] for one in data("truth/judged").values()} == {RULES_VERSION}


def test_no_verdict_in_it_is_wrong(accuracy: ModuleType) -> None:
    assert accuracy.wrong(data("truth/needs"), data("truth/judged")) == []


def test_a_wrong_verdict_would_be_told(accuracy: ModuleType) -> None:
    judged = data("truth/judged")
    judged["polars-runtime-32==2.1.0"]["static"] = {"import": "x86_64_v2", "use": "x86_64_v2"}
    assert accuracy.wrong(data("truth/needs"), judged) == ["polars-runtime-32==2.1.0: static v2, measured exact v3"]


def test_every_cell_is_predicted_but_those_named(accuracy: ModuleType) -> None:
    judged, measured, cases = data("truth/judged"), data("truth/measured"), data("truth/cases")
    unlike = {
        (case["case"], model)
        for case in cases["cases"]
        for model in cases["models"]
        if accuracy.predicted(case, model, judged) is not (measured[case["case"]][model] == "ok")
    }
    named = {(case["case"], model) for case in cases["cases"] if "except" in case for model in case["except"]["models"]}
    assert unlike == named
    assert len(cases["cases"]) * len(cases["models"]) == 380
