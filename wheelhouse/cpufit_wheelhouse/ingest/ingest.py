"""What a file says of itself: it is opened, checked, renamed and judged here, and then offered to its project."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace

from packaging.utils import NormalizedName, canonicalize_name

from cpufit_wheelhouse.admission.checks import check_sdist, check_wheel, member_watch
from cpufit_wheelhouse.admission.rules import UNSAID, Submission
from cpufit_wheelhouse.archive import WheelInfo, open_wheel
from cpufit_wheelhouse.archive_limits import DEFAULT_LIMITS, ArchiveLimits
from cpufit_wheelhouse.attestations import provenance_object
from cpufit_wheelhouse.blobs import BlobStore, StagedBlob
from cpufit_wheelhouse.catalog import Catalog
from cpufit_wheelhouse.catalog.records import BelowVerdict
from cpufit_wheelhouse.errors import MetadataMismatch, StoreError
from cpufit_wheelhouse.inspection.verdict import RULES_VERSION, Verdict
from cpufit_wheelhouse.judgement import Inspector, Judgement, KnownVerdict, NoInspector, judge
from cpufit_wheelhouse.rename import rename_wheel
from cpufit_wheelhouse.sdist import open_sdist
from cpufit_wheelhouse.signatures import SignatureVerifier

from .arriving import ArrivingBytes, sdist_facts, wheel_facts
from .settling import Ingested, Offer, Settling


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
    ) -> None:
        """Take what is needed.

        :param inspector: reads the machine code of wheels; without one, those nobody declares a need for stay unknown
        :param below_verdict: whether a declared need or a label below the verdict is refused, or raised to it
        :param signatures: verifies attestations; without it their form is checked alone
        """
        self._catalog = catalog
        self._blobs = blobs
        self._inspector: Inspector = NoInspector() if inspector is None else inspector
        self._limits = limits
        self._below: BelowVerdict = below_verdict
        self._signatures = signatures
        self._settling = Settling(catalog=catalog, blobs=blobs, limits=limits, restoring=False)

    def restoring(self) -> Ingest:
        """Return the same use case for somebody who may let deleted files come back."""
        same = copy.copy(self)
        same._settling = replace(self._settling, restoring=True)  # noqa: SLF001  # of its own class
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
            offer = Offer(
                project=shown,
                new=wheel_facts(info, judgement.need, arriving, whence),
                arriving=arriving,
                info=info,
                declared=bool(declared),
                turns_variants_on=bool(declared) or as_project is not None,
                submission=submission,
                verdict=judgement.verdict,
            )
            return self._settling.settle(kept, offer)

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
            offer = Offer(
                project=info.metadata.name,
                new=sdist_facts(info, arriving, provenance or {}),
                arriving=arriving,
                info=None,
                declared=False,
                turns_variants_on=as_project is not None,
                submission=submission,
            )
            return self._settling.settle(kept, offer)

    def _judged(self, staged: StagedBlob, info: WheelInfo, declared: str | None, verdict: Verdict | None) -> Judgement:
        """Judge a wheel, by what is known of its bytes already where the rules are still the same.

        What could not be determined once is tried again.
        """
        sha256 = staged.digests.sha256
        if verdict is None and info.native:
            kept = self._catalog.inspections.verdict(sha256)
            current = kept is not None and kept.known and kept.rules_version == RULES_VERSION
            verdict = kept if current else None
        inspector = self._inspector if verdict is None else KnownVerdict(verdict)
        override = self._catalog.inspections.override(sha256)
        return judge(info, staged.path, declared, inspector, below=self._below, override=override)

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
