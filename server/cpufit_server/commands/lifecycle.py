"""``cpufit-server project yank``, ``unyank``, ``status``, ``delete`` and ``journal``."""

from __future__ import annotations

import argparse
import json
from typing import get_args

from cpufit_resolver import CpufitError
from cpufit_server.administration import lifecycle
from cpufit_server.administration.finding import snapshot_of
from cpufit_server.administration.lifecycle import Meant, files_as_dicts
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import JournalEntry, ProjectStatus, StoredFile
from cpufit_wheelhouse.errors import NoSuchProject
from cpufit_wheelhouse.home import open_home

from . import Subparsers, add_home_option, add_json_option, add_who_option, add_why_option, project_name, who_of


class NotConfirmed(CpufitError):
    """A deletion without the option that confirms it."""

    code = "not-confirmed"


def configure_parser(actions: Subparsers) -> None:
    """Add the actions to those of ``cpufit-server project``."""
    yank = actions.add_parser("yank", help="let installers pass over a file or a release, and say why (PEP 592)")
    yank.set_defaults(execute=execute_yank)
    unyank = actions.add_parser("unyank", help="let installers take a yanked file or release again")
    unyank.set_defaults(execute=execute_unyank)
    status = actions.add_parser("status", help="set a project's status (PEP 792)")
    status.set_defaults(execute=execute_status)
    delete = actions.add_parser("delete", help="remove a file, a release or a project for good")
    delete.set_defaults(execute=execute_delete)
    journal = actions.add_parser("journal", help="show who did what to a project, when and why, newest first")
    journal.set_defaults(execute=execute_journal)
    for parser in (yank, unyank, status, delete, journal):
        parser.add_argument("name", type=project_name, metavar="NAME")
    status.add_argument("status", choices=get_args(ProjectStatus), metavar="STATUS", help="; ".join(_MEANINGS))
    for parser in (yank, unyank, delete):
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--release", metavar="VERSION", help="all files of this version")
        which.add_argument("--file", metavar="FILE", help="a file, by its name or the beginning of its SHA-256")
        if parser is delete:
            which.add_argument("--everything", action="store_true", help="the project itself, with all that it has")
            delete.add_argument("--yes", action="store_true", help="do it; without this option it is only told")
    for parser in (yank, unyank, status, delete):
        add_why_option(parser)
        add_who_option(parser)
    journal.add_argument("--limit", type=int, default=100, metavar="N", help="the most entries (default: 100)")
    for parser in (yank, unyank, status, delete, journal):
        add_json_option(parser)
        add_home_option(parser)


_MEANINGS = (
    "active",
    "archived: takes no files",
    "quarantined: takes no files and is offered to nobody",
    "deprecated: something else should be used",
)


def execute_yank(arguments: argparse.Namespace) -> int:
    """Yank a file or a release; the reason stands on pages.

    :raises NoSuchProject: it is not there
    :raises NoSuchFile: it has no such release or file
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        files = lifecycle.yank(home, arguments.name, _meant(arguments), who=who_of(arguments), why=arguments.why)
    return _told(arguments, files, f"yanked: {arguments.why}", "yanked for this reason already")


def execute_unyank(arguments: argparse.Namespace) -> int:
    """End the yanking of a file or a release; errors as for yanking."""
    with open_home(load_settings(home=arguments.home).home) as home:
        files = lifecycle.unyank(home, arguments.name, _meant(arguments), who=who_of(arguments), why=arguments.why)
    return _told(arguments, files, "yanked no longer", "nothing of it is yanked")


def execute_status(arguments: argparse.Namespace) -> int:
    """Set a project's status.

    :raises NoSuchProject: it is not there
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        project = lifecycle.set_status(home, arguments.name, arguments.status, who=who_of(arguments), why=arguments.why)
    if arguments.json:
        told = {"project": project.name, "status": project.status, "reason": project.status_reason}
        print(json.dumps(told, indent=2))
    else:
        reason = "" if project.status_reason is None else f": {project.status_reason}"
        print(f"{project.display_name} is {project.status}{reason}")
    return 0


def execute_delete(arguments: argparse.Namespace) -> int:
    """Delete a file, a release or a project.

    :raises NotConfirmed: without ``--yes``; tells what would go
    :raises NoSuchProject: it is not there
    :raises NoSuchFile: it has no such release or file
    """
    meant = None if arguments.everything else _meant(arguments)
    with open_home(load_settings(home=arguments.home).home) as home:
        if not arguments.yes:
            snapshot = snapshot_of(home, arguments.name)
            files = snapshot.files if meant is None else meant.among(snapshot)
            names = "".join(f"\n  {file.filename} ({file.sha256[:16]})" for file in files)
            what = f"the project {snapshot.project.display_name}" if meant is None else "for good"
            raise NotConfirmed(f"this would delete {what}, {len(files)} files:{names}", hint="--yes does it")
        deleted = lifecycle.delete(home, arguments.name, meant, who=who_of(arguments), why=arguments.why)
    if arguments.json:
        print(json.dumps(deleted.as_dict(), indent=2))
        return 0
    for file in deleted.files:
        print(f"{file.filename}: deleted")
    if meant is None:
        print(f"{deleted.project.display_name} is not hosted here any more")
    print(f"  {deleted.swept.blobs} stored files with {deleted.swept.size} bytes were removed")
    return 0


def execute_journal(arguments: argparse.Namespace) -> int:
    """Show what was done to a project, also to one that is hosted no longer.

    :raises NoSuchProject: it is not there, and nothing is known of it
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        entries = home.catalog.journal.of(arguments.name, limit=max(1, arguments.limit))
        if not entries and home.catalog.project(arguments.name) is None:
            raise NoSuchProject(f"there is no project {arguments.name} here, and there never was")
    if arguments.json:
        print(json.dumps({"entries": [entry.as_dict() for entry in entries]}, indent=2))
        return 0
    for entry in entries:
        print(_line(entry))
    return 0


def _line(entry: JournalEntry) -> str:
    what = entry.project if entry.filename is None else f"{entry.filename} ({(entry.sha256 or '')[:16]})"
    return f"{entry.happened_at:%Y-%m-%d %H:%M} UTC  {entry.action}  {what}  {entry.who}: {entry.why}"


def _meant(arguments: argparse.Namespace) -> Meant:
    return Meant(version=arguments.release, file=arguments.file)


def _told(arguments: argparse.Namespace, files: tuple[StoredFile, ...], done: str, nothing: str) -> int:
    if arguments.json:
        print(json.dumps({"files": files_as_dicts(files)}, indent=2))
        return 0
    for file in files:
        print(f"{file.filename}: {done}")
    if not files:
        print(f"{arguments.name}: {nothing}")
    return 0
