"""A release: the files of one project that have one version, sorted by what the views do with them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .catalog import StoredFile


@lru_cache(maxsize=16_384)
def version_of(text: str) -> Version:
    """Return a version, parsed once: a page is sorted by the same ones again after each change of its project.

    :raises packaging.version.InvalidVersion: it is none
    """
    return Version(text)


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

    def without_yanked(self) -> Release:
        """Return the release as if its yanked files had never come."""
        return Release(
            version=self.version,
            wheels=tuple(file for file in self.wheels if file.yanked is None),
            sdists=tuple(file for file in self.sdists if file.yanked is None),
        )


def yanked_together(files: Iterable[StoredFile]) -> str | None:
    """Return why a file that stands for some others is yanked: it is as soon as one of them is; None where none is.

    :return: the reasons that were given, each once; it may be empty, as a reason may
    """
    reasons = [file.yanked for file in files if file.yanked is not None]
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason)) if reasons else None


def releases_of(files: Iterable[StoredFile]) -> tuple[Release, ...]:
    """Return the releases among a project's files, the oldest version first."""
    return tuple(sorted(releases_in(files), key=lambda release: version_of(release.version)))


def releases_in(files: Iterable[StoredFile]) -> Iterator[Release]:
    """Yield the releases among a project's files in the order in which they came: no version is parsed."""
    by_version: dict[str, tuple[list[StoredFile], list[StoredFile]]] = {}
    for file in files:
        wheels, sdists = by_version.setdefault(file.version, ([], []))
        (wheels if file.kind == "wheel" else sdists).append(file)
    for version, (wheels, sdists) in by_version.items():
        yield Release(version=version, wheels=tuple(wheels), sdists=tuple(sdists))
