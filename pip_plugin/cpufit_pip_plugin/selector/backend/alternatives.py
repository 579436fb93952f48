"""Which other release fits this machine, and the requirement that gets it: values in, values out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from .release import as_candidate
from .vendored import (
    Candidate,
    CpufitError,
    CpuProfile,
    InvalidSpecifier,
    InvalidVersion,
    InvalidWheelFilename,
    Need,
    SpecifierSet,
    Version,
    select,
)


@dataclass(frozen=True)
class Alternative:
    """The newest release that fits, and the requirement by which an installer finds it."""

    version: str
    requirement: str
    project: str = ""
    """Where it is another project's release: which."""


@dataclass(frozen=True)
class Taker:
    """Who would install: a CPU, an interpreter's tags (preferred first) and its version."""

    profile: CpuProfile
    tags: Sequence[str]
    python: str


def newest_fitting(document: Mapping[str, Any], project: str, refused: str, taker: Taker) -> Alternative | None:
    """Return the newest release that fits, or None.

    :param document: what ``/api/v1/projects/{name}`` answers
    :param refused: the version that does not fit

    A release older than the refused one is named by an upper bound, which leaves out every release that does not fit;
    a newer one by its exact version. Pre-releases count only where the refused one is a pre-release itself.
    """
    own = Version(refused)
    allow_unknown = document.get("policy", {}).get("unknown") == "allow"
    fits: set[Version] = set()
    others = {own}
    for row in document["releases"]:
        version = _version(row["version"])
        if version is None or (version.is_prerelease and not own.is_prerelease) or version == own:
            continue
        found = select(_candidates(row["files"], taker.python), taker.profile, taker.tags, allow_unknown=allow_unknown)
        (fits if found.chosen else others).add(version)
    if not fits:
        return None
    best = max(fits)
    above = [version for version in others if version > best]
    bound = f"=={best}" if best > own or not above else f"<{short(min(above))}"
    return Alternative(version=str(best), requirement=f"{project}{bound}")


def newest_of_other(document: Mapping[str, Any], taker: Taker) -> Alternative | None:
    """Return the newest final release of another project that fits, or None.

    :param document: what ``/api/v1/projects/{name}`` answers for that project
    """
    allow_unknown = document.get("policy", {}).get("unknown") == "allow"
    fits = []
    for row in document["releases"]:
        version = _version(row["version"])
        if version is None or version.is_prerelease:
            continue
        found = select(_candidates(row["files"], taker.python), taker.profile, taker.tags, allow_unknown=allow_unknown)
        if found.chosen:
            fits.append(version)
    if not fits:
        return None
    name = document["name"]
    return Alternative(version=str(max(fits)), requirement=f"{name}=={max(fits)}", project=name)


def short(version: Version) -> str:
    """Return a version as a bound is written: ``1.34`` for 1.34.0."""
    if str(version) != version.base_version or version.epoch:
        return str(version)
    parts = list(version.release)
    while len(parts) > 2 and parts[-1] == 0:
        parts.pop()
    return ".".join(map(str, parts))


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def _candidates(files: Sequence[Mapping[str, Any]], python: str) -> list[Candidate]:
    """Return the wheels that may be judged; a file that cannot be read is no reason to say nothing of the others.

    What is yanked is none of them: nobody new is to come to it (PEP 592).
    """
    found = []
    for file in files:
        if file.get("yanked") not in (None, False):
            continue
        try:
            if file["kind"] != "wheel" or not SpecifierSet(file.get("requires_python") or "").contains(python, True):
                continue
            need = None if file["need"] is None else Need.from_dict(file["need"])
            found.append(as_candidate(file["filename"], need))
        except (InvalidSpecifier, InvalidWheelFilename, CpufitError, KeyError):
            continue
    return found
