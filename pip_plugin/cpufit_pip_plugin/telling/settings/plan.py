"""What is to be written where: worked out for every file before the first of them changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cpufit_pip_plugin.cpu_check.installers import Surroundings, pip_user_file, uv_user_file
from cpufit_pip_plugin.telling.addresses import plain_url, profile_url
from cpufit_pip_plugin.telling.indexes import ChosenIndex
from cpufit_pip_plugin.telling.situation import Situation

from .errors import NotEditable, NothingToSet, SettingsError, SharedHome
from .file_systems import network_file_system
from .pip_file import with_index
from .restoring import SettingsFile, edited
from .uv_file import with_indexes

TOOLS = ("pip", "uv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One file and what it is to hold."""

    tool: str
    file: SettingsFile
    content: bytes
    index: ChosenIndex
    told: str
    """The profile URL; may hold credentials."""


def settings_files(around: Surroundings, only: str | None) -> dict[str, SettingsFile | None]:
    """Return each tool's own settings file of this user; None where the tool is told to read none."""
    paths = {"pip": pip_user_file(around), "uv": uv_user_file(around)}
    return {tool: None if path is None else SettingsFile(path) for tool, path in paths.items() if only in (None, tool)}


def plan(situation: Situation, files: Mapping[str, SettingsFile | None], *, shared: bool) -> list[Write]:
    """Return what to write, and note what is left alone.

    :param shared: the settings may be read on other machines: somebody named a CPU that all of them have
    :raises SettingsError: see the classes of :mod:`.errors`; nothing has been written then
    """
    token, notes, found = situation.cpu.profile.token, situation.notes, []
    for tool, file in files.items():
        index = situation.pip if tool == "pip" else situation.uv
        if file is None:
            notes.append(f"{tool} is told to read no settings: none are written for it")
            continue
        if index is None:
            notes.append(f"{tool} has no cpufit index: its settings are left alone")
            continue
        _refuse_shared(file.path, shared=shared)
        profile, plain, before = profile_url(index.address, token), plain_url(index.address), file.original()
        of_pip, of_uv = partial(with_index, url=profile), partial(with_indexes, plain=plain, profile=profile)
        try:
            content = edited(before, of_pip if tool == "pip" else of_uv)
        except NotEditable as error:
            error.where = str(file.path)
            raise
        found.append(Write(tool=tool, file=file, content=content, index=index, told=profile))
    if not found:
        raise NothingToSet("nothing was written: " + "; ".join(notes), hint="name a cpufit index with --index-url")
    return found


def _refuse_shared(path: Path, *, shared: bool) -> None:
    kind = network_file_system(path.parent)
    if kind is not None and not shared:
        raise SharedHome(
            f"this is on a network file system ({kind}), where other machines may read it", where=str(path)
        )


def carry_out(writes: list[Write], token: str) -> None:
    """Write every file; where one cannot be written, those before it that nothing was set in are restored.

    :raises SettingsError: one could not be written
    """
    fresh: list[SettingsFile] = []
    for write in writes:
        address, new = write.index.address, write.file.state() == "unset"
        try:
            write.file.write(write.content, index=address.shown, cpu=token, secret=address.base != address.shown)
        except SettingsError:
            for file in fresh:
                file.undo()
            raise
        fresh += [write.file] if new else []
