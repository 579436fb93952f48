"""The subcommands of ``cpufit-server``, a module each.

Each module has ``configure_parser(subparsers)``, which adds its parser with ``execute`` as the default of the same
name, and ``execute(arguments)``, which does the work and returns the exit code.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from packaging.utils import InvalidName, canonicalize_name

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no public name


def add_home_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--home``, which every command has that touches what is stored."""
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="folder with the catalog and the files (default: CPUFIT_HOME)"
    )


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``: one JSON document on standard output instead of text."""
    parser.add_argument("--json", action="store_true", help="write one JSON document to standard output")


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
