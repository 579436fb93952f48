"""The page ``docs/reference/speed.md``, from the figures in ``index.json``. Values in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OURS = "cpufit"
LIMITS = ("nginx", "raw ASGI")

HEAD = """\
# How fast it answers

<!-- Written by python -m benchmarks.index --write; a test holds it to its data. -->

How many times as fast cpufit is as others, with the same files, one after another: the server on one core, the load
(wrk, 16 connections, 4 for the large file) on another. **Bold** is a cell where cpufit is the slower one. nginx and a
bare ASGI application (uvicorn with uvloop and httptools) send pages that lie ready and know nothing: they are the
limits, not rivals: the bytes are those that cpufit sends. Access logs are off everywhere. For seconds and memory a cell
tells how many times as much the other one takes. Pages are asked for without compression, and as pip asks, with gzip,
which an index that does not compress answers as it can. A dash: it cannot, or not within the time.

To repeat it, on a machine that does nothing else: `python -m benchmarks.index`.

"""

TITLES = {
    "pages": "One project of 1,000 files, and files of 1 kB and 100 MB",
    "uploads": "1,000 small wheels over 16 connections",
    "cold": "100,000 files in 5,000 projects: start, memory, a page",
    "huge": "One project of 46,725 files",
    "growth": "cpufit alone, from 1,000 to 100,000 files",
    "taking": "cpufit alone: uploads, by what is there already",
}
_ALONE = """\
How many times as fast it is as in the first column; for seconds and memory, how many times as much it takes.

"""
_KEYS = (("per_second", False), ("seconds", True), ("resident", True))


def page(told: Mapping[str, Any]) -> str:
    """Return the page: a table of ratios for each phase that was measured beside others."""
    parts = [HEAD]
    for phase, title in TITLES.items():
        kept = told["phases"].get(phase)
        if kept is None:
            continue
        machine, found = kept["machine"], kept["found"]
        parts.append(f"## {title}\n\n{table(found) if OURS in found else _ALONE + changes(found)}\n")
        parts.append(f"{kept['date']}; {machine['cpu']}, {machine['cores']} cores; Python {machine['python']}.\n\n")
    return "".join(parts).rstrip("\n") + "\n"


def table(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the ratios: a row for each measure of ours, a column for each other index."""
    others = sorted((name for name in found if name != OURS), key=lambda name: name in LIMITS)
    lines = [f"| | {' | '.join(others)} |", "|---|" + "---:|" * len(others)]
    for measure, ours in found[OURS].items():
        cells = [_cell(ours, found[name].get(measure)) for name in others]
        if any(cell != "—" for cell in cells):
            lines.append(f"| {measure} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def changes(found: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return what becomes of each measure: a column for each state, in ratios to the first."""
    first, *others = found
    lines = [f"| | {first} | {' | '.join(others)} |", "|---|---:|" + "---:|" * len(others)]
    for measure, figures in found[first].items():
        key = next((key for key, _ in _KEYS if figures.get(key)), None)
        if key is not None:
            ratios = [found[name][measure][key] / figures[key] for name in others]
            lines.append(f"| {measure} | 1 | {' | '.join(map(_digits, ratios))} |")
    return "\n".join(lines) + "\n"


def _cell(ours: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> str:
    if theirs is None or (theirs.get("errors") and not ours.get("errors")):
        return "—"
    for key, less in _KEYS:
        if ours.get(key) and theirs.get(key):
            ratio = theirs[key] / ours[key] if less else ours[key] / theirs[key]
            return f"**{_digits(ratio)}**" if ratio < 1 else _digits(ratio)
    return "—"


def _digits(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"  # two digits are known
