"""What came of each installer on each CPU, kept as JSON, and the page of the reference that is made of it.

Run again with::

    CPUFIT_TEST_GRID=1 CPUFIT_CLIENT_RESULTS=tests/flow/client_results.json pytest tests/flow/test_install_grid.py
    python -m tests.flow.client_matrix
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.flow.flow_cells import SPECIFIC, Cell, grid
from tests.flow.flow_clients import CLIENTS, Client, uv_program
from tests.flow.flow_machines import HASWELL, HERE, MACHINES, NEHALEM, QEMU64, SANDY_BRIDGE, Environment, Outcome

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("client_results.json")
PAGE = ROOT / "docs" / "reference" / "client-matrix.md"

_MACHINES = {QEMU64: "v1", NEHALEM: "Nehalem", SANDY_BRIDGE: "SandyBridge", HASWELL: "Haswell", HERE: "native"}
_SET_UPS = {
    "nothing": "nothing",
    "env": "`cpufit env`",
    "url": "profile URL",
    "variants": "`wheel-variants` preview",
}

_HEAD = """\
# Client matrix

<!-- Written by python -m tests.flow.client_matrix; a test holds it to its data. -->

What stock installers make of one project on five CPUs. Release 2.0 has three builds: for x86-64-v2 (`v2`), for v2
with AVX (`avx`) and for v3 (`v3`); release 1.0 has one that runs everywhere (`v1`). Each wheel's import executes an
instruction of its build, so a wrong choice dies there. The table tells what was installed and imported; *refused*
means that the installer ended with an error, said what is missing and what to type, and installed nothing. No cell
crashed on import.

"""

_TAIL = """\

- *v1* is an emulated x86-64 without SSE3; Nehalem, SandyBridge and Haswell are emulated too. *native* is the machine
  that ran the tests, a v3 one. uv reads `/proc/cpuinfo` for its variants, which an emulator does not change, so it was
  tried natively alone.
- Who tells the index its CPU gets the newest release that has a wheel for it; who tells nothing gets the newest
  release or a refusal. pip before 22.0 goes back to an older release
  ([the selector](../decisions/0003-selector.md)).
- *`cpufit env`* is a shell that took in what `cpufit env` printed on that CPU, and then a command without any option
  for the index. Poetry and PDM get the plain address by it, so that no lock is bound to one machine.
- PDM shows the last ten lines of a refusal, which name the release that fits; `pdm -v` shows the reasons. pipx writes
  pip's output to a log that it names; `pipx install --verbose` shows it.
- PDM 2.29.4 with hishel 2.0.0, which `pip install pdm` brings together, ends with `module 'hishel' has no attribute
  'SyncSqliteStorage'` before it asks any index. `pip install pdm 'hishel<2'` works: the results are of PDM 2.29.4
  with hishel 1.4.0.
- pipx was run with `--backend pip`: where uv is on the path it takes uv, which does not send what
  `PIP_USER_AGENT_USER_DATA` holds, so that way of telling has no effect.
- pipx asks the index that it is given for the newest pip as well, so that index needs an upstream
  (`cpufit-server serve --upstream`).
"""


class ClientResults:
    """What came of the cells that were run, one by one: a run that is stopped has kept what it found."""

    def __init__(self, place: Path | None) -> None:
        """Take the file to write into, where another run's cells stay; without one, nothing is kept."""
        self._place = place
        self._versions: dict[str, str] = {}

    def keep(self, cell: Cell, environment: Environment, installed: Outcome) -> None:
        """Import what was installed, and keep what came of the cell."""
        if self._place is None:
            return
        imported = cell.client.build_of(environment, cell.shape.project)
        if imported.status == 0:
            came = imported.output
        else:
            came = "refused" if installed.status != 0 else f"crashed: {imported.status}"
        if cell.client.program not in self._versions:
            self._versions[cell.client.program] = _version(cell.client, environment)
        known: dict[str, dict[str, str]] = {"cells": {}, "versions": {}}
        if self._place.exists():
            known = json.loads(self._place.read_text(encoding="utf-8"))
        merged = {
            "cells": dict(sorted({**known["cells"], cell.name: came}.items())),
            "versions": dict(sorted({**known["versions"], **self._versions}.items())),
        }
        self._place.write_text(json.dumps(merged, indent=1) + "\n", encoding="utf-8")


def _version(client: Client, environment: Environment) -> str:
    program: list[str | Path] = [uv_program() if client.tool == "uv" else environment.program or ""]
    if client.tool == "pip":
        program = [environment.python, "-m", "pip"]
    words = environment.run(*program, "--version").output.replace(",", " ").replace(")", " ").split()
    return next((word for word in words if word[:1].isdigit()), "unknown")


def wrong(results: Mapping[str, Any], cells: Iterable[Cell] = grid()) -> list[str]:
    """Return a sentence for each cell of which something else came than must."""
    told = []
    for cell in cells:
        wanted = cell.expected
        must = "refused" if wanted.version is None else f"{wanted.version} {wanted.build}"
        came = results["cells"].get(cell.name)
        if came is not None and came != must:
            told.append(f"{cell.name}: {came}, must be {must}")
    return told


def page(results: Mapping[str, Any]) -> str:
    """Return the page."""
    lines = ["| installer | told by | " + " | ".join(_MACHINES.values()) + " |", "|---|---|" + "---|" * len(MACHINES)]
    order = list(dict.fromkeys(client.program for client in CLIENTS))
    for client in sorted(CLIENTS, key=lambda each: (order.index(each.program), list(_SET_UPS).index(each.tells))):
        cells = {machine: Cell(client=client, machine=machine, shape=SPECIFIC).name for machine in _MACHINES}
        came = [
            results["cells"].get(cells[machine], "not run") if machine in client.machines else "" for machine in cells
        ]
        name = f"{client.tool} {results['versions'].get(client.program, client.pip_version or '')}".strip()
        lines.append("| " + " | ".join((name, _SET_UPS[client.tells], *came)) + " |")
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(RESULTS.read_text(encoding="utf-8"))), encoding="utf-8")
