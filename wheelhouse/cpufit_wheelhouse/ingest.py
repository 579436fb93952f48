"""Ingest: the one use case that puts a file in. Whatever brings files (uploads, imports) calls this.

The way of a wheel::

    checked as an archive ─► renamed, where it comes in under another project ─► judged: need, or unknown
      ─► decided on what it meets in its project (catalog/identity.py) ─► labelled forms made, fsynced
      ─► one transaction: decided anew if the project changed, rows in, blobs renamed into place, committed

No transaction is open while a wheel is read, hashed or rewritten. A small one without labelled forms is decided on in
the transaction alone. A file that is refused leaves nothing: every refusal falls before the first blob is moved,
and inside the transaction the rows go in first, so that whoever loses a race has moved no blob either. A kill leaves
staging files that are swept later, or blobs that no row names.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Literal

from packaging.utils import NormalizedName, canonicalize_name

from cpufit_resolver.need import BASELINE_NEED

from .admission.checks import check_sdist, check_wheel, member_watch
from .admission.names import similar_names
from .admission.release import check_joining, check_pace
from .admission.rules import UNSAID, Notice, Submission
from .archive import WheelInfo, open_wheel
from .archive_limits import DEFAULT_LIMITS, ArchiveLimits
from .arriving import ArrivingBytes, sdist_facts, wheel_facts
from .attestations import provenance_object
from .blobs import BlobStore, StagedBlob
from .catalog import (
    Addition,
    Arrival,
    Asked,
    Catalog,
    CatalogChanged,
    Decision,
    Meeting,
    NeedChange,
    NewFile,
    StoredFile,
    decide,
)
from .catalog.records import BelowVerdict
from .errors import MetadataMismatch, StoreError
from .forms import Forms, labelled_forms
from .inspection.verdict import RULES_VERSION, Verdict
from .judgement import Inspector, Judgement, NoInspector, judge
from .reinspection import Reinspection
from .rename import rename_wheel
from .sdist import open_sdist
from .signatures import SignatureVerifier

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
class _Offer:
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


@dataclass(frozen=True, slots=True)
class _Known:
    """An inspector that knows the answer."""

    verdict: Verdict

    def inspect(self, path: Path, info: WheelInfo) -> Verdict:  # noqa: ARG002  # the port's arguments
        return self.verdict


class Ingest:
    """Puts wheels and source distributions into a store and its catalog."""

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        inspector: Inspector | None = None,
        limits: ArchiveLimits = DEFAULT_LIMITS,
        *,
        below_verdict: BelowVerdict = "refuse",
        signatures: SignatureVerifier | None = None,
        restoring: bool = False,
    ) -> None:
        """Take what is needed.

        :param inspector: reads the machine code of wheels; without one, those nobody declares a need for stay unknown
        :param below_verdict: whether a declared need or a label below the verdict is refused, or raised to it
        :param signatures: verifies attestations; without it their form is checked alone
        :param restoring: whether a deleted file may come back: the same bytes, under the same name
        """
        self._catalog = catalog
        self._blobs = blobs
        self._inspector: Inspector = NoInspector() if inspector is None else inspector
        self._limits = limits
        self._below: BelowVerdict = below_verdict
        self._signatures = signatures
        self._restoring = restoring

    def restoring(self) -> Ingest:
        """Return the same use case for somebody who may let deleted files come back."""
        same = copy.copy(self)
        same._restoring = True  # noqa: SLF001  # of its own class
        return same

    def wheel(
        self,
        staged: StagedBlob,
        filename: str,
        *,
        declared: str | None = None,
        as_project: str | None = None,
        provenance: Mapping[str, object] | None = None,
        submission: Submission = UNSAID,
        verdict: Verdict | None = None,
    ) -> Ingested:
        """Put a wheel in.

        :param staged: its bytes; they stay the caller's to discard, and digests the caller's to compare beforehand
        :param filename: the name under which it was offered
        :param declared: the need that somebody declares (:func:`cpufit_resolver.need.parse_need`), which turns the
            project's variants on; an empty text declares nothing, as an empty form field does
        :param as_project: the project that it becomes a variant of, whatever its own name; turns variants on
        :param provenance: where it comes from, kept as it is; a renamed wheel's first name and digest are added
        :param submission: what its sender says of it beside its bytes, and the rules that it is held to; attestations
            of a file that is stored under another name, or renamed, are checked and dropped
        :param verdict: what an inspection of these bytes found, where that is known already
        :raises InspectionPending: the inspector has not ended in the time that it was given; nothing was stored
        :raises WheelError: it is not what it says, by the rule that is broken
        :raises StoreError: it cannot be in this project; nothing was stored
        :raises InvalidCpuToken: the declared need cannot be read
        """
        with ExitStack() as kept:
            staged.flush()
            info = open_wheel(staged.path, filename, limits=self._limits, watch=member_watch(submission))
            shown = info.metadata.name if as_project is None else as_project
            _check_project(canonicalize_name(shown), submission.project)
            check_wheel(info, submission)
            attested = self._attested(kept, submission, filename, staged, info.filename.ordinary().format())
            whence = dict(provenance or {})
            if canonicalize_name(shown) != info.filename.name:
                first = {"name": info.filename.name, "filename": filename, "sha256": staged.digests.sha256}
                whence["renamed_from"] = first
                staged, info = self._renamed(kept, staged, info, shown)
                attested = None
            judgement = self._judged(staged, info, declared, verdict)
            metadata = self._staged(kept, info.metadata_bytes)
            arriving = ArrivingBytes(file=staged, metadata=metadata, attested=attested)
            offer = _Offer(
                project=shown,
                new=wheel_facts(info, judgement.need, arriving, whence),
                arriving=arriving,
                info=info,
                declared=bool(declared),
                turns_variants_on=bool(declared) or as_project is not None,
                submission=submission,
                verdict=judgement.verdict,
            )
            return self._settle(kept, offer)

    def sdist(
        self,
        staged: StagedBlob,
        filename: str,
        *,
        as_project: str | None = None,
        provenance: Mapping[str, object] | None = None,
        submission: Submission = UNSAID,
    ) -> Ingested:
        """Put a source distribution in; parameters and errors as for :meth:`wheel`.

        :raises StoreError: also where ``as_project`` is not its own project: what it builds has its own name
        """
        with ExitStack() as kept:
            staged.flush()
            info = open_sdist(staged.path, filename, limits=self._limits, watch=member_watch(submission))
            _check_project(info.filename.name, submission.project)
            check_sdist(info, submission)
            if as_project is not None and canonicalize_name(as_project) != info.filename.name:
                raise StoreError(
                    f"a source distribution of {info.filename.name!r} cannot stand in project {as_project!r}",
                    code="sdist-of-another-project",
                    hint="only wheels can be taken in under another project's name",
                )
            attested = self._attested(kept, submission, filename, staged, filename)
            metadata = self._staged(kept, info.metadata_bytes)
            arriving = ArrivingBytes(file=staged, metadata=metadata, attested=attested)
            offer = _Offer(
                project=info.metadata.name,
                new=sdist_facts(info, arriving, provenance or {}),
                arriving=arriving,
                info=None,
                declared=False,
                turns_variants_on=as_project is not None,
                submission=submission,
            )
            return self._settle(kept, offer)

    def _settle(self, kept: ExitStack, offer: _Offer) -> Ingested:
        """Decide and write.

        What takes long is done once the file is sure to be wanted. What others did meanwhile is met in the transaction
        that writes, where nobody comes in between any more; so is everything, where nothing takes long.
        """
        round_ = None
        if offer.arriving.file.size > _QUICK or _has_forms(offer):
            round_ = self._round(self._catalog.arrivals.meeting(offer.project, offer.new, _asked(offer)), offer)
            if round_.known is not None:
                return self._known(offer, round_.known)
        forms = self._forms(kept, offer)
        for staged in _blobs_of(offer, forms):
            self._blobs.make_ready(staged)
        while True:
            try:
                file, last = self._catalog.arrivals.settle(
                    offer.new.filename, partial(self._arrive, offer, forms, round_)
                )
            except CatalogChanged:  # the project was made in this instant, by another process
                continue
            if last.known is not None:
                return self._known(offer, last.known)
            return Ingested(file=file, status=last.decision.status, verdict=offer.verdict, notices=last.notices)

    def _arrive(
        self, offer: _Offer, forms: Forms, decided: _Round | None, arrival: Arrival
    ) -> tuple[StoredFile, _Round]:
        """Write what was decided, or what is to be decided by now; nothing where the file is here already."""
        if decided is None or decided.seen is None or arrival.serial(offer.project) != decided.seen:
            decided = self._round(arrival.meeting(offer.project, offer.new, _asked(offer)), offer)
        if decided.known is not None:
            return decided.known, decided
        return self._write(arrival, offer, decided, forms), decided

    def _round(self, meeting: Meeting, offer: _Offer) -> _Round:
        decision = decide(
            meeting.snapshot,
            offer.new,
            declared=offer.declared,
            variants=offer.turns_variants_on,
            deleted=meeting.deleted,
            restoring=self._restoring,
        )
        return _Round(
            seen=meeting.serial,
            decision=decision,
            notices=_joining(meeting, offer) if decision.status == "new" else (),
        )

    def _known(self, offer: _Offer, file: StoredFile) -> Ingested:
        if offer.turns_variants_on:
            self._catalog.set_policy(offer.project, variants=True)
        for lost in (offer.arriving.file, offer.arriving.metadata):
            if not self._blobs.exists(lost.digests.sha256):  # set aside as damaged, or lost with a disk
                self._blobs.commit(lost)
        return self._same(file, offer.verdict)

    def _same(self, file: StoredFile, verdict: Verdict | None) -> Ingested:
        """Take the verdict on bytes that are here: they may have come before anybody inspected, or by older rules."""
        if verdict is None:
            return Ingested(file=file, status="same")
        again = Reinspection(catalog=self._catalog, blobs=self._blobs, inspector=_Known(verdict), limits=self._limits)
        done = again.apply(file, verdict)
        return Ingested(
            file=done.file, status="need-changed" if done.before != done.file.need else "same", verdict=verdict
        )

    def _write(self, arrival: Arrival, offer: _Offer, decided: _Round, forms: Forms) -> StoredFile:
        def move_blobs_in() -> list[Path]:
            return [folder for staged in _blobs_of(offer, forms) for folder in self._blobs.move(staged)]

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

    def _judged(self, staged: StagedBlob, info: WheelInfo, declared: str | None, verdict: Verdict | None) -> Judgement:
        """Judge a wheel, by what is known of its bytes already where the rules are still the same.

        What could not be determined once is tried again.
        """
        sha256 = staged.digests.sha256
        if verdict is None and info.native:
            kept = self._catalog.inspections.verdict(sha256)
            current = kept is not None and kept.known and kept.rules_version == RULES_VERSION
            verdict = kept if current else None
        inspector = self._inspector if verdict is None else _Known(verdict)
        override = self._catalog.inspections.override(sha256)
        return judge(info, staged.path, declared, inspector, below=self._below, override=override)

    def _forms(self, kept: ExitStack, offer: _Offer) -> Forms:
        return (
            []
            if offer.info is None
            else labelled_forms(kept, self._blobs, offer.arriving.file.path, offer.info, offer.new)
        )

    def _staged(self, kept: ExitStack, data: bytes) -> StagedBlob:
        staged = kept.enter_context(self._blobs.stage())
        staged.write(data)
        staged.seal()
        return staged

    def _attested(
        self, kept: ExitStack, submission: Submission, filename: str, staged: StagedBlob, stored: str
    ) -> StagedBlob | None:
        """Return the provenance object of what was attested; None where nothing was, or of another name."""
        if not submission.attestations:
            return None
        data = provenance_object(submission.attestations, filename, staged.digests.sha256, self._signatures)
        return self._staged(kept, data) if filename == stored else None

    def _renamed(
        self, kept: ExitStack, staged: StagedBlob, info: WheelInfo, project: str
    ) -> tuple[StagedBlob, WheelInfo]:
        """Give a wheel another project's name. The bytes depend on the wheel and the project alone.

        So the name goes in in normal form, and no address of where the wheel was found: whoever brings it again, in
        another spelling or from another place, brings the same file.
        """
        renamed = kept.enter_context(self._blobs.stage())
        filename = rename_wheel(staged.path, info.filename.format(), canonicalize_name(project), renamed)
        renamed.seal()
        return renamed, open_wheel(renamed.path, filename, limits=self._limits)


def _check_project(name: NormalizedName, expected: str | None) -> None:
    if expected is not None and canonicalize_name(expected) != name:
        raise MetadataMismatch(f"the file is for the project {name!r}, the upload for {expected!r}")


def _has_forms(offer: _Offer) -> bool:
    """Tell whether labelled forms may be made of a file, which takes about as long as to read it."""
    return offer.info is not None and offer.new.cpu_specific and offer.new.has_native


def _blobs_of(offer: _Offer, forms: Forms) -> tuple[StagedBlob, ...]:
    return (*offer.arriving.blobs, *(staged for staged, _ in forms))


def _asked(offer: _Offer) -> Asked:
    """Return what the rules in force want to know of the project."""
    rules = offer.submission.rules
    if rules is None:
        return Asked()
    paced = rules.new_projects_per_hour is not None
    since = datetime.now(timezone.utc) - timedelta(hours=1) if paced else None
    return Asked(sizes=rules.project_bytes is not None, made_since=since, lookalikes=True)


def _joining(meeting: Meeting, offer: _Offer) -> tuple[Notice, ...]:
    """Hold a new file to what the rules say of projects."""
    rules = offer.submission.rules
    if rules is None:
        return ()
    check_joining(meeting.snapshot, offer.project, offer.new, rules, datetime.now(timezone.utc))
    if meeting.snapshot is not None:
        return ()
    check_pace(meeting.projects_made, rules)
    return similar_names(canonicalize_name(offer.project), meeting.lookalikes)
