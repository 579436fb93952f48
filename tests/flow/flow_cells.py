"""The grid as data: the projects, what must come of each client on each machine, and the subset that runs by default.

Three projects show the three shapes that a release can have:

==========  ===============================  ==================================  ==========================
project     release 2.0                      release 1.0                         the plain page offers 2.0 as
==========  ===============================  ==================================  ==========================
isademo     v2, v2+avx, v3                   v1 (an ordinary wheel)              the selector
isaboth     v1, v2, v3                       none                                the ordinary wheel
isasole     v1, v2+avx, v3; plain=selector   none                                the selector
==========  ===============================  ==================================  ==========================
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

from tests.flow.flow_clients import CLIENTS, Client
from tests.flow.flow_machines import Machine
from tests.flow.native_wheels import AVX, BUILDS, V1, V2, V3, Build


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One project: its releases, newest first, with the builds of each."""

    project: str
    releases: tuple[tuple[str, tuple[Build, ...]], ...]
    plain: Literal["ordinary", "selector"] = "ordinary"


SPECIFIC = Shape(project="isademo", releases=(("2.0", (V2, AVX, V3)), ("1.0", (V1,))))
BOTH = Shape(project="isaboth", releases=(("2.0", (V1, V2, V3)),))
SOLE = Shape(project="isasole", releases=(("2.0", (V1, AVX, V3)),), plain="selector")
SHAPES = (SPECIFIC, BOTH, SOLE)


def files_to_upload() -> list[tuple[str, str, Build]]:
    """Return project, version and build of every wheel of the grid."""
    return [
        (shape.project, version, build) for shape in SHAPES for version, builds in shape.releases for build in builds
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What must come of an installation: a release and a build of it, or a refusal (both None)."""

    version: str | None = None
    build: str | None = None


REFUSED = Expected()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One client on one machine, asking for one project."""

    client: Client
    machine: Machine
    shape: Shape

    @property
    def name(self) -> str:
        return f"{self.client.name}-{self.machine.name}-{self.shape.project}"

    @property
    def expected(self) -> Expected:
        """The rule.

        - Who tells the CPU (by URL, by User-Agent, or by choosing labels) gets the best build that fits of the newest
          release that has one.
        - Who tells nothing gets a release's ordinary wheel, where the project shows it; else the selector chooses the
          best build that fits. Where none fits, the newest release is refused, and only a pip that backtracks goes on
          to an older one.
        """
        for version, builds in self.shape.releases:
            if self.client.tells == "nothing" and self.shape.plain == "ordinary" and V1 in builds:
                return Expected(version=version, build=V1.name)
            fitting = [build for build in builds if BUILDS.index(build) <= BUILDS.index(self.machine.best)]
            if fitting:
                return Expected(version=version, build=max(fitting, key=BUILDS.index).name)
            if self.client.tells == "nothing" and not self.client.backtracks:
                return REFUSED
        return REFUSED


def grid() -> tuple[Cell, ...]:
    """Return every cell that can be tried."""
    return tuple(
        Cell(client=client, machine=machine, shape=shape)
        for client, shape in itertools.product(CLIENTS, SHAPES)
        if client.wide or shape is SPECIFIC
        for machine in client.machines
    )


def _pairs(cell: Cell) -> frozenset[tuple[str, str, str]]:
    """Return what one cell tries together.

    Each client with each shape and each release that can come of it, each machine with each shape, and each machine
    with each way of telling the CPU: two pips that tell the same differ by what they make of a refusal. So a client
    that is not tried with every shape is tried once with what it installs, and once refused where it would be.
    """
    client, outcome = cell.client, cell.expected.version or "refused"
    way = f"{client.tool} telling {client.tells}"
    if not client.wide:
        way, outcome = "any", "refused" if cell.expected == REFUSED else "installed"
    return frozenset(
        {
            ("client, shape", client.name, cell.shape.project),
            ("client, outcome", client.name, outcome),
            ("machine, shape", cell.machine.name, cell.shape.project),
            ("machine, way", cell.machine.name, way),
        }
    )


def pairwise(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Return few cells that try every pair that the whole grid tries, by taking the most useful one each time."""
    open_pairs = frozenset().union(*(_pairs(cell) for cell in cells))
    chosen: list[Cell] = []
    while open_pairs:
        best = max(cells, key=lambda cell: len(_pairs(cell) & open_pairs))
        chosen.append(best)
        open_pairs -= _pairs(best)
    return tuple(chosen)
