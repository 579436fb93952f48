"""Telling a person what goes on: bars on a terminal, plain lines anywhere else. All of it goes to standard error."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TextIO

Advance = Callable[[int], None]
"""Called with the number of bytes that came."""


class Reporter(Protocol):
    """What a long piece of work narrates to."""

    def step(self, text: str) -> None:
        """Tell that something begins or happened."""

    def transfer(self, label: str, total: int | None) -> AbstractContextManager[Advance]:
        """Tell of bytes that come, ``total`` of them where that is known."""


class PlainReporter:
    """Lines: one for each step, one when a transfer begins and one when it ended."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def step(self, text: str) -> None:
        """Write the step as a line."""
        print(text, file=self._stream, flush=True)

    @contextlib.contextmanager
    def transfer(self, label: str, total: int | None) -> Iterator[Advance]:
        """Write what comes, and afterwards how much came in which time."""
        received = 0
        started = time.monotonic()

        def advance(count: int) -> None:
            nonlocal received
            received += count

        self.step(f"  {label}" if total is None else f"  {label} ({megabytes(total)})")
        yield advance
        self.step(f"  {label}: {megabytes(received)} in {time.monotonic() - started:.1f} s")


class RichReporter:
    """A terminal: steps as lines, transfers as bars that leave no trace."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415 - loaded for people at a terminal only

        self._console = Console(file=stream, highlight=False)

    def step(self, text: str) -> None:
        """Write the step as a line; what looks like markup in it is text."""
        self._console.print(text, markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def transfer(self, label: str, total: int | None) -> Iterator[Advance]:
        """Draw a bar while the bytes come."""
        from rich.progress import (  # noqa: PLC0415 - as above
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.table import Column  # noqa: PLC0415 - as above

        columns = (
            # a wheel's name is long: what is left of the line is the bar's
            TextColumn(
                "  {task.description}",
                markup=False,
                table_column=Column(max_width=self._console.width // 3, no_wrap=True, overflow="ellipsis"),
            ),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(label, total=total)
            yield lambda count: bars.advance(task, count)


class Narrated:
    """Tells a reporter of an inspection, a line when its first library is done; only of those that take time."""

    def __init__(self, reporter: Reporter, *, at_least: int = 32 * 1024**2) -> None:
        """Take the bytes of machine code and data below which nothing is told."""
        self._reporter = reporter
        self._at_least = at_least
        self._told = 0.0

    def __call__(self, member: str, done: int, total: int) -> None:
        """Take a step of the inspection; the protocol of :mod:`cpufit_wheelhouse.inspection.workers`."""
        now = time.monotonic()
        if total < self._at_least or (done < total and now - self._told < 2.0):
            return
        self._told = now
        self._reporter.step(f"  inspecting: {megabytes(done)} of {megabytes(total)} read, {member}")


def make_reporter(stream: TextIO | None = None) -> Reporter:
    """Return the reporter for a stream; without one, for standard error."""
    target = sys.stderr if stream is None else stream
    return RichReporter(target) if target.isatty() else PlainReporter(target)


def megabytes(count: int) -> str:
    """Return a number of bytes for people: ``39.7 MB``."""
    return f"{count / 1e6:.1f} MB"
