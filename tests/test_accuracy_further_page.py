"""The page on further wheels is what its data say, and no verdict in them asks for less than was measured."""

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
def further() -> ModuleType:
    spec = importlib.util.spec_from_file_location("further_page", ROOT / "benchmarks" / "further_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "truth" / f"{name}.json").read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_data(further: ModuleType) -> None:
    page = (ROOT / "docs" / "reference" / "accuracy-further.md").read_text(encoding="utf-8")
    assert page == further.page(data("further"), data("further_judged"))


def test_the_data_were_judged_by_the_rules_of_this_version() -> None:
    assert {one["rules_version"] for one in data("further_judged").values()} == {RULES_VERSION}


def test_no_verdict_asks_for_less_than_was_measured(further: ModuleType) -> None:
    assert further.below(data("further"), data("further_judged")) == []


def test_a_verdict_that_asks_for_less_would_be_told(further: ModuleType) -> None:
    judged = data("further_judged")
    judged["finufft==2.5.1"]["need"] = {"import": "x86_64_v2", "use": "x86_64_v2"}
    assert further.below(data("further"), judged) == ["finufft==2.5.1: judged x86_64_v2, died on IvyBridge"]
