"""``cpufit-server override``: an operator's word on what a wheel needs, above its verdict, with who, when and why."""

from __future__ import annotations

import argparse
import getpass
import json
import re

from cpufit_resolver.need import Need, parse_need
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import StoredFile, new_override
from cpufit_wheelhouse.errors import NoSuchFile, StoreError
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.judgement import NoInspector, Override, check_complete
from cpufit_wheelhouse.reinspection import Reinspected, Reinspection

from . import Subparsers, add_home_option, add_json_option, words
from .reinspect import sentence


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand and its own."""
    parser = subparsers.add_parser("override", help="say what a wheel needs, against its verdict, and record why")
    actions = parser.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    change = actions.add_parser("set", help="record an override; an earlier one for the same bytes ends")
    change.add_argument("sha256", type=_sha256, metavar="SHA256", help="of the wheel's bytes, stored or held")
    change.add_argument("--needs", required=True, metavar="NEED", help="what it needs: x86_64_v2, x86_64_v1+sse3")
    change.add_argument("--why", required=True, type=words, metavar="TEXT", help="the reason, for whoever asks later")
    change.add_argument("--who", type=words, metavar="NAME", help="who says so (default: the user that runs this)")
    change.add_argument(
        "--beforehand",
        action="store_true",
        help="for a wheel that is not here yet: it counts when these bytes are uploaded",
    )
    add_home_option(change)
    change.set_defaults(execute=execute_set)
    end = actions.add_parser("end", help="end an override: the verdict counts again")
    end.add_argument("sha256", type=_sha256, metavar="SHA256", help="of the wheel's bytes")
    add_home_option(end)
    end.set_defaults(execute=execute_end)
    show = actions.add_parser("list", help="list the overrides in force")
    show.add_argument("--all", action="store_true", help="also those that were ended or replaced, with when")
    add_home_option(show)
    add_json_option(show)
    show.set_defaults(execute=execute_list)


def execute_set(arguments: argparse.Namespace) -> int:
    """Record an override and apply it.

    :raises NoSuchFile: no wheel with these bytes is stored or held, and it is not meant for a later one
    :raises InvalidCpuToken: the need cannot be read
    :raises NeedRefused: it says nothing of one of the wheel's architectures
    :raises StoreError: another file of the wheel's name has this need
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        need = _need(home, arguments)
        who = arguments.who or getpass.getuser()
        files = _files(home, arguments.sha256)
        _check_names(home, files, new_override(arguments.sha256, need, who=who, why=arguments.why))
        home.catalog.inspections.set_override(arguments.sha256, need, who=who, why=arguments.why)
        passing = home.catalog.upstream.names(arguments.sha256)
        if passing:
            print(f"recorded {arguments.sha256} (needs {need.key}): a running server counts it within a minute")
        elif not files:
            print(f"recorded {arguments.sha256} (needs {need.key}): it counts when the file comes in")
        return _applied(home, files)


def execute_end(arguments: argparse.Namespace) -> int:
    """End an override and apply what counts without it.

    :raises NoSuchFile: there is no such override
    :raises StoreError: another file of the wheel's name has the need that would count then
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        _check_names(home, _files(home, arguments.sha256), None)
        if not home.catalog.inspections.end_override(arguments.sha256):
            raise NoSuchFile(f"there is no override for {arguments.sha256}", code="no-such-override")
        return _applied(home, _files(home, arguments.sha256))


def execute_list(arguments: argparse.Namespace) -> int:
    """List the overrides: those in force, or all that there ever were."""
    with open_home(load_settings(home=arguments.home).home) as home:
        found = [(one, _names(home, one.sha256)) for one in home.catalog.inspections.overrides(ended=arguments.all)]
    if arguments.json:
        print(json.dumps({"overrides": [one.as_dict() | {"filenames": names} for one, names in found]}, indent=2))
        return 0
    for one, names in found:
        print("\n".join(_lines(one, names)))
    return 0


def _lines(one: Override, names: list[str]) -> list[str]:
    ended = "" if one.ended_at is None else f", ended {one.ended_at:%Y-%m-%d %H:%M} UTC"
    return [
        f"{', '.join(names) or 'not here yet'}: needs {one.need.key}",
        f"  {one.who}, {one.created_at:%Y-%m-%d %H:%M} UTC{ended}: {one.why}",
        f"  {one.sha256}",
    ]


def _need(home: Home, arguments: argparse.Namespace) -> Need:
    names = _names(home, arguments.sha256)
    if not names and not arguments.beforehand:
        raise NoSuchFile(
            f"no wheel with SHA-256 {arguments.sha256} is stored or held here",
            hint="with --beforehand it is recorded for a wheel that comes later",
        )
    architectures = parse_wheel_filename(names[0]).architectures() if names else frozenset[str]()
    need = parse_need(arguments.needs, architectures)
    if any(file.has_native for file in _files(home, arguments.sha256)):
        check_complete(need, architectures)
    return need


def _files(home: Home, sha256: str) -> tuple[StoredFile, ...]:
    return tuple(file for file in home.catalog.find_file(sha256) if file.kind == "wheel")


def _names(home: Home, sha256: str) -> list[str]:
    """Return the names under which these bytes are stored, wait for their verdict or passed through and were read."""
    held = (one.filename for one in home.catalog.inspections.held(state="waiting") if one.sha256 == sha256)
    stored = (file.filename for file in _files(home, sha256))
    return list(dict.fromkeys([*stored, *held, *home.catalog.upstream.names(sha256)]))


def _check_names(home: Home, files: tuple[StoredFile, ...], override: Override | None) -> None:
    """Refuse what would stand on record and not count: two files of one name never have one need."""
    use_case = Reinspection(catalog=home.catalog, blobs=home.blobs, inspector=NoInspector())
    for file in files:
        told = use_case.conflict(file, home.catalog.inspections.verdict(file.sha256), override)
        if told is not None:
            raise StoreError(
                f"nothing was changed: {told}",
                where=f"{file.project} {file.filename}",
                code="need-taken",
                hint="give one of the two another need first, or release one of them under a build tag",
            )


def _applied(home: Home, files: tuple[StoredFile, ...]) -> int:
    use_case = Reinspection(catalog=home.catalog, blobs=home.blobs, inspector=NoInspector())
    done: list[Reinspected] = []
    for file in files:
        done.append(use_case.apply(file, home.catalog.inspections.verdict(file.sha256)))
        print(sentence(done[-1]))
    return 1 if any(one.outcome in ("conflict", "failed") for one in done) else 0


def _sha256(text: str) -> str:
    if re.fullmatch("[0-9a-fA-F]{64}", text) is None:
        raise argparse.ArgumentTypeError(f"not a SHA-256 in hexadecimal: {text[:80]!r}")
    return text.lower()
