"""``cpufit config set|show|undo``: the profile URL in the settings of pip and uv, and their settings as they were."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cpufit_pip_plugin.cpu_check.index import InvalidIndexUrl, read_address
from cpufit_pip_plugin.cpu_check.installers import (
    extra_index_warnings,
    pip_config_paths,
    pip_index,
    read_existing,
    uv_config_paths,
)
from cpufit_resolver import CpufitError, CpuProfile
from cpufit_resolver.detection import profile_for

from .settings.plan import TOOLS, Write, carry_out, plan, settings_files
from .settings.restoring import SettingsFile
from .situation import ATTENTION, DONE, add_options, situation_of, surroundings


def configure_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand and its own three."""
    parser = subparsers.add_parser(
        "config",
        help="write the profile URL into the settings of pip and uv, and restore them",
        epilog="exit codes: 0 done; 1 show: something needs attention; 2 usage, or a file that stays as it is; "
        "3 the index that was named is no cpufit server",
    )
    actions = parser.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    setting = actions.add_parser("set", help="write pip.conf and uv.toml; what was there is kept for undo")
    add_options(setting)
    showing = actions.add_parser("show", help="tell what is set, and for which CPU")
    undoing = actions.add_parser("undo", help="restore the files byte for byte")
    undoing.add_argument("--force", action="store_true", help="also where a file was changed since, losing the changes")
    for action, execute in ((setting, set_), (showing, show), (undoing, undo)):
        action.add_argument("--only", choices=TOOLS, help="this tool's settings alone")
        action.add_argument("--json", action="store_true", help="print JSON")
        action.set_defaults(execute=execute, json_errors=True)


def set_(arguments: argparse.Namespace) -> int:
    """Write the settings.

    :raises SettingsError: a file stays as it is, and says why
    """
    situation = situation_of(arguments, os.environ)
    files = settings_files(surroundings(os.environ), arguments.only)
    writes = plan(situation, files, shared=arguments.cpu is not None)
    token = situation.cpu.profile.token
    carry_out(writes, token)
    notes = [*situation.notes, *_cautions(writes, os.environ), *_extra_indexes(writes, os.environ)]
    rows = [{**_row(one.tool, one.file), "state": "set"} for one in writes]
    _report(arguments, rows, notes, [f"{one.file.path}: {one.tool} asks {one.index.address.shown} for {token}" for one
                                     in writes])  # fmt: skip
    return DONE


def show(arguments: argparse.Namespace) -> int:
    """Tell what is set; 1 where a file was changed since, or this CPU lacks what the profile has."""
    rows, notes = [], []
    here = profile_for(None, os.environ).profile
    for tool, file in settings_files(surroundings(os.environ), arguments.only).items():
        if file is None:
            notes.append(f"{tool} is told to read no settings")
            continue
        row = _row(tool, file)
        rows.append(row)
        if row["state"] == "changed":
            notes.append(f"{file.path} is not as cpufit wrote it: cpufit config undo says what to do")
        elif row["state"] == "set" and not _runs_here(str(row["cpu"]), here):
            notes.append(f"{file.path} tells of another CPU than this one: cpufit config set writes it anew")
            row["state"] = "other-cpu"
    _report(arguments, rows, notes, [_line(row) for row in rows])
    return ATTENTION if any(row["state"] in ("changed", "other-cpu") for row in rows) else DONE


def undo(arguments: argparse.Namespace) -> int:
    """Restore the files.

    :raises SettingsError: a file stays as it is, and says why; the others have been restored
    """
    rows: list[dict[str, Any]] = []
    failed: CpufitError | None = None
    for tool, file in settings_files(surroundings(os.environ), arguments.only).items():
        if file is None:
            continue
        try:
            restored = file.undo(force=arguments.force)
        except CpufitError as error:
            failed = failed or error
            continue
        rows.append({"tool": tool, "file": str(file.path), "state": "restored" if restored else "unset"})
    words = {"restored": "as it was before", "unset": "nothing of cpufit is set"}
    if failed is not None and arguments.json:
        raise failed  # one object is promised, and the error is what counts
    _report(arguments, rows, [], [f"{row['file']}: {words[row['state']]}" for row in rows])
    if failed is not None:
        raise failed
    return DONE


def _row(tool: str, file: SettingsFile) -> dict[str, Any]:
    record = file.record()
    state = file.state()
    told = record if state != "unset" else None
    return {
        "tool": tool,
        "file": str(file.path),
        "state": state,
        "index": told and told.index,
        "cpu": told and told.cpu,
        "backup": str(file.backup) if told and told.existed else None,
    }


def _line(row: Mapping[str, Any]) -> str:
    if row["state"] == "unset":
        return f"{row['file']}: nothing of cpufit is set"
    return f"{row['file']}: {row['tool']} asks {row['index']} for {row['cpu']}"


def _runs_here(token: str, here: CpuProfile) -> bool:
    told = CpuProfile.parse(token, strict=False)
    return told.arch == here.arch and told.features <= here.features


def _cautions(writes: Sequence[Write], environ: Mapping[str, str]) -> list[str]:
    """Return a note for each file whose credentials others may read, and each tool that asks another index anyway."""
    found = []
    for write in writes:
        address = write.index.address
        if address.base != address.shown and write.file.readable_by_others():
            found.append(
                f"{write.file.path} holds the credentials of the index now, and others may read it (chmod 600)"
            )
        if write.tool == "uv":
            own = next((name for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL") if environ.get(name)), None)
            if own is not None:
                found.append(f"{own} is set and counts before {write.file.path}")
            continue
        told = pip_index(environ, read_existing(pip_config_paths(surroundings(environ)))) or ""
        try:
            same = read_address(told) == read_address(write.told)
        except InvalidIndexUrl:
            same = False
        if not same:
            where = "PIP_INDEX_URL" if environ.get("PIP_INDEX_URL") else "another settings file"
            found.append(f"{where} names another address and counts before {write.file.path}")
    return found


def _extra_indexes(writes: Sequence[Write], environ: Mapping[str, str]) -> list[str]:
    around = surroundings(environ)
    pip_files = read_existing(pip_config_paths(around)) if any(write.tool == "pip" for write in writes) else []
    uv_files = read_existing(uv_config_paths(around)) if any(write.tool == "uv" for write in writes) else []
    own = f"{writes[0].index.address.base}/simple"
    return [warning.message for warning in extra_index_warnings(environ, pip_files, uv_files, own)]


def _report(
    arguments: argparse.Namespace, rows: Sequence[Mapping[str, Any]], notes: Sequence[str], lines: Sequence[str]
) -> None:
    if arguments.json:
        print(json.dumps({"files": list(rows), "notes": list(notes)}, indent=2))
        return
    for note in notes:
        print(f"cpufit: {note}", file=sys.stderr)
    print("\n".join(lines))
