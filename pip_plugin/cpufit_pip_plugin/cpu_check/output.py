"""How a report is told: lines for a person, one JSON object for a program, or nothing but the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .installers import Warned


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where and how to tell it."""

    as_json: bool
    quiet: bool
    colour: bool

    @classmethod
    def of(cls, *, as_json: bool, quiet: bool) -> Output:
        """Return the output that was asked for; colours on a terminal alone, and not where NO_COLOR is set."""
        return cls(as_json=as_json, quiet=quiet, colour=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))

    def json(self, body: Mapping[str, Any]) -> None:
        """Print an object."""
        import json  # noqa: PLC0415  # only this form needs it

        if not self.quiet:
            print(json.dumps(body, indent=2))

    def lines(self, lines: Iterable[str], warnings: Sequence[Warned] = ()) -> None:
        """Print lines, and warnings to standard error."""
        if self.quiet:
            return
        print("\n".join(lines))
        for warning in warnings:
            print(f"cpu-check: warning: {warning.message}", file=sys.stderr)

    def aside(self, text: str) -> None:
        """Tell a person who waits, on standard error."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)
