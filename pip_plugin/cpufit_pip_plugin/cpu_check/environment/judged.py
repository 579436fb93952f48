"""What became of each installed package: pure, from a verdict or a trial to what a person is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from cpufit_resolver import CpuProfile

if TYPE_CHECKING:
    from cpufit_wheelhouse.inspection.verdict import Verdict
    from cpufit_wheelhouse.installed import Installed

State = Literal["runs", "cannot-run", "not-told"]
Method = Literal["machine-code", "trial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """A library that cannot run here."""

    library: str
    """Its name in the wheel."""
    missing: tuple[str, ...]
    """The features that this CPU lacks; empty where only the crash is known."""
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"library": self.library, "missing_features": list(self.missing), "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """The command that puts a release in its place which runs here."""

    project: str
    version: str
    command: str

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"project": self.project, "version": self.version, "command": self.command}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedPackage:
    """One package with native libraries."""

    name: str
    version: str
    state: State
    method: Method
    missing: tuple[str, ...] = ()
    culprits: tuple[Culprit, ...] = ()
    reason: str = ""
    """Why it could not be told, or how it died; empty where the missing features say it."""
    doubts: tuple[str, ...] = ()
    """What may need more than this CPU has, and need not."""
    brought_by: tuple[str, ...] = ()
    """The installed projects that ask for it."""
    mend: Mend | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "version": self.version,
            "state": self.state,
            "method": self.method,
            "missing_features": list(self.missing),
            "libraries": [one.as_dict() for one in self.culprits],
            "reason": self.reason,
            "doubts": list(self.doubts),
            "brought_by": list(self.brought_by),
            "mend": None if self.mend is None else self.mend.as_dict(),
        }


def by_verdict(package: Installed, verdict: Verdict, profile: CpuProfile) -> JudgedPackage:
    """Return what a package's machine code says of it on a CPU."""
    name, version = package.name, package.version
    if verdict.need is None:
        return JudgedPackage(
            name=name, version=version, state="not-told", method="machine-code", reason="; ".join(verdict.undetermined)
        )
    part = verdict.need.on(profile.arch)
    if part is None and verdict.need.by_arch:
        named = ", ".join(arch for arch, _ in verdict.need.by_arch)
        return JudgedPackage(
            name=name,
            version=version,
            state="cannot-run",
            method="machine-code",
            reason=f"its machine code is for {named}, and this CPU is {profile.arch}",
        )
    missing = frozenset() if part is None else part.features - profile.features
    doubts = [
        one.text
        for one in verdict.evidence
        if one.weight == "suspects" and one.arch == profile.arch and not frozenset(one.features) <= profile.features
    ]
    return JudgedPackage(
        name=name,
        version=version,
        state="cannot-run" if missing else "runs",
        method="machine-code",
        missing=tuple(sorted(missing)),
        culprits=_culprits(verdict, profile),
        doubts=tuple(doubts),
    )


def _culprits(verdict: Verdict, profile: CpuProfile) -> tuple[Culprit, ...]:
    lacking: dict[str, set[str]] = {}
    reasons: dict[str, str] = {}
    for one in verdict.evidence:
        beyond = frozenset(one.features) - profile.features
        if one.weight == "requires" and one.arch == profile.arch and beyond:
            lacking.setdefault(one.library, set()).update(beyond)
            reasons.setdefault(one.library, f"{one.detail} ({one.rule})" if one.detail else f"({one.rule})")
    return tuple(
        Culprit(library=library, missing=tuple(sorted(features)), reason=reasons[library])
        for library, features in sorted(lacking.items())
    )


def worst(packages: Iterable[JudgedPackage]) -> State:
    """Return the state that the exit code tells: what cannot run before what could not be told."""
    states = {one.state for one in packages}
    return next((state for state in _ORDER if state in states), "runs")


def sorted_for_reading(packages: Sequence[JudgedPackage]) -> tuple[JudgedPackage, ...]:
    """Return the packages as a person wants them: what cannot run first."""
    return tuple(sorted(packages, key=lambda one: (_ORDER.index(one.state), one.name)))


_ORDER: tuple[State, ...] = ("cannot-run", "not-told", "runs")
