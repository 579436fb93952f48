"""Putting one chosen file into a home: known already, or fetched, verified and ingested."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cpufit_resolver import InvalidCpuToken, parse_need
from cpufit_wheelhouse.blobs import BlobStore, StagedBlob
from cpufit_wheelhouse.catalog import Catalog, PolicyChange, StoredFile
from cpufit_wheelhouse.ingest import Ingest, Ingested

from .errors import DownloadBroke, DownloadFailed
from .fetcher import Fetcher, without_login

if TYPE_CHECKING:
    from cpufit_server.progress import Reporter

    from .choosing import SourceFile

ATTEMPTS = 3
"""How often a download that broke off is begun anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of one file."""

    source: SourceFile
    file: StoredFile
    status: str
    """``new``, ``same``, ``need-changed``."""
    fetched: bool
    """Whether its bytes had to come."""
    need_ignored: bool = False
    """Whether a need was declared that is not about this file."""
    undetermined: tuple[str, ...] = ()
    """Where its need is unknown: why its machine code does not tell it."""

    def as_dict(self) -> dict[str, Any]:
        """Return what a machine reads."""
        return {
            "source": self.source.filename,
            "status": self.status,
            "fetched": self.fetched,
            "project": self.file.project,
            "version": self.file.version,
            "filename": self.file.filename,
            "sha256": self.file.sha256,
            "size": self.file.size,
            "need": None if self.file.need is None else self.file.need.as_dict(),
            **({"undetermined": list(self.undetermined)} if self.undetermined else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Imports files into a home, one after the other; works beside a running server on the same home."""

    catalog: Catalog
    blobs: BlobStore
    ingest: Ingest
    fetcher: Fetcher
    reporter: Reporter

    def run(self, source: SourceFile, *, as_project: str | None, needs: str | None, alone: bool = False) -> Imported:
        """Import a file, unless it is there already.

        :param as_project: the name that a wheel is given, and variants switched on for it; None keeps its own
        :param needs: what it needs, for wheels of the architectures that this text tells
        :param alone: it is the one file that was asked for, so the need is meant for it whatever its platform tag
        :raises CpufitError: it cannot be had, is other bytes than promised, or is refused by the checks
        """
        declared = needs if needs is not None and applies(needs, source, alone=alone) else None
        ignored = needs is not None and declared is None
        known = self._known(source, as_project, declared)
        if known is not None:
            if as_project is not None or declared is not None:  # what the ingest does for a file that is the same
                self.catalog.set_policy(known.project, PolicyChange(variants=True))
            return Imported(source=source, file=known, status="same", fetched=False, need_ignored=ignored)
        for attempt in range(1, ATTEMPTS + 1):
            with self.blobs.stage() as staged:
                try:
                    self._fetch(source, staged)
                except DownloadBroke as error:
                    if attempt == ATTEMPTS:
                        raise
                    self.reporter.step(f"  {source.filename}: {error.message}; again")
                    continue
                done = self._ingest(source, staged, as_project=as_project, declared=declared)
                return Imported(
                    source=source,
                    file=done.file,
                    status=done.status,
                    fetched=True,
                    need_ignored=ignored,
                    undetermined=done.verdict.undetermined if done.verdict and done.file.need is None else (),
                )
        raise AssertionError("the last attempt returns or raises")

    def _known(self, source: SourceFile, as_project: str | None, declared: str | None) -> StoredFile | None:
        """Return the stored file whose bytes, or whose original's, are those promised, with the need declared now."""
        project = as_project or (None if source.release is None else source.release[0])
        if project is None or source.sha256 is None:
            return None
        for file in self.catalog.files(project):
            if source.sha256 not in (file.sha256, file.provenance.get("sha256")):
                continue
            if declared is None or _same_need(declared, source, file):
                return file
        return None

    def _fetch(self, source: SourceFile, staged: StagedBlob) -> None:
        hashers = {name: hashlib.new(name) for name, _ in source.hashes if name in hashlib.algorithms_guaranteed}
        local = source.url.startswith("file:")
        with contextlib.ExitStack() as stack:
            size, chunks = stack.enter_context(self.fetcher.chunks(source.url))
            label = f"{'reading' if local else 'fetching'} {source.filename}"
            advance = stack.enter_context(self.reporter.transfer(label, size or source.size))
            for chunk in chunks:
                staged.write(chunk)
                advance(len(chunk))
                for hasher in hashers.values():
                    hasher.update(chunk)
        for name, promised in source.hashes:
            if name in hashers and _hex(name, hashers[name], promised) != promised.lower():
                raise DownloadFailed(
                    f"its {name} is not the promised {promised}",
                    where=source.filename,
                    hint="the source has changed or was tampered with; nothing is stored",
                )

    def _ingest(
        self, source: SourceFile, staged: StagedBlob, *, as_project: str | None, declared: str | None
    ) -> Ingested:
        provenance = _provenance(source, staged)
        if not source.filename.endswith(".whl"):
            return self.ingest.sdist(staged, source.filename, as_project=as_project, provenance=provenance)
        return self.ingest.wheel(
            staged, source.filename, declared=declared, as_project=as_project, provenance=provenance
        )


def applies(needs: str, source: SourceFile, *, alone: bool = False) -> bool:
    """Tell whether a declared need is about a wheel: whether the wheel has all the architectures that it names.

    An sdist has none. A wheel for any platform has none either, and takes the need only where it is meant alone: among
    a folder's wheels those for any platform are mostly pure Python. A text that no architecture can be told of is for
    the checks to refuse.

    :raises InvalidCpuToken: it names a level or a feature that nobody knows
    """
    wheel = source.wheel
    if wheel is None:
        return False
    if not wheel.architectures():
        return alone
    try:
        named = parse_need(needs, frozenset())
    except InvalidCpuToken:
        parse_need(needs, wheel.architectures())
        return True
    return {arch for arch, _ in named.by_arch} <= wheel.architectures()


def _same_need(declared: str, source: SourceFile, file: StoredFile) -> bool:
    wheel = source.wheel
    if wheel is None or file.need is None:
        return False
    return parse_need(declared, wheel.architectures()).key == file.need.key


def _provenance(source: SourceFile, staged: StagedBlob) -> Mapping[str, str]:
    """Return where a file came from, for everybody to read: no credentials, and no path on this machine."""
    record = {"source": "import", "filename": source.filename, "sha256": staged.digests.sha256}
    if not source.url.startswith("file:"):
        record["url"] = without_login(source.url)
    return record


def _hex(name: str, hasher: Any, promised: str) -> str:
    # the shake algorithms have no length of their own
    return str(hasher.hexdigest(len(promised) // 2) if name.startswith("shake") else hasher.hexdigest())
