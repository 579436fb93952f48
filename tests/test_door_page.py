"""The page on what indexes let in is what its data say, and its data are of the probes that the tests send."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.flow.upload_probes import HELD

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def door_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("door_page", ROOT / "benchmarks" / "door_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told() -> Any:
    return json.loads((ROOT / "benchmarks" / "door.json").read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_data(door_page: ModuleType, told: Any) -> None:
    assert (ROOT / "docs" / "reference" / "door.md").read_text(encoding="utf-8") == door_page.page(told)


def test_the_data_are_of_the_probes_that_are_sent(told: Any) -> None:
    assert told["probes"] == [{"name": one.name, "wanted": list(one.wanted)} for one in HELD]
    assert all(len(column["answers"]) == len(told["probes"]) for column in told["columns"].values())


def test_this_servers_column_is_what_the_tests_ask_for(told: Any) -> None:
    answers = told["columns"]["cpufit"]["answers"][: len(HELD)]
    assert [one.name for one, status in zip(HELD, answers, strict=True) if status not in one.wanted] == []


def test_another_answer_than_is_wanted_stands_out(door_page: ModuleType, told: Any) -> None:
    column = {"version": "1", "answers": [500, None, *told["columns"]["cpufit"]["answers"][2:]]}
    lines = door_page.table({**told, "columns": {"other": column}}).splitlines()
    assert lines[0] == "| upload | wanted | other 1 |"
    assert [line.rsplit("|", 2)[1].strip() for line in lines[2:5]] == ["**500**", "**no answer**", "409"]
