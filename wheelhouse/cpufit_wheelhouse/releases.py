"""A release: the files of one project that have one version, sorted by what the views do with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .catalog import StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """The files of one version."""

    version: str
    wheels: tuple[StoredFile, ...]
    sdists: tuple[StoredFile, ...]

    @property
    def cpu_specific(self) -> tuple[StoredFile, ...]:
        """The wheels that some CPU behind their platform tags cannot run."""
        return tuple(file for file in self.wheels if file.cpu_specific)


def releases_of(files: Iterable[StoredFile]) -> tuple[Release, ...]:
    """Return the releases among a project's files, the oldest version first."""
    by_version: dict[str, list[StoredFile]] = {}
    for file in files:
        by_version.setdefault(file.version, []).append(file)
    return tuple(
        Release(
            version=version,
            wheels=tuple(file for file in by_version[version] if file.kind == "wheel"),
            sdists=tuple(file for file in by_version[version] if file.kind == "sdist"),
        )
        for version in sorted(by_version, key=Version)
    )
