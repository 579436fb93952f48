"""The requirements that a run checks, what came of each, and the table of scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import pytest

Level = Literal["MUST", "SHOULD"]
Result = Literal["passed", "failed", "not applicable"]
LEVELS: tuple[Level, ...] = ("MUST", "SHOULD")
SPECS = (
    "PEP 503",
    "PEP 592",
    "PEP 629",
    "PEP 658/714",
    "PEP 691",
    "PEP 700",
    "PEP 740",
    "PEP 792",
    "PEP 833",
    "PEP 427/625",
    "Upload",
    "HTTP",
)
"""In the order of the table. ``Upload`` is the legacy protocol as it is documented and spoken; ``HTTP`` what installers
need of RFC 9110 and 9111."""


def must(spec: str, section: str, text: str) -> pytest.MarkDecorator:
    """Mark a test as that of a requirement whose level is MUST, SHALL or REQUIRED (RFC 2119)."""
    return pytest.mark.requirement(spec=spec, section=section, level="MUST", text=text)


def should(spec: str, section: str, text: str) -> pytest.MarkDecorator:
    """Mark a test as that of a requirement whose level is SHOULD or RECOMMENDED (RFC 2119)."""
    return pytest.mark.requirement(spec=spec, section=section, level="SHOULD", text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One sentence of a specification, cited in a few words."""

    spec: str
    section: str
    level: Level
    text: str

    @classmethod
    def of(cls, item: pytest.Item) -> Requirement:
        """Return the requirement that a test is for.

        :raises pytest.UsageError: it says none, or one that the table has no place for
        """
        marker = item.get_closest_marker("requirement")
        if marker is None:
            raise pytest.UsageError(f"{item.nodeid} says no requirement")
        found = cls(**marker.kwargs)
        if found.spec not in SPECS or found.level not in LEVELS:
            raise pytest.UsageError(f"{item.nodeid}: {found.spec}, {found.level} has no place in the table")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of one requirement."""

    requirement: Requirement
    test: str
    result: Result
    reason: str = ""
    """Why it failed or does not apply, in one line."""


def count(checked: Iterable[Checked], spec: str, level: Level) -> dict[Result, int]:
    """Return how many requirements of one specification and level had each result."""
    found: dict[Result, int] = {"passed": 0, "failed": 0, "not applicable": 0}
    for one in checked:
        if (one.requirement.spec, one.requirement.level) == (spec, level):
            found[one.result] += 1
    return found


def table(checked: Sequence[Checked]) -> list[str]:
    """Return the lines of the table: per specification what passed of what applies, and what does not apply."""
    lines = [f"{'':14}{'MUST':>10}{'SHOULD':>10}{'not applicable':>17}"]
    for spec in [*SPECS, "all"]:
        chosen = [one for one in checked if spec in (one.requirement.spec, "all")]
        cells, apart = [], 0
        for level in LEVELS:
            parts = [count(chosen, name, level) for name in SPECS]
            passed = sum(part["passed"] for part in parts)
            applies = passed + sum(part["failed"] for part in parts)
            apart += sum(part["not applicable"] for part in parts)
            cells.append(f"{passed}/{applies}" if applies else "-")
        lines.append(f"{spec:14}{cells[0]:>10}{cells[1]:>10}{apart:>17}")
    return lines


def failures(checked: Iterable[Checked]) -> list[str]:
    """Return one line for each requirement that is not met."""
    return [
        f"{one.requirement.level:6} {one.requirement.spec}, {one.requirement.section}: {one.requirement.text}"
        f" ({one.reason})"
        for one in checked
        if one.result == "failed"
    ]


def as_json(checked: Sequence[Checked], *, index_url: str, read_only: bool) -> dict[str, Any]:
    """Return the figures of a run, and each requirement with its result."""
    return {
        "index_url": index_url,
        "read_only": read_only,
        "scores": {spec: {level: count(checked, spec, level) for level in LEVELS} for spec in SPECS},
        "requirements": [
            {**asdict(one.requirement), "test": one.test, "result": one.result, "reason": one.reason} for one in checked
        ],
    }
