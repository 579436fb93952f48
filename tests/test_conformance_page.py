"""The page on conformance is what its data say."""

from __future__ import annotations

from typing import Any

from tests.benchmark_pages import data, page, program

FIGURES: dict[str, Any] = data("conformance")


def test_the_page_is_made_of_the_data() -> None:
    assert page("conformance") == program("conformance_page").page(FIGURES)


def test_what_is_not_met_is_what_the_scores_count() -> None:
    for figures in FIGURES.values():
        for spec, levels in figures["scores"].items():
            for level, counted in levels.items():
                unmet = [one for one in figures["unmet"] if (one["spec"], one["level"]) == (spec, level)]
                assert counted["failed"] == len(unmet)
