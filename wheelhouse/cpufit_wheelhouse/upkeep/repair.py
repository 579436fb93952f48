"""Repair: what a verification found is mended where nothing can be lost by it, and set aside where it cannot be mended.

=============================  ===========================================================================
a metadata blob                is taken again from its wheel or source distribution
a labelled wheel               is made anew from its wheel
a selector, variants.json      is made anew by whoever made it; where the bytes would be others, the row goes,
                               and the next page makes a new one
a file                         cannot be made anew: its damaged bytes move to the quarantine folder, and it is
                               hidden on record; the same bytes uploaded again are taken in, and it can be shown
attestations                   their damaged bytes move to the quarantine folder, and the file has none any more
an orphan, a staging file      is removed, an orphan in a transaction in which no row names it
=============================  ===========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal

from cpufit_resolver.errors import CpufitError
from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.blobs import fsync_folder
from cpufit_wheelhouse.catalog import CatalogChanged, NeedChange, ProjectSnapshot, Reference, StoredFile
from cpufit_wheelhouse.forms import with_forms
from cpufit_wheelhouse.home import Home
from cpufit_wheelhouse.reinspection import own_name
from cpufit_wheelhouse.sdist import open_sdist

from .verification import Finding, digest_of

REPAIRER = "cpufit-server verify"
"""Who hides a file, for the record."""

Outcome = Literal["mended", "removed", "quarantined", "kept"]

Remade = Callable[[Reference], Iterable[bytes]]
"""Makes a selector or a variants file anew: the bytes that it may have had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What became of a finding."""

    finding: Finding
    outcome: Outcome
    """``kept``: nothing was done; ``quarantined``: no client gets it any more, and nothing is lost."""
    told: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {**self.finding.as_dict(), "outcome": self.outcome, "repair": self.told}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """The use case; safe beside servers and other writers."""

    home: Home
    remade: Remade = lambda _: ()

    def run(self, finding: Finding) -> Repaired:
        """Mend one finding, or set aside what it is about; never raises for what one file has wrong."""
        try:
            outcome, told = self._run(finding)
        except (CpufitError, OSError) as error:
            outcome, told = "kept", f"it cannot be mended: {error}"
        return Repaired(finding=finding, outcome=outcome, told=told)

    def _run(self, finding: Finding) -> tuple[Outcome, str]:
        if finding.kind in ("missing", "damaged") and finding.sha256 is not None:
            return self._bytes(finding, finding.sha256)
        if finding.kind == "orphan" and finding.sha256 is not None:
            return self._orphan(finding.sha256)
        return self._row(finding) if finding.references else self._path(finding)

    def _row(self, finding: Finding) -> tuple[Outcome, str]:
        references = self.home.catalog.references
        for each in finding.references:
            if finding.kind == "impossible":
                references.forget(each, who=REPAIRER, why=finding.told)
            elif finding.path is not None:
                references.correct_size(each, finding.path.stat().st_size)
        if finding.kind == "impossible":
            return "removed", "the catalog does not name it any more"
        return "mended", "the catalog has the right size"

    def _path(self, finding: Finding) -> tuple[Outcome, str]:
        if finding.path is not None and finding.kind in ("staging", "held-leftover"):
            finding.path.unlink(missing_ok=True)
            return "removed", ""
        if finding.path is not None and finding.kind == "held-damaged":
            folder = self.home.path / "quarantine"
            folder.mkdir(exist_ok=True)
            finding.path.replace(folder / f"held-{finding.path.name}")
            fsync_folder(folder)
            return "quarantined", "its uploader is told to upload it again"
        return "kept", ""

    def _orphan(self, sha256: str) -> tuple[Outcome, str]:
        blobs = self.home.blobs
        if self.home.catalog.references.while_unnamed(sha256, lambda: blobs.remove(sha256)):
            return "removed", ""
        return "kept", "a row names it by now"

    def _bytes(self, finding: Finding, sha256: str) -> tuple[Outcome, str]:
        # a finding may be hours old, and an upload of the same bytes brings back what is lost
        if self._is_whole(sha256):
            return "mended", "its bytes are whole by now"
        for reference in finding.references:
            if self._mended(reference, sha256):
                return "mended", f"made anew from what {reference.filename} is made of"
        told = []
        if finding.kind == "damaged":
            self.home.blobs.set_aside(sha256)
            told.append("its bytes are in the quarantine folder")
        mended = True
        for reference in finding.references:
            done, what = self._let_go(reference, finding.told)
            mended = mended and done
            told.append(what)
        return ("mended" if mended else "quarantined"), "; ".join(dict.fromkeys(told))

    def _mended(self, reference: Reference, sha256: str) -> bool:
        """Make a blob anew, byte for byte; False where that cannot be."""
        if reference.role == "labelled":
            return self._labelled_anew(reference) and self._is_whole(sha256)
        for data in self._anew(reference):
            with self.home.blobs.stage() as staged:
                staged.write(data)
                if staged.digests.sha256 == sha256:
                    self.home.blobs.commit(staged, over=True)
                    return True
        return False

    def _anew(self, reference: Reference) -> Iterable[bytes]:
        if reference.role in ("selector", "variants-json"):
            yield from self.remade(reference)
            return
        file = _source(self.home.catalog.snapshot(reference.project), reference)
        if file is None or reference.role not in ("metadata", "labelled-metadata"):
            return
        if not self._is_whole(file.sha256):
            return
        path = self.home.blobs.path(file.sha256)
        if file.kind == "wheel":
            yield open_wheel(path, own_name(file)).metadata_bytes
        else:
            yield open_sdist(path, file.filename).metadata_bytes

    def _let_go(self, reference: Reference, why: str) -> tuple[bool, str]:
        """Keep everybody from a blob that is lost; tells whether nothing is lost by that."""
        file = _source(self.home.catalog.snapshot(reference.project), reference)
        if reference.role in ("file", "metadata"):
            if file is None:
                return True, f"{reference.filename} was deleted meanwhile"
            self.home.catalog.hidings.hide(reference.project, file.sha256, who=REPAIRER, why=why)
            return False, f"{reference.filename} is hidden; upload it again, then unhide it"
        if reference.role == "thaw":
            return True, "it was needed for a freeze that ended"
        if reference.role in ("labelled", "labelled-metadata") and file and not self._is_whole(file.sha256):
            return False, f"{reference.filename} can be made anew when its wheel is whole"
        self.home.catalog.references.forget(reference, who=REPAIRER, why=why)
        if reference.role == "attestations":
            return False, f"{reference.filename} has no attestations any more"
        return True, f"{reference.filename} is made anew when it is wanted"

    def _labelled_anew(self, reference: Reference) -> bool:
        """Make all labelled forms of a wheel anew, whatever their bytes are by the rules of this version."""
        blobs = self.home.blobs
        while True:
            snapshot = self.home.catalog.snapshot(reference.project)
            file = _source(snapshot, reference)
            if file is None or snapshot is None or not self._is_whole(file.sha256):
                return False
            try:
                with ExitStack() as kept:
                    info = open_wheel(blobs.path(file.sha256), own_name(file))
                    change = NeedChange(file, file.need, snapshot.project.serial)
                    change = with_forms(kept, blobs, info, change, over=True)
                    self.home.catalog.arrivals.change_need(change)
            except CatalogChanged:
                continue
            return bool(change.derived)

    def _is_whole(self, sha256: str) -> bool:
        """Tell whether a blob has the bytes that it had: nothing is made from damaged ones."""
        blobs = self.home.blobs
        return blobs.exists(sha256) and digest_of(blobs.path(sha256)) == sha256


def _source(snapshot: ProjectSnapshot | None, reference: Reference) -> StoredFile | None:
    """Return the uploaded file that a row is about, or that its labelled wheel was made of."""
    if snapshot is None:
        return None
    file_id: int | None = reference.row_id
    if reference.role in ("labelled", "labelled-metadata"):
        file_id = next((each.file_id for each in snapshot.derived if each.id == reference.row_id), None)
    return next((file for file in snapshot.files if file.id == file_id), None)
