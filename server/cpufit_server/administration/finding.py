"""From what somebody names to what is meant: a project, a release, one of its files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import Version

from cpufit_wheelhouse.errors import NoSuchFile, NoSuchProject, StoreError
from cpufit_wheelhouse.releases import Release, releases_of

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import ProjectSnapshot, StoredFile
    from cpufit_wheelhouse.home import Home

_SHORTEST_HASH = 8
"""Hexadecimal digits from which on the beginning of a SHA-256 names a file."""


def snapshot_of(home: Home, name: str) -> ProjectSnapshot:
    """Return a project, by its name in any spelling.

    :raises NoSuchProject: it is not hosted
    """
    snapshot = home.catalog.snapshot(name)
    if snapshot is None:
        raise NoSuchProject(f"there is no project {name[:80]} here")
    return snapshot


def find_release(snapshot: ProjectSnapshot, version: str) -> Release:
    """Return a release, by its version in any spelling.

    :raises NoSuchFile: the project has no such release
    """
    for release in releases_of(snapshot.files):
        if _same_version(release.version, version):
            return release
    raise NoSuchFile(
        f"{snapshot.project.display_name} has no release {version[:80]} here",
        code="no-such-release",
        hint=f"cpufit-server project show {snapshot.project.name} lists its files",
    )


def find_file(snapshot: ProjectSnapshot, text: str) -> StoredFile:
    """Return the file that somebody names: by its name, a labelled form's name, or the beginning of its hash.

    :raises NoSuchFile: the project has no such file
    :raises StoreError: the name is that of several files
    """
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


def _same_version(one: str, text: str) -> bool:
    try:
        return Version(one) == Version(text)
    except ValueError:  # InvalidVersion is one; another is raised for a number of more digits than Python reads
        return False
