"""A project's releases against one CPU and one interpreter: values in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from cpufit_resolver import Candidate, CpuProfile, Need, Refusal, platform_baseline, refusals, select
from cpufit_resolver.need import missing_features
from cpufit_resolver.selection import BuildTag

from .index import IndexFile, IndexProject


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRelease:
    """One release: the wheel that fits, or the reasons why none does."""

    version: str
    wheel: str | None
    need: Need | None
    refusals: tuple[Refusal, ...]
    missing: tuple[str, ...] = ()
    """Where it can only be imported: the features without which some of its operations die."""

    @property
    def fits(self) -> bool:
        """Whether some wheel may be installed here."""
        return self.wheel is not None

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "version": self.version,
            "fits": self.fits,
            "wheel": self.wheel,
            "need": None if self.need is None else self.need.as_dict(),
            "import_only": bool(self.missing),
            "missing_in_use": list(self.missing),
            "refusals": [refusal.as_dict() for refusal in self.refusals],
        }


def judge_project(
    project: IndexProject,
    profile: CpuProfile,
    tags: Sequence[str],
    python: str,
    *,
    everything: bool = False,
    import_only: bool = False,
) -> tuple[JudgedRelease, ...]:
    """Return the verdict on each release, newest first.

    :param tags: the interpreter's tags, preferred first
    :param python: the interpreter's version, for ``Requires-Python``
    :param everything: also name the wheels that are for another platform or Python
    :param import_only: where nothing fits, also take a wheel that can be imported and not wholly used
    """
    taker = _Taker(profile=profile, tags=tags, python=python, everything=everything, import_only=import_only)
    releases = sorted(project.releases, key=lambda release: _order(release[0]), reverse=True)
    return tuple(_judge(version, files, taker, allow_unknown=project.allow_unknown) for version, files in releases)


def _order(version: str) -> tuple[int, Version]:
    try:
        return (1, Version(version))
    except InvalidVersion:
        return (0, Version("0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taker:
    profile: CpuProfile
    tags: Sequence[str]
    python: str
    everything: bool
    import_only: bool


def _judge(version: str, files: tuple[IndexFile, ...], taker: _Taker, *, allow_unknown: bool) -> JudgedRelease:
    wheels = [file for file in files if file.kind == "wheel"]
    suitable = [file for file in wheels if _allows(file.requires_python, taker.python)]
    found = select(
        map(_candidate, suitable),
        taker.profile,
        taker.tags,
        allow_unknown=allow_unknown,
        allow_import_only=taker.import_only,
    )
    chosen = found.chosen
    missing: frozenset[str] = frozenset()
    if chosen is not None and chosen.need is not None and chosen.filename in found.import_only:
        missing = missing_features(chosen.need, taker.profile, chosen.platform_tags)
    reasons = [
        *found.refusals,
        *(refusals.other_python(file.filename, file.requires_python or "") for file in wheels if file not in suitable),
    ]
    if not wheels:
        reasons = [refusals.no_wheels(version)]
    elif not taker.everything:
        reasons = _worth_telling(reasons, fits=chosen is not None)
    return JudgedRelease(
        version=version,
        wheel=None if chosen is None else chosen.filename,
        need=None if chosen is None else chosen.need,
        refusals=tuple(reasons),
        missing=tuple(sorted(missing)),
    )


def _worth_telling(reasons: list[Refusal], *, fits: bool) -> list[Refusal]:
    near = [reason for reason in reasons if reason.code != refusals.OTHER_PLATFORM]
    return near if near or fits else refusals.summary(reasons)


def _candidate(file: IndexFile) -> Candidate:
    return Candidate(filename=file.filename, tags=file.tags, need=file.need, build=_build(file.build))


def _build(text: str) -> BuildTag:
    match = re.fullmatch(r"(\d+)(.*)", text)
    return (int(match.group(1)), match.group(2)) if match else ()


def _allows(requires_python: str | None, python: str) -> bool:
    if not requires_python:
        return True
    try:
        return SpecifierSet(requires_python).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # installers take what they cannot read as no restriction


def newest_fit(releases: Iterable[JudgedRelease]) -> str | None:
    """Return the newest release that fits; a pre-release only where no final release does, as installers choose."""
    fitting = [release.version for release in releases if release.fits]
    final = [version for version in fitting if not _order(version)[1].is_prerelease]
    return next(iter(final or fitting), None)


def foreign_tags(own: Sequence[str], files: Iterable[IndexFile], arch: str) -> list[str]:
    """Return the tags of this interpreter on a machine of another architecture that runs the same system.

    :param own: this interpreter's tags, preferred first
    :param files: the files to judge; their platform tags for that architecture are the ones considered
    """
    systems = {_system(tag.split("-", 2)[2]) for tag in own} - {"any"}
    asked = sorted({tag.split("-", 2)[2] for file in files for tag in file.tags})
    platforms = [tag for tag in asked if _system(tag) in systems and arch in platform_baseline(tag)]
    pairs = dict.fromkeys(tag.rsplit("-", 1)[0] for tag in own if not tag.endswith("-any"))
    anywhere = [tag for tag in own if tag.endswith("-any")]
    return [f"{pair}-{platform}" for pair in pairs for platform in platforms] + anywhere


def _system(platform_tag: str) -> str:
    family = re.match("[a-z]+", platform_tag)
    name = family.group() if family else ""
    return "linux" if name in ("manylinux", "musllinux") else name
