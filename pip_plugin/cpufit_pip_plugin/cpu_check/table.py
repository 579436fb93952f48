"""Tables for a terminal or a pipe: aligned columns, a colour for the first."""

from __future__ import annotations

from collections.abc import Sequence

from .report import paint

GREEN, RED, YELLOW = "\x1b[32m", "\x1b[31m", "\x1b[33m"


def table(rows: Sequence[Sequence[str]], colours: Sequence[str], *, colour: bool) -> list[str]:
    """Return the rows as lines, every column but the last as wide as its widest cell.

    :param colours: for each row that of its first cell
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row, code in zip(rows, colours, strict=True):
        cells = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)]
        cells[0] = paint(cells[0], code, colour=colour)
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return lines
