"""The page ``docs/reference/door.md``, from the answers in ``door.json``. Values in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEAD = """\
# What comes in by the door

<!-- Written by python -m benchmarks.door --write; a test holds it to its data. -->

The same {count} uploads were sent to {servers} on {date}, to each server as it
is installed, on the loopback; each upload has a project of its own. devpi's index was made with `volatile=False`, which
keeps files from being replaced; pypiserver ran without passwords, which have no part in what is asked here.

A **bold** status is not the one that is wanted; a bold 200 means that the file was taken.
What each upload is: `tests/flow/upload_probes.py`. To repeat it: `python -m benchmarks.door`.

"""


def table(told: Mapping[str, Any]) -> str:
    """Return the table: a row for each upload, a column for each index."""
    columns: Mapping[str, Any] = told["columns"]
    heads = [f"{name} {column['version']}" for name, column in columns.items()]
    lines = [f"| upload | wanted | {' | '.join(heads)} |", "|---|---|" + "---|" * len(heads)]
    for number, probe in enumerate(told["probes"]):
        cells = [_cell(column["answers"][number], probe["wanted"]) for column in columns.values()]
        lines.append(f"| {probe['name']} | {probe['wanted'][0]} | {' | '.join(cells)} |")
    right = [
        sum(status in probe["wanted"] for status, probe in zip(column["answers"], told["probes"], strict=True))
        for column in columns.values()
    ]
    lines.append(f"| *as wanted* | {len(told['probes'])} | {' | '.join(map(str, right))} |")
    return "\n".join(lines) + "\n"


def page(told: Mapping[str, Any]) -> str:
    """Return the page."""
    servers = [f"{name} {column['version']}" for name, column in told["columns"].items()]
    named = f"{', '.join(servers[:-1])} and {servers[-1]}"
    return HEAD.format(count=len(told["probes"]), servers=named, date=told["date"]) + table(told)


def _cell(status: int | None, wanted: list[int]) -> str:
    text = "no answer" if status is None else str(status)
    return text if status in wanted else f"**{text}**"
