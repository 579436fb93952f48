"""The page on speed is what its data say, and what it says of them is so."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from tests.benchmark_pages import data, page, program


@pytest.fixture(scope="module")
def index_page() -> ModuleType:
    return program("index_page")


@pytest.fixture(scope="module")
def told() -> Any:
    return data("index")


def test_the_page_is_made_of_the_data(index_page: ModuleType, told: Any) -> None:
    assert page("speed") == index_page.page(told)


def test_each_phase_was_measured_on_pinned_cores_without_errors(told: Any) -> None:
    assert {"pages", "cold"} <= set(told["phases"])
    for kept in told["phases"].values():
        assert kept["machine"]["pinned"]
        found = kept["found"]
        ours = [found["cpufit"]] if "cpufit" in found else found.values()
        assert [name for state in ours for name, figures in state.items() if figures.get("errors")] == []


def test_a_cell_tells_how_many_times_as_fast_this_one_is(index_page: ModuleType) -> None:
    found = {
        "cpufit": {"page": {"per_second": 100.0}, "start": {"seconds": 2.0}, "memory": {"resident": 50}},
        "nginx": {"page": {"per_second": 400.0}, "start": {"seconds": 1.0}, "memory": {"resident": 10}},
        "slow": {"page": {"per_second": 0.1}, "start": {"seconds": 9.0}},
        "broken": {"page": {"per_second": 900.0, "errors": 3}},
    }
    assert index_page.table(found).splitlines() == [
        "| | slow | broken | nginx |",
        "|---|---:|---:|---:|",
        "| page | 1,000 | — | **0.25** |",
        "| start | 4.5 | — | **0.5** |",
        "| memory | — | — | **0.2** |",
    ]


def test_what_this_one_does_alone_is_told_by_its_first_state(index_page: ModuleType) -> None:
    found = {
        "1,000 files": {"page": {"per_second": 100.0}, "memory": {"resident": 50}, "odd": {"cpu_ms": 3}},
        "10,000 files": {"page": {"per_second": 90.0}, "memory": {"resident": 75}, "odd": {"cpu_ms": 4}},
    }
    assert index_page.changes(found).splitlines() == [
        "| | 1,000 files | 10,000 files |",
        "|---|---:|---:|",
        "| page | 1 | 0.9 |",
        "| memory | 1 | 1.5 |",
    ]
