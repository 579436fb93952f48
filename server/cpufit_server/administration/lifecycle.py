"""Yank, unyank, status, delete.

What is meant is found on a snapshot; where the project moves on before the change is written, it is found anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cpufit_wheelhouse.catalog import CatalogChanged
from cpufit_wheelhouse.sweeping import Swept, forget

from .finding import find_file, find_release, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpufit_wheelhouse.catalog import Project, ProjectSnapshot, ProjectStatus, StoredFile
    from cpufit_wheelhouse.home import Home

_ATTEMPTS = 20
"""How often a change is decided anew while others write to the project."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What somebody names: one file, or all files of a release."""

    version: str | None = None
    file: str | None = None
    """A file's name, or the beginning of its SHA-256; counts where no version is given."""

    def among(self, snapshot: ProjectSnapshot) -> tuple[StoredFile, ...]:
        """Return the files that are meant.

        :raises NoSuchFile: there is no such release or file
        :raises StoreError: the name is that of several files
        """
        if self.version is None:
            return (find_file(snapshot, self.file or ""),)
        release = find_release(snapshot, self.version)
        return (*release.wheels, *release.sdists)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What a deletion removed."""

    project: Project
    """As it was."""
    files: tuple[StoredFile, ...]
    swept: Swept

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "project": self.project.name,
            "files": files_as_dicts(self.files),
            "removed_blobs": self.swept.blobs,
            "removed_bytes": self.swept.size,
        }


def yank(home: Home, name: str, meant: Meant, *, who: str, why: str) -> tuple[StoredFile, ...]:
    """Yank a file or a release (PEP 592); returns the files that were not yanked for this reason before.

    :param why: the reason, which pages show
    :raises NoSuchProject: it is not hosted
    :raises NoSuchFile: it has no such release or file
    """

    def change(snapshot: ProjectSnapshot) -> tuple[StoredFile, ...]:
        files = tuple(file for file in meant.among(snapshot) if file.yanked != why)
        if files:
            home.catalog.lifecycle.yank(name, files, seen=snapshot.project.serial, who=who, why=why)
        return files

    return _decided(home, name, change)


def unyank(home: Home, name: str, meant: Meant, *, who: str, why: str) -> tuple[StoredFile, ...]:
    """End the yanking of a file or a release; returns the files that were yanked. Errors as for :func:`yank`."""

    def change(snapshot: ProjectSnapshot) -> tuple[StoredFile, ...]:
        files = tuple(file for file in meant.among(snapshot) if file.yanked is not None)
        if files:
            home.catalog.lifecycle.unyank(name, files, seen=snapshot.project.serial, who=who, why=why)
        return files

    return _decided(home, name, change)


def set_status(home: Home, name: str, status: ProjectStatus, *, who: str, why: str) -> Project:
    """Give a project a status (PEP 792) and return the project.

    :raises NoSuchProject: it is not hosted
    """
    return home.catalog.lifecycle.set_status(name, status, who=who, why=why)


def delete(home: Home, name: str, meant: Meant | None, *, who: str, why: str) -> Deleted:
    """Delete a file, a release or a project, and the blobs that nothing else needs.

    :param meant: None for the whole project
    :raises NoSuchProject: it is not hosted
    :raises NoSuchFile: it has no such release or file
    """

    def change(snapshot: ProjectSnapshot) -> Deleted:
        files = snapshot.files if meant is None else meant.among(snapshot)
        table = home.catalog.lifecycle
        remove = table.delete_project if meant is None else table.delete
        blobs = remove(name, files, seen=snapshot.project.serial, who=who, why=why)
        # the rows are gone by now: a kill from here on leaves blobs for the next sweep
        return Deleted(project=snapshot.project, files=files, swept=forget(home.catalog, home.blobs, blobs))

    return _decided(home, name, change)


def files_as_dicts(files: tuple[StoredFile, ...]) -> list[dict[str, object]]:
    """Return what a machine reads of files to which something was done."""
    return [
        {"filename": file.filename, "version": file.version, "sha256": file.sha256, "need": file.need_key}
        for file in files
    ]


def _decided(home: Home, name: str, change: Callable[[ProjectSnapshot], _T]) -> _T:
    for _ in range(_ATTEMPTS - 1):
        try:
            return change(snapshot_of(home, name))
        except CatalogChanged:  # noqa: PERF203  # each turn is a transaction that another writer was quicker than
            continue
    return change(snapshot_of(home, name))
