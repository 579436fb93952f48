"""The subcommands of ``cpufit-server``, a module each.

Each module has ``configure_parser(subparsers)``, which adds its parser with ``execute`` as the default of the same
name, and ``execute(arguments)``, which does the work and returns the exit code.
"""

from __future__ import annotations

import argparse
import getpass
import re
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from packaging.utils import InvalidName, canonicalize_name

from cpufit_wheelhouse.errors import StoreError

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def add_home_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--home``, which every command has that touches what is stored."""
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="folder with the catalog and the files (default: CPUFIT_HOME)"
    )


def existing_home(path: Path) -> Path:
    """Return a home that is there already: a mistyped one is not made, and found to be in order.

    :raises StoreError: it is not there
    """
    if not path.is_dir():
        raise StoreError(f"there is no home {path}", code="no-home", hint="give it with --home, or set CPUFIT_HOME")
    return path


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``: one JSON document on standard output instead of text."""
    parser.add_argument("--json", action="store_true", help="write one JSON document to standard output")


def add_why_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--why``, which goes on record."""
    parser.add_argument("--why", required=True, type=words, metavar="TEXT", help="the reason, for whoever asks later")


def add_who_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--who``, which goes on record; see :func:`who_of`."""
    parser.add_argument("--who", type=words, metavar="NAME", help="who says so (default: the user that runs this)")


def who_of(arguments: argparse.Namespace) -> str:
    """Return who does it, for the record."""
    return getattr(arguments, "who", None) or getpass.getuser()


def span(text: str) -> timedelta:
    """Return a span of hours, days or weeks, for ``argparse``: ``12h``, ``90d``, ``6w``."""
    found = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"not a span such as 12h, 90d or 6w: {text[:80]!r}")
    return int(found[1]) * _UNITS[found[2]]


_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def words(text: str) -> str:
    """Return what somebody says for the record, for ``argparse``: on one line, and not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("say something: it is what stands on record")
    return " ".join(text.split())


def project_name(text: str) -> str:
    """Return a project's name as somebody wrote it, for ``argparse``; the catalog keeps it for display."""
    try:
        canonicalize_name(text, validate=True)
    except InvalidName:
        raise argparse.ArgumentTypeError(f"not a project name: {text!r}") from None
    return text


def at_least_one(text: str) -> int:
    """Return a number of one or more, for ``argparse``."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"not a number of at least 1: {text!r}")
    return number
