"""Telling how far a long inspection is: a bar on a terminal, lines where they are asked for. To standard error."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

Progress = Callable[[str, int, int], None]

_LONG = 16 * 1024**2
"""Bytes of a wheel from which a bar is drawn."""


@contextlib.contextmanager
def narrating(path: Path, *, plain: bool) -> Iterator[Progress | None]:
    """Give what an inspection tells its progress to.

    :param plain: write lines where standard error is no terminal
    """
    if sys.stderr.isatty() and path.is_file() and path.stat().st_size >= _LONG:
        with _bar(path.name) as progress:
            yield progress
    elif plain:
        yield _line
    else:
        yield None


@contextlib.contextmanager
def narrating_bytes(title: str, total: int, *, quiet: bool) -> Iterator[Progress | None]:
    """Give what a long reading of several things tells its progress to: a bar on a terminal, else lines.

    :param total: bytes to be read in all; where they are few, nothing is told
    """
    if quiet or total < _LONG:
        yield None
    elif sys.stderr.isatty():
        with _bar(title) as progress:
            yield progress
    else:
        yield _line


def _line(member: str, done: int, total: int) -> None:
    print(f"  {done / 1e6:.1f} of {total / 1e6:.1f} MB read: {member}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _bar(name: str) -> Iterator[Progress]:
    from rich.console import Console  # noqa: PLC0415 - for people at a terminal only
    from rich.progress import BarColumn, DownloadColumn, TextColumn  # noqa: PLC0415 - as above
    from rich.progress import Progress as Bars  # noqa: PLC0415 - as above

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
    with Bars(*columns, console=Console(file=sys.stderr), transient=True) as bars:
        task = bars.add_task(name[:60], total=None)
        yield lambda _, done, total: bars.update(task, completed=done, total=total)
