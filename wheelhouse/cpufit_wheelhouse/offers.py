"""Which of a release's files each kind of client is offered: the rules behind the views. Values in, values out.

Yanked files (PEP 592, "Installers") are offered and marked: an installer passes over them unless nothing else matches
what was pinned. So where the choice is made here and not by the installer, no yanked file takes another one's place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cpufit_resolver.need import missing_features
from cpufit_resolver.selection import need_rank

from .platforms import covers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cpufit_resolver.need import Need
    from cpufit_resolver.profile import CpuProfile

    from .catalog import Project, StoredFile
    from .releases import Release


def plain_wheels(release: Release, project: Project) -> tuple[StoredFile, ...]:
    """Return the wheels of a release that everybody may see, one for each file name."""
    seen = [file for file in release.wheels if file.ordinary or (file.need is None and project.unknown == "allow")]

    def key(file: StoredFile) -> tuple[object, ...]:
        return file.yanked is None, file.need is not None, rank_anywhere(file.need), file.need_key

    return _one_per_name(seen, key)


def wants_selector(release: Release, project: Project) -> bool:
    """Tell whether the plain view needs the selector: there are CPU-specific wheels, and some platform has no other.

    With the policy ``plain = selector`` it stands wherever there are CPU-specific wheels.
    """
    if not release.cpu_specific:
        return False
    if project.plain == "selector":
        return True
    ordinary = [tag for file in release.wheels if file.ordinary for tag in file.tags]
    return not all(covers(ordinary, file.tags) for file in release.cpu_specific)


def selectable_release(release: Release, project: Project) -> Release | None:
    """Return the files of a release among which its selector chooses; None where the plain view needs no selector.

    A selector does not learn what was pinned, so it may choose a yanked wheel only where it is yanked itself: then an
    installer has come to it because nothing else would do (PEP 592, "Installers"). Where the files that are not yanked
    want a selector, it chooses among them alone; where only the yanked ones do, there is one for whoever pinned them.
    A source distribution that may be built, and is not yanked, goes before such a selector, which would take its name.
    """
    kept = release.without_yanked()
    if wants_selector(kept, project):
        return kept
    if project.build_sdist and kept.sdists:
        return None
    return release if wants_selector(release, project) else None


def fitting_wheels(
    release: Release, project: Project, profile: CpuProfile, *, import_only: bool = False
) -> tuple[StoredFile, ...]:
    """Return the wheels of a release that one CPU gets to see.

    Installers choose by tags alone, so the choice by CPU is made here: the more demanding of two wheels of one name,
    and no wheel for which a more demanding one goes wherever it does. A yanked wheel gives way to another one of its
    name, and hides no other: installers would find nothing where there is something.

    :param import_only: also give, where no other goes, wheels that can be imported and of which some operations die
    """

    def rank(file: StoredFile) -> tuple[bool, bool, tuple[int, int]]:
        return file.yanked is None, not imports_only(file, profile), _rank(file.need, profile.arch)

    fitting = [file for file in release.wheels if _fits(file, project, profile, import_only=import_only)]
    named = _one_per_name(fitting, lambda file: (rank(file), file.need_key))
    return tuple(
        file
        for file in named
        if not any(
            rank(other) > rank(file)
            and (other.yanked is None) == (file.yanked is None)
            and other.requires_python in (None, file.requires_python)
            and covers(other.tags, file.tags)
            for other in named
        )
    )


def imports_only(file: StoredFile, profile: CpuProfile) -> bool:
    """Tell whether a wheel can be imported on a CPU, and not all of it be used."""
    if file.need is None or not missing_features(file.need, profile, file.platforms):
        return False
    return not missing_features(file.need, profile, file.platforms, import_only=True)


def _fits(file: StoredFile, project: Project, profile: CpuProfile, *, import_only: bool) -> bool:
    if file.need is None:
        return project.unknown == "allow"
    return not missing_features(file.need, profile, file.platforms, import_only=import_only)


def offered_sources(release: Release, project: Project) -> tuple[StoredFile, ...]:
    """Return the source distributions that a client which told its CPU may see.

    Beside CPU-specific wheels one stands only where the project lets it be built: where no wheel fits, an installer
    would compile it without a word.
    """
    return release.sdists if project.build_sdist or not release.cpu_specific else ()


def relevant_features(files: Iterable[StoredFile]) -> frozenset[str]:
    """Return every feature that some file asks for; no other can change a project's page."""
    return frozenset().union(*(file.need.relevant_features for file in files if file.need is not None))


def _rank(need: Need | None, arch: str) -> tuple[int, int]:
    return (-1, -1) if need is None else need_rank(need, arch)


def rank_anywhere(need: Need | None) -> tuple[int, int]:
    """Return how demanding a need is where it is most so; an unknown one comes below every other."""
    return max((_rank(need, arch) for arch, _ in need.by_arch), default=(0, 0)) if need is not None else (-1, -1)


def _one_per_name(files: Sequence[StoredFile], key: Callable[[StoredFile], Any]) -> tuple[StoredFile, ...]:
    """Return the best file of each name, in the order in which these came."""
    best: dict[str, StoredFile] = {}
    for file in files:
        known = best.get(file.filename)
        if known is None or key(file) > key(known):
            best[file.filename] = file
    return tuple(file for file in files if best[file.filename] is file)
