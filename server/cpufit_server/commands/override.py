"""``cpufit-server override``: an operator's word on what a wheel needs, above its verdict, with who, when and why."""

from __future__ import annotations

import argparse
import getpass
import json

from cpufit_resolver.need import parse_need
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import StoredFile
from cpufit_wheelhouse.errors import NoSuchFile
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.judgement import NoInspector, Override
from cpufit_wheelhouse.reinspection import Reinspected, Reinspection

from . import Subparsers, add_home_option, add_json_option
from .reinspect import sentence


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand and its own."""
    parser = subparsers.add_parser("override", help="say what a wheel needs, against its verdict, and record why")
    actions = parser.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    change = actions.add_parser("set", help="record an override; an earlier one for the same bytes ends")
    change.add_argument("sha256", metavar="SHA256", help="of the stored wheel, as its project's page gives it")
    change.add_argument("--needs", required=True, metavar="NEED", help="what it needs: x86_64_v2, x86_64_v1+sse3")
    change.add_argument("--why", required=True, metavar="TEXT", help="the reason, for whoever asks later")
    change.add_argument("--who", metavar="NAME", help="who says so (default: the user that runs this)")
    add_home_option(change)
    change.set_defaults(execute=execute_set)
    end = actions.add_parser("end", help="end an override: the verdict counts again")
    end.add_argument("sha256", metavar="SHA256", help="of the stored wheel")
    add_home_option(end)
    end.set_defaults(execute=execute_end)
    show = actions.add_parser("list", help="list the overrides in force")
    add_home_option(show)
    add_json_option(show)
    show.set_defaults(execute=execute_list)


def execute_set(arguments: argparse.Namespace) -> int:
    """Record an override and apply it.

    :raises NoSuchFile: no wheel with these bytes is stored
    :raises InvalidCpuToken: the need cannot be read
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        files = _files(home, arguments.sha256)
        need = parse_need(arguments.needs, parse_wheel_filename(files[0].filename).architectures())
        who = arguments.who or getpass.getuser()
        home.catalog.inspections.set_override(arguments.sha256, need, who=who, why=arguments.why)
        return _applied(home, files)


def execute_end(arguments: argparse.Namespace) -> int:
    """End an override and apply the verdict again.

    :raises NoSuchFile: there is no such override
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        files = _files(home, arguments.sha256)
        if not home.catalog.inspections.end_override(arguments.sha256):
            raise NoSuchFile(f"there is no override for {arguments.sha256[:64]}", code="no-such-override")
        return _applied(home, files)


def execute_list(arguments: argparse.Namespace) -> int:
    """List the overrides in force."""
    with open_home(load_settings(home=arguments.home).home) as home:
        overrides = home.catalog.inspections.overrides()
    if arguments.json:
        print(json.dumps({"overrides": [_as_dict(one) for one in overrides]}, indent=2))
        return 0
    for one in overrides:
        print(f"{one.sha256}  needs {one.need.key}  {one.who}, {one.created_at:%Y-%m-%d}: {one.why}")
    return 0


def _files(home: Home, sha256: str) -> tuple[StoredFile, ...]:
    files = tuple(file for file in home.catalog.find_file(sha256) if file.kind == "wheel")
    if not files:
        raise NoSuchFile(f"no wheel with SHA-256 {sha256[:64]!r} is stored here")
    return files


def _applied(home: Home, files: tuple[StoredFile, ...]) -> int:
    use_case = Reinspection(catalog=home.catalog, blobs=home.blobs, inspector=NoInspector())
    done: list[Reinspected] = []
    for file in files:
        done.append(use_case.apply(file, home.catalog.inspections.verdict(file.sha256)))
        print(sentence(done[-1]))
    return 1 if any(one.outcome in ("conflict", "failed") for one in done) else 0


def _as_dict(one: Override) -> dict[str, object]:
    return {
        "sha256": one.sha256,
        "need": one.need.as_dict(),
        "who": one.who,
        "why": one.why,
        "created_at": one.created_at.isoformat(),
    }
