"""What is wanted and not here: which release a CPU cannot have, and what should be built next. Values in, values out.

A *demand* is one client's wish for one release of which nothing fits. It says nothing about the client but what a
build for it has to know: the CPU reduced to its levels and to what the project's files ask for, Python, platform.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from packaging.version import Version

from cpufit_resolver.baseline import platform_baseline
from cpufit_resolver.need import missing_features
from cpufit_resolver.profile import CpuProfile
from cpufit_resolver.refusals import NEEDS_FEATURES, NOT_INSPECTED, OTHER_PLATFORM
from cpufit_resolver.wanted import least_missing

from .catalog.bookkeeping import Demand, DemandCount
from .catalog.records import Project, ProjectSnapshot, StoredFile
from .offers import fitting_wheels, offered_sources
from .releases import Release, releases_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """The newest release of a project, where it has nothing for a CPU."""

    version: str
    reason: str
    """A refusal's code."""
    missing: tuple[str, ...]
    """What the least demanding wheel lacks, sorted."""
    newest_fit: str | None
    """The newest release that has something for this CPU."""
    instead: str | None = None
    """The project that the operator names for such CPUs."""

    @property
    def sentence(self) -> str:
        """What a person reads, without naming the CPU."""
        why = {
            NEEDS_FEATURES: f"its least demanding wheel needs {', '.join(self.missing)}, which this CPU does not have",
            NOT_INSPECTED: "nobody knows yet which CPU features its wheels need",
        }.get(self.reason, "it has no wheel for this architecture")
        rest = "no release fits" if self.newest_fit is None else f"the newest release that fits is {self.newest_fit}"
        if self.newest_fit is None and self.instead is not None:
            rest += f"; the project {self.instead} has builds for other CPUs"
        return f"{self.version} is not listed: {why}; {rest}"

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "version": self.version,
            "code": self.reason,
            "missing_features": list(self.missing),
            "newest_fit": self.newest_fit,
            "instead": self.instead,
            "message": self.sentence,
        }


def unmet_in(snapshot: ProjectSnapshot, profile: CpuProfile, *, import_only: bool = False) -> Unmet | None:
    """Return what a CPU cannot have of a project; None where it gets the newest release, or there is none.

    A pre-release is looked at only where there is no final release, and a yanked file not at all, as installers do.
    """
    releases = [*reversed(releases_of(file for file in snapshot.files if file.yanked is None))]
    final = [release for release in releases if not Version(release.version).is_prerelease]
    releases = final or releases
    if not releases:
        return None
    found = _unmet(releases[0], snapshot.project, profile, import_only=import_only)
    if found is None:
        return None
    fitting = (
        release.version
        for release in releases[1:]
        if _unmet(release, snapshot.project, profile, import_only=import_only) is None
    )
    reason, missing = found
    return Unmet(
        version=releases[0].version,
        reason=reason,
        missing=missing,
        newest_fit=next(fitting, None),
        instead=snapshot.project.instead,
    )


def refused_release(release: Release, project: Project, profile: CpuProfile) -> str | None:
    """Return the code of the reason why a CPU gets nothing of a release; None where it gets something."""
    found = _unmet(release, project, profile, import_only=False)
    return None if found is None else found[0]


def _unmet(
    release: Release, project: Project, profile: CpuProfile, *, import_only: bool
) -> tuple[str, tuple[str, ...]] | None:
    """Return why a CPU gets nothing of a release, and what it lacks; None where it gets something."""
    own = [file for file in release.wheels if _for_architecture(file, profile.arch)]
    fitting = fitting_wheels(release, project, profile, import_only=import_only)
    if any(file in own for file in fitting) or offered_sources(release, project):
        return None
    lacking = [
        tuple(sorted(missing_features(file.need, profile, file.platforms))) for file in own if file.need is not None
    ]
    if lacking:
        return NEEDS_FEATURES, least_missing(lacking)
    return (NOT_INSPECTED if own else OTHER_PLATFORM), ()


