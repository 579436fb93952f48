"""The page of docs/reference that tells which requirements each index meets, made of the figures of conformance.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Figures = dict[str, Any]
NOTHING = "-"


def page(found: dict[str, Figures]) -> str:
    """Return the reference page."""
    names = list(found)
    specs = list(next(iter(found.values()))["scores"])
    lines = [
        "# Conformance of this index and of others",
        "",
        "Made by `python -m benchmarks.conformance --write`, which runs the suite of `tests/conformance/`",
        "([how to run it](../how-to/check-an-index.md)) against each index on one machine. A cell is met/applies: what",
        "a specification leaves open and an index does not have is not counted, nor what needs an upload where there",
        "is none. How levels are set where nothing is specified is in the suite's",
        "[README](../../tests/conformance/README.md).",
        "",
        *_row(["", *(f"{name} {found[name]['version'].replace('this', '')}".strip() for name in names)]),
        *_row(["---"] * (len(names) + 1)),
    ]
    for spec in specs:
        for level in ("MUST", "SHOULD"):
            cells = [_cell(figures, [spec], level) for figures in found.values()]
            if set(cells) != {NOTHING}:
                lines += _row([f"{spec}, {level}", *cells])
    for level in ("MUST", "SHOULD"):
        lines += _row([f"**all, {level}**", *(_cell(figures, specs, level) for figures in found.values())])
    read_only = [name for name in names if found[name]["read_only"]]
    if read_only:
        lines += ["", f"Only read, since they take no uploads: {', '.join(read_only)}."]
    lines += ["", "## What is not met", ""]
    for name, figures in found.items():
        unmet = figures["unmet"]
        lines += [f"### {name}", "", *(["Nothing."] if not unmet else _unmet(unmet, specs)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _unmet(requirements: Sequence[Figures], specs: Sequence[str]) -> list[str]:
    """Return one line for each specification and level: what is not met, each requirement once."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for one in requirements:
        texts = grouped.setdefault((one["spec"], one["level"]), [])
        if one["text"] not in texts:
            texts.append(one["text"])
    order = sorted(grouped, key=lambda key: (specs.index(key[0]), key[1]))
    return [f"- {spec}, {level}: {_escaped('; '.join(grouped[spec, level]))}." for spec, level in order]


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;").replace("*", "\\*").replace("_", "\\_")


def _cell(figures: Figures, specs: Sequence[str], level: str) -> str:
    parts = [figures["scores"][spec][level] for spec in specs]
    met = sum(part["passed"] for part in parts)
    applies = met + sum(part["failed"] for part in parts)
    return f"{met}/{applies}" if applies else NOTHING


def _row(cells: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |"]
