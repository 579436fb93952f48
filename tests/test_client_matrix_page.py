"""The client matrix in the reference is what the kept results say, and the results say that nobody got what crashes."""

from __future__ import annotations

import json

from tests.flow.client_matrix import PAGE, RESULTS, page, wrong
from tests.flow.flow_cells import grid

DATA = json.loads(RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_results() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(DATA)


def test_every_cell_that_was_run_came_out_as_it_must() -> None:
    assert wrong(DATA) == []
    assert not [name for name, came in DATA["cells"].items() if came.startswith("crashed")]


def test_every_cell_of_the_grid_was_run() -> None:
    assert set(DATA["cells"]) == {cell.name for cell in grid()}


def test_a_slower_wheel_than_must_come_would_be_told() -> None:
    results = {**DATA, "cells": {"pip-newest-haswell-isademo": "2.0 v2"}}
    assert wrong(results) == ["pip-newest-haswell-isademo: 2.0 v2, must be 2.0 v3"]