def _for_architecture(file: StoredFile, arch: str) -> bool:
    """Tell whether some machine of an architecture installs a wheel; a tag that no table has may be for any."""
    promises = [platform_baseline(tag) for tag in file.platforms]
    return any(not promised or arch in promised for promised in promises)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One release that is wanted, of all the demands for it."""

    project: str
    version: str
    demand: int
    score: float
    """The demand, each day's halved for every half-life that went by since."""
    last: date
    reasons: Mapping[str, int]
    missing: Mapping[str, int]
    """How many demands lack each feature."""
    cpus: Mapping[str, int]
    pythons: Mapping[str, int]
    platforms: Mapping[str, int]
    build_for: Mapping[str, str]
    """By architecture, the most that a build may need so that each of these CPUs can run it."""

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "project": self.project,
            "version": self.version,
            "demand": self.demand,
            "score": round(self.score, 3),
            "last": self.last.isoformat(),
            "reasons": dict(self.reasons),
            "missing": dict(self.missing),
            "cpus": dict(self.cpus),
            "pythons": dict(self.pythons),
            "platforms": dict(self.platforms),
            "build_for": dict(self.build_for),
        }


def rank(counts: Iterable[DemandCount], today: date, *, half_life_days: float) -> tuple[Wanted, ...]:
    """Return what is wanted, most of all first: by demand, of which older counts for less."""
    releases: dict[tuple[str, str], list[DemandCount]] = {}
    for count in counts:
        releases.setdefault((count.demand.project, count.demand.version), []).append(count)
    found = [_wanted(project, version, rows, today, half_life_days) for (project, version), rows in releases.items()]
    return tuple(sorted(found, key=lambda wanted: (-wanted.score, wanted.project, wanted.version)))


def _wanted(project: str, version: str, rows: list[DemandCount], today: date, half_life_days: float) -> Wanted:
    def tally(words: Callable[[Demand], Iterable[str]]) -> dict[str, int]:
        counter = Counter[str]()
        for row in rows:
            counter.update({word: row.count for word in words(row.demand) if word})
        return dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))

    cpus = tally(lambda demand: [demand.cpu])
    return Wanted(
        project=project,
        version=version,
        demand=sum(row.count for row in rows),
        score=sum(row.count * 0.5 ** (max((today - row.day).days, 0) / half_life_days) for row in rows),
        last=max(row.day for row in rows),
        reasons=tally(lambda demand: [demand.reason]),
        missing=tally(lambda demand: demand.missing),
        cpus=cpus,
        pythons=tally(lambda demand: [demand.python]),
        platforms=tally(lambda demand: [demand.platform]),
        build_for=common_needs(cpus),
    )


def common_needs(cpus: Iterable[str]) -> dict[str, str]:
    """Return, by architecture, the token of what all of some CPUs have."""
    shared: dict[str, frozenset[str]] = {}
    for token in cpus:
        # the tables may have lost a feature since it was counted
        profile = CpuProfile.parse(token, strict=False)
        shared[profile.arch] = shared.get(profile.arch, profile.features) & profile.features
    return {arch: CpuProfile(arch, features).token for arch, features in sorted(shared.items())}


def still_wanted(
    counts: Iterable[DemandCount], snapshot_of: Callable[[str], ProjectSnapshot | None]
) -> tuple[DemandCount, ...]:
    """Return the demands that nothing has satisfied since.

    One is satisfied when this or a newer release has something for the CPU. What was wanted for another platform or
    Python cannot be told from a CPU alone, and stays.

    :param snapshot_of: gives a project as the views see it; None where it is not hosted any more
    """
    projects: dict[str, ProjectSnapshot | None] = {}
    met: dict[tuple[str, str, str], bool] = {}
    kept = []
    for count in counts:
        demand = count.demand
        if demand.project not in projects:
            projects[demand.project] = snapshot_of(demand.project)
        snapshot = projects[demand.project]
        if snapshot is None:
            continue
        key = (demand.project, demand.version, demand.cpu)
        if key not in met:
            met[key] = _is_met(snapshot, demand)
        if demand.reason == OTHER_PLATFORM or not met[key]:
            kept.append(count)
    return tuple(kept)


def _is_met(snapshot: ProjectSnapshot, demand: Demand) -> bool:
    profile, wanted = CpuProfile.parse(demand.cpu, strict=False), Version(demand.version)
    return any(
        Version(release.version) >= wanted
        and refused_release(release.without_yanked(), snapshot.project, profile) is None
        for release in releases_of(snapshot.files)
    )
