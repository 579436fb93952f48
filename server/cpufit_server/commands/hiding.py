"""``cpufit-server project hide`` and ``unhide``: a file in no view, with who said so, when and why."""

from __future__ import annotations

import argparse

from cpufit_server.administration.hiding import hide, unhide
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import Hiding
from cpufit_wheelhouse.home import open_home

from . import Subparsers, add_home_option, add_who_option, add_why_option, project_name, who_of


def configure_parser(actions: Subparsers) -> None:
    """Add the two actions to those of ``cpufit-server project``."""
    parser = actions.add_parser("hide", help="let a file stand in no view, and record why; its address stays valid")
    _add_file(parser)
    add_why_option(parser)
    add_who_option(parser)
    add_home_option(parser)
    parser.set_defaults(execute=execute_hide)
    parser = actions.add_parser("unhide", help="let a hidden file stand in the views again; the record of it stays")
    _add_file(parser)
    add_home_option(parser)
    parser.set_defaults(execute=execute_unhide)


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
        hidden = hide(home, arguments.name, arguments.file, who=who_of(arguments), why=arguments.why)
    if hidden.already:
        print(f"{hidden.file.filename} is hidden already")
        return 0
    print(f"{hidden.file.filename}: {sentence(hidden.hiding)}")
    if hidden.last:
        print(f"  nothing of {hidden.file.project} {hidden.file.version} is left in any view")
    return 0


def execute_unhide(arguments: argparse.Namespace) -> int:
    """End the hiding of a file.

    :raises NoSuchProject: it is not hosted
    :raises NoSuchFile: the project has no such file, or it is not hidden
    :raises StoreError: the name is that of several files
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        file = unhide(home, arguments.name, arguments.file, who=who_of(arguments), why="")
    print(f"{file.filename}: in the views again")
    return 0


def sentence(hiding: Hiding) -> str:
    """Return what a person reads of a hiding in force."""
    return f"hidden by {hiding.who}, {hiding.created_at:%Y-%m-%d %H:%M} UTC: {hiding.why}"
