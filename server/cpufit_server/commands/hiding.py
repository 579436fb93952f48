"""``cpufit-server project hide`` and ``unhide``: a file in no view, with who said so, when and why."""

from __future__ import annotations

import argparse
import getpass
import re

from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import Hiding, ProjectSnapshot, StoredFile
from cpufit_wheelhouse.errors import NoSuchFile, NoSuchProject, StoreError
from cpufit_wheelhouse.home import Home, open_home

from . import Subparsers, add_home_option, project_name, words

_SHORTEST_HASH = 8
"""Hexadecimal digits from which on the beginning of a SHA-256 names a file."""


def configure_parser(actions: Subparsers) -> None:
    """Add the two actions to those of ``cpufit-server project``."""
    hide = actions.add_parser("hide", help="let a file stand in no view, and record why; its address stays valid")
    _add_file(hide)
    hide.add_argument("--why", required=True, type=words, metavar="TEXT", help="the reason, for whoever asks later")
    hide.add_argument("--who", type=words, metavar="NAME", help="who says so (default: the user that runs this)")
    add_home_option(hide)
    hide.set_defaults(execute=execute_hide)
    unhide = actions.add_parser("unhide", help="let a hidden file stand in the views again; the record of it stays")
    _add_file(unhide)
    add_home_option(unhide)
    unhide.set_defaults(execute=execute_unhide)


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=project_name, metavar="NAME")
    parser.add_argument("file", metavar="FILE", help="the file's name, or the beginning of its SHA-256")


def execute_hide(arguments: argparse.Namespace) -> int:
    """Hide a file; one that is hidden already stays so, for the reason on record.

    :raises NoSuchProject: it is not hosted
    :raises NoSuchFile: the project has no such file
    :raises StoreError: the name is that of several files
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        file = _find(_snapshot(home, arguments.name), arguments.file)
        who = arguments.who or getpass.getuser()
        hiding = home.catalog.hidings.hide(arguments.name, file.sha256, who=who, why=arguments.why)
        if hiding is None:
            print(f"{file.filename} is hidden already")
            return 0
        print(f"{file.filename}: {sentence(hiding)}")
        left = _snapshot(home, arguments.name).shown().files
    if not any(other.version == file.version for other in left):
        print(f"  nothing of {file.project} {file.version} is left in any view")
    return 0


def execute_unhide(arguments: argparse.Namespace) -> int:
    """End the hiding of a file.

    :raises NoSuchProject: it is not hosted
    :raises NoSuchFile: the project has no such file, or it is not hidden
    :raises StoreError: the name is that of several files
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        file = _find(_snapshot(home, arguments.name), arguments.file)
        if not home.catalog.hidings.show(arguments.name, file.sha256):
            raise NoSuchFile(f"{file.filename} is not hidden", where=arguments.name, code="not-hidden")
    print(f"{file.filename}: in the views again")
    return 0


def sentence(hiding: Hiding) -> str:
    """Return what a person reads of a hiding in force."""
    return f"hidden by {hiding.who}, {hiding.created_at:%Y-%m-%d %H:%M} UTC: {hiding.why}"


def _snapshot(home: Home, name: str) -> ProjectSnapshot:
    snapshot = home.catalog.snapshot(name)
    if snapshot is None:
        raise NoSuchProject(f"there is no project {name} here")
    return snapshot


def _find(snapshot: ProjectSnapshot, text: str) -> StoredFile:
    """Return the file that somebody names: by its name, a labelled form's name, or the beginning of its hash."""
    made_of = {derived.file_id for derived in snapshot.derived if derived.filename == text}
    found = [file for file in snapshot.files if file.filename == text or file.id in made_of]
    if not found and re.fullmatch(f"[0-9a-fA-F]{{{_SHORTEST_HASH},64}}", text):
        found = [file for file in snapshot.files if file.sha256.startswith(text.lower())]
    if not found:
        raise NoSuchFile(
            f"the project has no file {text[:255]}",
            where=snapshot.project.name,
            hint=f"cpufit-server project show {snapshot.project.name} lists them",
        )
    if len({file.sha256 for file in found}) > 1:
        told = ", ".join(f"{file.sha256[:16]} ({file.need_key})" for file in found)
        raise StoreError(
            f"{text[:255]} is the name of several files",
            where=snapshot.project.name,
            code="ambiguous-file",
            hint=f"give one's SHA-256, or its beginning: {told}",
        )
    return found[0]
