"""The page on conformance is what its data say."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES: dict[str, Any] = json.loads((ROOT / "benchmarks" / "conformance.json").read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_data() -> None:
    spec = importlib.util.spec_from_file_location("conformance_page", ROOT / "benchmarks" / "conformance_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs" / "reference" / "conformance.md").read_text(encoding="utf-8")
    assert page == module.page(FIGURES)


def test_what_is_not_met_is_what_the_scores_count() -> None:
    for figures in FIGURES.values():
        for spec, levels in figures["scores"].items():
            for level, counted in levels.items():
                unmet = [one for one in figures["unmet"] if (one["spec"], one["level"]) == (spec, level)]
                assert counted["failed"] == len(unmet)
