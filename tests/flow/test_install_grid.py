"""Stock installers on real and emulated CPUs: each gets the wheel that it must, and imports it there, or is refused."""

from __future__ import annotations

import os
import re

import pytest
from tests.flow.client_matrix import ClientResults
from tests.flow.flow_cells import REFUSED, SPECIFIC, Cell, grid, pairwise
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Outcome
from tests.flow.flow_server import Server
from tests.flow.native_wheels import V2

WHOLE_GRID = os.environ.get("CPUFIT_TEST_GRID") == "1"

pytestmark = pytest.mark.flow

_CELLS = grid()
_SUBSET = pairwise(_CELLS)


def _parameter(cell: Cell) -> object:
    marks = []
    if cell.machine is not HERE:
        marks.append(pytest.mark.emulated)
    if cell.client.pip_version is not None or cell.client.tool in ("pipx", "poetry", "pdm"):
        marks.append(pytest.mark.network)
    if cell not in _SUBSET:
        marks.append(pytest.mark.grid)
    return pytest.param(cell, id=cell.name, marks=marks)


@pytest.mark.parametrize("cell", [_parameter(cell) for cell in (_CELLS if WHOLE_GRID else _SUBSET)])
def test_a_client_gets_what_its_machine_runs(
    cell: Cell, index: Server, environments: Environments, client_results: ClientResults
) -> None:
    environment = environments.get(cell.client, cell.machine)

    installed = cell.client.install(environment, index.url, cell.shape.project)
    client_results.keep(cell, environment, installed)

    if cell.expected == REFUSED:
        assert_refused_readably(installed)
        assert "ModuleNotFoundError" in cell.client.build_of(environment, cell.shape.project).output
        return
    assert installed.status == 0, installed.output
    imported = cell.client.build_of(environment, cell.shape.project)
    assert (imported.status, imported.output) == (0, f"{cell.expected.version} {cell.expected.build}")


def assert_refused_readably(installed: Outcome) -> None:
    """Nothing of ``isademo`` fits the machine but release 1.0: the output says what is missing, and what to type."""
    text = installed.output
    assert installed.status != 0, text
    assert "x86_64_v1" in text, text
    missing = [
        frozenset(found.split(", "))
        for found in re.findall(r"^(?:pdm\.termui:)?[│| ]*needs ([a-z0-9_, ]+)$", text, re.MULTILINE)
    ]
    # sse3 goes by that name here, and qemu64 has lahf_lm of its own
    least = frozenset({"sse3" if name == "pni" else name for name in V2.features}) - {"lahf_lm"}
    assert least in missing, text
    assert least | {"avx"} in missing, text
    assert re.search(r"pip install 'isademo<2", text), text


class TestTheSubset:
    def test_tries_every_pair_of_the_grid(self) -> None:
        # counted here by another way than the subset is made: for each client and shape, and so on
        assert {(c.client.name, c.shape.project) for c in _SUBSET} == {(c.client.name, c.shape.project) for c in _CELLS}
        assert {(c.machine.name, c.shape.project) for c in _SUBSET} == {
            (c.machine.name, c.shape.project) for c in _CELLS
        }
        assert {(c.machine.name, c.client.tells) for c in _SUBSET} == {(c.machine.name, c.client.tells) for c in _CELLS}

    def test_has_each_client_refused_or_sent_back_where_it_would_be(self) -> None:
        assert {(c.client.name, c.expected == REFUSED) for c in _SUBSET} == {
            (c.client.name, c.expected == REFUSED) for c in _CELLS
        }

    def test_is_a_small_part_of_the_grid(self) -> None:
        assert len(_SUBSET) * 2 < len(_CELLS)
        assert SPECIFIC in {cell.shape for cell in _SUBSET}
