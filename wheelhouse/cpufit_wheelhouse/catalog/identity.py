"""The rules of identity: a file is (project, file name, need), and what its project's status and past say of it.

Pure: they take what the catalog held at one instant and a new file, and return what is to be done with it, or raise
why nothing is. Needs are compared by what they ask beyond an architecture's floor, so "nothing" and ``x86_64_v1`` are
the same need.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from packaging.version import Version

from cpufit_resolver.features import architectures
from cpufit_resolver.need import BASELINE_NEED, Need
from cpufit_resolver.profile import format_token
from cpufit_wheelhouse.errors import (
    FileExists,
    FileNameDeleted,
    NeedRefused,
    ProjectClosed,
    SdistExists,
    VariantsDisagree,
    VariantsNotEnabled,
)
from cpufit_wheelhouse.judgement import asks_for

from .bookkeeping import JournalEntry
from .records import UNKNOWN_KEY, NewFile, Project, ProjectSnapshot, StoredFile

Status = Literal["new", "same", "need-changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done with an upload."""

    status: Status
    existing: StoredFile | None = None
    """The row that holds these bytes already; None for a new file."""


def decide(
    snapshot: ProjectSnapshot | None,
    new: NewFile,
    *,
    declared: bool,
    variants: bool,
    deleted: Iterable[JournalEntry] = (),
    restoring: bool = False,
) -> Decision:
    """Return what is to be done with a file that was checked and judged.

    :param snapshot: the project as it is; None if it is not hosted yet
    :param declared: somebody gave the need with this upload
    :param variants: this upload turns the project's variants on
    :param deleted: the deletions of the project's files of this name, also of a project that was deleted itself
    :param restoring: whoever brings it may let deleted bytes come back
    :raises ProjectClosed: the project is archived or quarantined
    :raises FileNameDeleted: the name is that of a deleted file, and this is not that very file coming back
    :raises FileExists: the same name and need is there with other bytes, or the same bytes under another name
    :raises SdistExists: it is a source distribution, and the release has one of another name
    :raises VariantsNotEnabled: the same name is there with another need, and the project takes no variants
    :raises NeedRefused: the same bytes are there, and the declared need asks for less than theirs
    :raises VariantsDisagree: the release has a CPU-specific wheel, and its wheels would differ in dependencies
    """
    if snapshot is not None:
        _check_open(snapshot.project)
    files = () if snapshot is None else snapshot.files
    variants = variants or (snapshot is not None and snapshot.project.variants)
    namesakes = [file for file in files if file.filename == new.filename]
    twin = next((file for file in namesakes if file.sha256 == new.sha256), None)
    if twin is not None:
        decision = _same_bytes(twin, new, declared=declared)
        if decision.status == "same":
            return decision
    else:
        _check_deleted(deleted, new, variants=variants, restoring=restoring)
        _check_other_names(files, new)
        decision = Decision(status="new")
    others = [file for file in namesakes if file is not twin]
    _check_namesakes(others, new, variants=variants)
    _check_dependencies((file for file in files if file is not twin and file.version == new.version), new)
    return decision


def _check_other_names(files: Iterable[StoredFile], new: NewFile) -> None:
    """Refuse what is here under another name: two names of one file are told apart by whoever wants to mislead."""
    for file in files:
        if file.sha256 == new.sha256:
            raise FileExists(
                f"File already exists: these bytes are here as {file.filename}",
                hint="one file has one name; nothing was changed",
            )
        # 1.0 and 1.0.0 are one release for every installer
        same_release = new.kind == file.kind == "sdist" and Version(new.version) == Version(file.version)
        if same_release and new.filename != file.filename:
            raise SdistExists(f"{file.filename} is the source distribution of {new.version}")


def _same_bytes(twin: StoredFile, new: NewFile, *, declared: bool) -> Decision:
    """Judge an upload whose bytes are here: it can say nothing new, or raise the need."""
    if new.need is None or (twin.need is not None and not declared):
        return Decision(status="same", existing=twin)
    if twin.need is None:
        return Decision(status="need-changed", existing=twin)
    if not asks_for(new.need, twin.need):
        raise NeedRefused(
            f"{new.filename} is here and needs {twin.need_key}; {new.need_key} is declared, which asks for less",
            hint="a declaration may raise a need, never lower it",
        )
    if asks_for(twin.need, new.need):
        return Decision(status="same", existing=twin)
    return Decision(status="need-changed", existing=twin)


