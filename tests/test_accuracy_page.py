"""The page on accuracy is what the measured data say, and the data say that every verdict is right."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cpufit_wheelhouse.inspection.verdict import RULES_VERSION

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def accuracy() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy_page", ROOT / "benchmarks" / "accuracy_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "truth" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_data(accuracy: ModuleType) -> None:
    made = accuracy.page(data("needs"), data("judged"), data("measured"), data("cases"))
    assert (ROOT / "docs" / "reference" / "accuracy.md").read_text(encoding="utf-8") == made


def test_the_data_were_judged_by_the_rules_of_this_version() -> None:
    assert {one["rules_version"] for one in data("judged").values()} == {RULES_VERSION}


def test_no_verdict_in_it_is_wrong(accuracy: ModuleType) -> None:
    assert accuracy.wrong(data("needs"), data("judged")) == []


def test_a_wrong_verdict_would_be_told(accuracy: ModuleType) -> None:
    judged = data("judged")
    judged["polars-runtime-32==2.1.0"]["static"] = {"import": "x86_64_v2", "use": "x86_64_v2"}
    assert accuracy.wrong(data("needs"), judged) == ["polars-runtime-32==2.1.0: static v2, measured exact v3"]


def test_every_cell_is_predicted_but_those_named(accuracy: ModuleType) -> None:
    judged, measured, cases = data("judged"), data("measured"), data("cases")
    unlike = {
        (case["case"], model)
        for case in cases["cases"]
        for model in cases["models"]
        if accuracy.predicted(case, model, judged) is not (measured[case["case"]][model] == "ok")
    }
    named = {(case["case"], model) for case in cases["cases"] if "except" in case for model in case["except"]["models"]}
    assert unlike == named
    assert len(cases["cases"]) * len(cases["models"]) == 380
