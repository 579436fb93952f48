"""Inspecting stored wheels anew: after a change of the rules, and for what came in before there were any.

What was declared stays where the new verdict allows it and is raised to the verdict otherwise; an override stays until
it is ended; what rested on an older verdict, or on an override that ended, becomes the new one. Where that would give
two files of one name the same need, nothing is changed, and somebody has to decide; until then a file whose verdict
asks for more than it is offered for is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal

from cpufit_resolver.errors import CpufitError
from cpufit_resolver.need import BASELINE_NEED, Need

from .archive import WheelInfo, open_wheel
from .archive_limits import DEFAULT_LIMITS, ArchiveLimits
from .blobs import BlobStore
from .catalog import OVERRIDE, UNKNOWN_KEY, Catalog, CatalogChanged, NeedChange, ProjectSnapshot, StoredFile
from .errors import StorageFailed
from .forms import with_forms
from .inspection.verdict import RULES_VERSION, Verdict
from .judgement import STATED, Inspector, Override, asks_for, overridden, settled, stated_need
from .storage_failures import storage_failures_told

_REINSPECTION = "cpufit-server reinspect"
"""Who hides a file, for the record."""

Outcome = Literal["unchanged", "changed", "kept", "conflict", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinspected:
    """What became of one file."""

    file: StoredFile
    """As it is now."""
    before: Need | None
    outcome: Outcome
    """``kept``: the verdict is undetermined, and the need that was known stays."""
    told: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "project": self.file.project,
            "filename": self.file.filename,
            "sha256": self.file.sha256,
            "outcome": self.outcome,
            "before": None if self.before is None else self.before.as_dict(),
            "need": None if self.file.need is None else self.file.need.as_dict(),
            "message": self.told,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinspection:
    """The use case; safe beside a running server."""

    catalog: Catalog
    blobs: BlobStore
    inspector: Inspector
    limits: ArchiveLimits = DEFAULT_LIMITS

    def outdated(self, project: str, *, everything: bool = False) -> Iterator[StoredFile]:
        """Yield the wheels of a project that have machine code and no need by today's rules.

        An undetermined verdict is tried again: a time limit, a limit of memory or a kill may have been the reason.

        :param everything: also those that have one
        """
        snapshot = self.catalog.snapshot(project)
        if snapshot is None:
            return
        verdicts = self.catalog.inspections.verdicts(snapshot.project.id)
        for file in snapshot.files:
            verdict = verdicts.get(file.sha256)
            current = verdict is not None and verdict.known and verdict.rules_version == RULES_VERSION
            if file.has_native and (everything or not current):
                yield file

    def run(self, file: StoredFile) -> Reinspected:
        """Inspect a file, and change its need where the verdict asks for it."""
        try:
            with storage_failures_told():
                return self._inspected(file)
        except StorageFailed as error:
            return Reinspected(file=file, before=file.need, outcome="failed", told=error.in_full)
        except CpufitError as error:
            return Reinspected(file=file, before=file.need, outcome="failed", told=error.message)
        except OSError as error:  # one file that cannot be read keeps no other from being read
            return Reinspected(file=file, before=file.need, outcome="failed", told=str(error))

    def _inspected(self, file: StoredFile) -> Reinspected:
        path = self.blobs.path(file.sha256)
        verdict = self.inspector.inspect(path, self._opened(file))
        if verdict is None:
            return Reinspected(file=file, before=file.need, outcome="failed", told="nothing inspects wheels here")
        return self.apply(file, verdict)

    def apply(self, file: StoredFile, verdict: Verdict | None) -> Reinspected:
        """Give a file the need that follows from a verdict and what else is known of it.

        :param verdict: None where there is none, and only an override began or ended
        """
        while True:
            snapshot = self.catalog.snapshot(file.project)
            current = next((one for one in snapshot.files if one.id == file.id), None) if snapshot else None
            if snapshot is None or current is None:
                return Reinspected(file=file, before=file.need, outcome="failed", told="it was removed meanwhile")
            need = self._need(current, verdict, self.catalog.inspections.override(current.sha256))
            if _stays(current.need, need):
                return self._left(current, verdict, need)
            told = _in_the_way(snapshot, current, need)
            if told is not None:
                return self._in_conflict(current, need, told)
            try:
                with ExitStack() as kept:
                    change = NeedChange(current, need, snapshot.project.serial, verdict=verdict)
                    change = with_forms(kept, self.blobs, self._opened(current), change)
                    changed = self.catalog.arrivals.change_need(change)
            except CatalogChanged:
                continue
            return Reinspected(file=changed, before=current.need, outcome="changed")

    def _in_conflict(self, file: StoredFile, need: Need | None, told: str) -> Reinspected:
        """Leave a file as it is, and hide it where it would be offered to CPUs that cannot run it."""
        if need is not None and (file.need is None or not asks_for(file.need, need)):
            self.catalog.hidings.hide(file.project, file.sha256, who=_REINSPECTION, why=told)
            told = f"{told}; hidden until that is decided"
        return Reinspected(file=file, before=file.need, outcome="conflict", told=told)

    def conflict(self, file: StoredFile, verdict: Verdict | None, override: Override | None) -> str | None:
        """Return why a file could not have the need that follows from an override, or from none; None where it can.

        Whoever begins or ends one asks first: what is on record is what counts.
        """
        snapshot = self.catalog.snapshot(file.project)
        need = self._need(file, verdict, override)
        if snapshot is None or _stays(file.need, need):
            return None
        return _in_the_way(snapshot, file, need)

    def _need(self, file: StoredFile, verdict: Verdict | None, override: Override | None) -> Need | None:
        if override is not None:
            return overridden(override, () if file.need is None else file.need.evidence)
        stated = self._stated_before_override(file) if _overridden(file.need) else _stated(file)
        if not file.has_native:
            return BASELINE_NEED if stated is None else stated
        return settled(stated, verdict, below="raise")

    def _stated_before_override(self, file: StoredFile) -> Need | None:
        said = () if file.need is None else file.need.evidence
        declared = next((text.removeprefix(STATED[0]) for text in said if text.startswith(STATED[0])), None)
        return stated_need(self._opened(file), declared)

    def _opened(self, file: StoredFile) -> WheelInfo:
        return open_wheel(self.blobs.path(file.sha256), own_name(file), limits=self.limits)

    def _left(self, file: StoredFile, verdict: Verdict | None, need: Need | None) -> Reinspected:
        if verdict is not None:
            self.catalog.keep_verdict(file.sha256, verdict)
        kept = need is None and file.need is not None
        told = "; ".join(verdict.undetermined) if verdict is not None else ""
        return Reinspected(file=file, before=file.need, outcome="kept" if kept else "unchanged", told=told)


def _in_the_way(snapshot: ProjectSnapshot, file: StoredFile, need: Need | None) -> str | None:
    others = [one for one in snapshot.files if one.filename == file.filename and one.id != file.id]
    if not any(_equal(one.need, need) for one in others) and (snapshot.project.variants or not others):
        return None
    key = UNKNOWN_KEY if need is None else need.key
    return f"its need would be {key}, as that of another file of its name"


def own_name(file: StoredFile) -> str:
    """Return the name under which the bytes are a valid wheel: with the label that they came with."""
    told = file.provenance.get("filename")
    return told if isinstance(told, str) and "renamed_from" not in file.provenance else file.filename


def _stated(file: StoredFile) -> Need | None:
    """Return what was declared of a file, without the proofs of an earlier verdict; None where it was not."""
    if file.need is None or file.need_source != "declared":
        return None
    said = tuple(text for text in file.need.evidence if text.startswith(STATED))
    return replace(file.need, evidence=said) if said else None


def _overridden(need: Need | None) -> tuple[str, ...]:
    """Return what tells of an override in a need's evidence."""
    return () if need is None else tuple(text for text in need.evidence if text.startswith(OVERRIDE))


def _stays(before: Need | None, need: Need | None) -> bool:
    """Tell whether there is nothing to write: the same need for the same reason, or no new need at all."""
    if _overridden(before) != _overridden(need):
        return False
    return need is None or need == before


def _equal(one: Need | None, other: Need | None) -> bool:
    if one is None or other is None:
        return one is other
    return asks_for(one, other) and asks_for(other, one)