def _check_open(project: Project) -> None:
    """Refuse what a project's status lets nobody bring (PEP 792): the same file again, too."""
    if project.status not in ("archived", "quarantined"):
        return
    told = "" if project.status_reason is None else f": {project.status_reason}"
    raise ProjectClosed(
        f"the project {project.display_name} is {project.status} and takes no files{told}",
        code=f"project-{project.status}",
    )


def _check_deleted(deleted: Iterable[JournalEntry], new: NewFile, *, variants: bool, restoring: bool) -> None:
    """Keep a deleted file's name from meaning other bytes, whatever locks and caches remember of it.

    With variants, the name stands for one file of each need. What is not known of a need may be the same.
    """
    entries = tuple(deleted)
    if restoring and any(entry.sha256 == new.sha256 for entry in entries):
        return
    for entry in entries:
        same_bytes = entry.sha256 == new.sha256
        if same_bytes or not variants or _may_be_the_same(entry.need_key, new.need_key):
            which = "these bytes were" if same_bytes else "a file of this name was"
            raise FileNameDeleted(
                f"{new.filename}: {which} deleted here on {entry.happened_at:%Y-%m-%d}: {entry.why}",
                hint="a token with the scope admin can bring it back" if same_bytes else None,
            )


def _may_be_the_same(one: str | None, other: str) -> bool:
    return one is None or UNKNOWN_KEY in (one, other) or _beyond_floors(one) == _beyond_floors(other)


def _beyond_floors(need_key: str) -> frozenset[str]:
    """Return what a need's key asks for beyond an architecture's floor, which is nothing."""
    floors = {format_token(name, table.floor) for name, table in architectures().items()}
    return frozenset(need_key.split(",")) - floors - {BASELINE_NEED.key}


def _check_namesakes(others: Iterable[StoredFile], new: NewFile, *, variants: bool) -> None:
    for other in others:
        if _same_need(other.need, new.need):
            raise FileExists(
                f"File already exists: {new.filename} with the need {other.need_key} and other bytes",
                hint="a published file never changes; give the new build a new version or a build tag",
            )
        if not variants:
            raise VariantsNotEnabled(
                f"{new.filename} is here with the need {other.need_key}, this one has the need {new.need_key}, "
                "and the project takes no variants",
                hint="declare what this build needs (--needs, or the form field cpufit_needs), or set variants = on",
            )


def _check_dependencies(release: Iterable[StoredFile], new: NewFile) -> None:
    """Hold the wheels of a release with variants together: an installer may swap one for another."""
    if new.kind != "wheel":
        return
    wheels = [file for file in release if file.kind == "wheel"]
    if not (new.cpu_specific or any(file.cpu_specific for file in wheels)):
        return
    for wheel in wheels:
        if wheel.dependencies_key != new.dependencies_key:
            raise VariantsDisagree(
                f"{new.filename} and {wheel.filename} of one release depend on different things: "
                f"{_difference(new.dependencies_key, wheel.dependencies_key)}",
                hint="wheels of a release with CPU variants must agree on dependencies, extras and Requires-Python",
            )


def _difference(new: str, old: str) -> str:
    """Say in a few words where two dependency signatures part."""
    ours, theirs = json.loads(new), json.loads(old)
    for field in sorted(ours):
        if isinstance(ours[field], str):
            if ours[field] != theirs[field]:
                return f"{field} {ours[field]!r} and {theirs[field]!r}"
            continue
        for entry in sorted(set(ours[field]) ^ set(theirs[field])):
            where = "the first" if entry in ours[field] else "the second"
            return f"only {where} has {field} {entry.replace('|', ' ').strip()!r}"
    return "their metadata"


def _same_need(one: Need | None, other: Need | None) -> bool:
    if one is None or other is None:
        return one is other
    return asks_for(one, other) and asks_for(other, one)
