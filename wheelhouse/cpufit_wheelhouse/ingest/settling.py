"""Settling: a file that passed its own checks is decided on by what it meets in its project, and written.

No transaction is open while a wheel is hashed or rewritten. A small one without labelled forms is decided on in the
transaction alone. Every refusal falls before the first blob is moved, and inside the transaction the rows go in first,
so that whoever loses a race has moved no blob either.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Literal

from packaging.utils import canonicalize_name

from cpufit_resolver.need import BASELINE_NEED
from cpufit_wheelhouse.admission.names import similar_names
from cpufit_wheelhouse.admission.release import check_joining, check_pace
from cpufit_wheelhouse.admission.rules import Notice, Submission
from cpufit_wheelhouse.archive import WheelInfo
from cpufit_wheelhouse.archive_limits import ArchiveLimits
from cpufit_wheelhouse.blobs import BlobStore, StagedBlob
from cpufit_wheelhouse.catalog import (
    Addition,
    Arrival,
    Asked,
    Catalog,
    CatalogChanged,
    Decision,
    Meeting,
    NeedChange,
    NewFile,
    PolicyChange,
    StoredFile,
    decide,
)
from cpufit_wheelhouse.forms import Forms, labelled_forms
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.judgement import KnownVerdict
from cpufit_wheelhouse.reinspection import Reinspection

from .arriving import ArrivingBytes

_QUICK = 1 << 20
"""Bytes up to which a file reaches the disk in an instant: whether it is wanted is asked once, when it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What became of a file that was accepted."""

    file: StoredFile
    status: Literal["new", "same", "need-changed"]
    """``same``: it was here already, and nothing changed."""
    verdict: Verdict | None = None
    """What its machine code was found to need; None where it was not inspected."""
    notices: tuple[Notice, ...] = ()
    """What its uploader should know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A file that passed its own checks and awaits the project's."""

    project: str
    """As it is shown, should the file make the project."""
    new: NewFile
    arriving: ArrivingBytes
    info: WheelInfo | None
    """None for a source distribution."""
    declared: bool
    turns_variants_on: bool
    submission: Submission
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Round:
    """What was decided on the project as it was at one instant."""

    seen: int | None
    """The project's serial then; None where it was not hosted."""
    decision: Decision
    notices: tuple[Notice, ...]

    @property
    def known(self) -> StoredFile | None:
        """The file that holds these bytes already, and stays as it is."""
        return self.decision.existing if self.decision.status == "same" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settling:
    """Takes offers into a store and its catalog."""

    catalog: Catalog
    blobs: BlobStore
    limits: ArchiveLimits
    restoring: bool
    """Whether a deleted file may come back: the same bytes, under the same name."""

    def settle(self, kept: ExitStack, offer: Offer) -> Ingested:
        """Decide on an offer, and write what was decided.

        What takes long is done once the file is sure to be wanted. What others did meanwhile is met in the transaction
        that writes, where nobody comes in between any more; so is everything, where nothing takes long.
        """
        round_ = None
        if offer.arriving.file.size > _QUICK or _has_forms(offer):
            round_ = self._round(self.catalog.arrivals.meeting(offer.project, offer.new, _asked(offer)), offer)
            if round_.known is not None:
                return self._known(offer, round_.known)
        forms = self._forms(kept, offer)
        for staged in _blobs_of(offer, forms):
            self.blobs.make_ready(staged)
        while True:
            try:
                file, last = self.catalog.arrivals.settle(
                    offer.new.filename, partial(self._arrive, offer, forms, round_)
                )
            except CatalogChanged:  # the project was made in this instant, by another process
                continue
            if last.known is not None:
                return self._known(offer, last.known)
            return Ingested(file=file, status=last.decision.status, verdict=offer.verdict, notices=last.notices)

    def _arrive(
        self, offer: Offer, forms: Forms, decided: _Round | None, arrival: Arrival
    ) -> tuple[StoredFile, _Round]:
        """Write what was decided, or what is to be decided by now; nothing where the file is here already."""
        if decided is None or decided.seen is None or arrival.serial(offer.project) != decided.seen:
            decided = self._round(arrival.meeting(offer.project, offer.new, _asked(offer)), offer)
        if decided.known is not None:
            return decided.known, decided
        return self._write(arrival, offer, decided, forms), decided

    def _round(self, meeting: Meeting, offer: Offer) -> _Round:
        decision = decide(
            meeting.snapshot,
            offer.new,
            declared=offer.declared,
            variants=offer.turns_variants_on,
            deleted=meeting.deleted,
            restoring=self.restoring,
        )
        return _Round(
            seen=meeting.serial,
            decision=decision,
            notices=_joining(meeting, offer) if decision.status == "new" else (),
        )

    def _known(self, offer: Offer, file: StoredFile) -> Ingested:
        if offer.turns_variants_on:
            self.catalog.set_policy(offer.project, PolicyChange(variants=True))
        for lost in (offer.arriving.file, offer.arriving.metadata):
            if not self.blobs.exists(lost.digests.sha256):  # set aside as damaged, or lost with a disk
                self.blobs.commit(lost)
        return self._same(file, offer.verdict)

    def _same(self, file: StoredFile, verdict: Verdict | None) -> Ingested:
        """Take the verdict on bytes that are here: they may have come before anybody inspected, or by older rules."""
        if verdict is None:
            return Ingested(file=file, status="same")
        again = Reinspection(
            catalog=self.catalog, blobs=self.blobs, inspector=KnownVerdict(verdict), limits=self.limits
        )
        done = again.apply(file, verdict)
        return Ingested(
            file=done.file, status="need-changed" if done.before != done.file.need else "same", verdict=verdict
        )

    def _write(self, arrival: Arrival, offer: Offer, decided: _Round, forms: Forms) -> StoredFile:
        def move_blobs_in() -> list[Path]:
            return [folder for staged in _blobs_of(offer, forms) for folder in self.blobs.move(staged)]

        derived = [form for _, form in forms]
        variants, verdict = offer.turns_variants_on, offer.verdict
        existing, seen = decided.decision.existing, decided.seen
        if existing is None or seen is None:
            return arrival.add(
                Addition(
                    offer.project,
                    offer.new,
                    seen,
                    derived=derived,
                    variants=variants,
                    verdict=verdict,
                    before_commit=move_blobs_in,
                )
            )
        need = BASELINE_NEED if offer.new.need is None else offer.new.need  # decide() changes no need to unknown
        return arrival.change_need(
            NeedChange(
                existing,
                need,
                seen,
                derived=derived,
                variants=variants,
                verdict=verdict,
                before_commit=move_blobs_in,
            )
        )

    def _forms(self, kept: ExitStack, offer: Offer) -> Forms:
        return (
            []
            if offer.info is None
            else labelled_forms(kept, self.blobs, offer.arriving.file.path, offer.info, offer.new)
        )


def _has_forms(offer: Offer) -> bool:
    """Tell whether labelled forms may be made of a file, which takes about as long as to read it."""
    return offer.info is not None and offer.new.cpu_specific and offer.new.has_native


def _blobs_of(offer: Offer, forms: Forms) -> tuple[StagedBlob, ...]:
    return (*offer.arriving.blobs, *(staged for staged, _ in forms))


def _asked(offer: Offer) -> Asked:
    """Return what the rules in force want to know of the project."""
    rules = offer.submission.rules
    if rules is None:
        return Asked()
    paced = rules.new_projects_per_hour is not None
    since = datetime.now(timezone.utc) - timedelta(hours=1) if paced else None
    return Asked(sizes=rules.project_bytes is not None, made_since=since, lookalikes=True)


def _joining(meeting: Meeting, offer: Offer) -> tuple[Notice, ...]:
    """Hold a new file to what the rules say of projects."""
    rules = offer.submission.rules
    if rules is None:
        return ()
    check_joining(meeting.snapshot, offer.project, offer.new, rules, datetime.now(timezone.utc))
    if meeting.snapshot is not None:
        return ()
    check_pace(meeting.projects_made, rules)
    return similar_names(canonicalize_name(offer.project), meeting.lookalikes)
