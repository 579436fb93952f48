"""The page on what indexes let in is what its data say, and its data are of the probes that the tests send."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from tests.benchmark_pages import data, page, program
from tests.flow.upload_probes import HELD


@pytest.fixture(scope="module")
def door_page() -> ModuleType:
    return program("door_page")


@pytest.fixture(scope="module")
def told() -> Any:
    return data("door")


def test_the_page_is_made_of_the_data(door_page: ModuleType, told: Any) -> None:
    assert page("door") == door_page.page(told)


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
