"""Verification: every blob hashed and held against the catalog, while others write to both.

A blob is on disk before the row that names it can be seen, and goes after it. So nothing that is only on its way is
ever found:

* rows are read before the blobs are listed, and a row whose blob is not there is read again: deleted meanwhile is fine;
* a blob that those rows do not name is looked up once more after the listing, and is left alone while it is young: the
  transaction that names it may be under way.

The hash space is taken in sixteen parts, so that a large store takes a sixteenth of its rows in memory.
"""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from cpufit_wheelhouse.blobs import STALE_AFTER, BlobFile
from cpufit_wheelhouse.catalog import Reference
from cpufit_wheelhouse.home import Home

Kind = Literal[
    "missing",
    "damaged",
    "size",
    "impossible",
    "held-missing",
    "held-damaged",
    "orphan",
    "staging",
    "held-leftover",
    "stray",
]

_HARMLESS = frozenset({"orphan", "staging", "held-leftover", "stray"})
_CHUNK = 1024**2
_PARTS = "0123456789abcdef"
_AHEAD = 4
"""Files handed to the threads before the first of them is waited for, for each thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    """
    ``missing``: a row names a blob that is not there; ``damaged``: its bytes have another hash; ``size``: the row tells
    another size; ``impossible``: a derived file without that of which it was made; ``held-…``: the same of uploads that
    wait for their verdict. Harmless are what a killed process leaves: ``orphan`` (a blob that no row names),
    ``staging``, ``held-leftover``; and ``stray``, a file that is none of ours.
    """
    told: str
    sha256: str | None = None
    path: Path | None = None
    references: tuple[Reference, ...] = ()
    """The rows that name the blob."""

    @property
    def harmless(self) -> bool:
        """Whether no client and no row is the worse for it."""
        return self.kind in _HARMLESS

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "kind": self.kind,
            "harmless": self.harmless,
            "sha256": self.sha256,
            "path": None if self.path is None else self.path.name,
            "message": self.told,
            "references": [reference.as_dict() for reference in self.references],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The use case; changes nothing, and is safe beside servers and other writers."""

    home: Home
    jobs: int = 2
    """Threads that hash."""
    young: timedelta = STALE_AFTER
    """Below this age, what no row names may be on its way."""

    def findings(self, advance: Callable[[int], object] = lambda _: None) -> Iterator[Finding]:
        """Yield what is wrong, as it is found.

        :param advance: called with the size of each file, in bytes, when it was hashed
        """
        with ThreadPoolExecutor(max_workers=self.jobs, thread_name_prefix="hashing") as threads:
            for part in _PARTS:
                yield from self._in_part(part, threads, advance)
            yield from self._held(threads, advance)
        for impossible in self.home.catalog.references.impossible():
            told = f"{impossible}: what it was made of is not there any more"
            yield Finding(kind="impossible", sha256=impossible.sha256, references=(impossible,), told=told)
        for path in self.home.blobs.leftovers(self.young):
            yield Finding(kind="staging", path=path, told="left by a writer that died")
        for path in self.home.blobs.strays():
            yield Finding(kind="stray", path=path, told="a file among the blobs that is none of cpufit's")

    def _in_part(self, part: str, threads: ThreadPoolExecutor, advance: Callable[[int], object]) -> Iterator[Finding]:
        named: dict[str, list[Reference]] = {}
        for reference in self.home.catalog.references.beginning_with(part):
            named.setdefault(reference.sha256, []).append(reference)
        there: set[str] = set()

        def listed() -> Iterator[BlobFile]:
            for blob in self.home.blobs.listing(part):
                there.add(blob.sha256)
                yield blob

        for blob, problem in _hashed(threads, listed(), self.jobs * _AHEAD):
            advance(blob.size)
            yield from self._judged(blob, problem, tuple(named.get(blob.sha256, ())))
        for sha256 in sorted(named.keys() - there):
            yield from self._missing(sha256)

    def _judged(self, blob: BlobFile, problem: str | None, known: tuple[Reference, ...]) -> Iterator[Finding]:
        # what came in, or was deleted, since the rows were read
        references = known or self.home.catalog.references.to(blob.sha256)
        if problem == _GONE:
            yield from self._missing(blob.sha256)
        elif not references:
            if blob.age > self.young.total_seconds():
                told = f"no row names these {blob.size} bytes"
                yield Finding(kind="orphan", sha256=blob.sha256, path=blob.path, told=told)
        elif problem is not None:
            told = f"{_told(references)}: {problem}"
            yield Finding(kind="damaged", sha256=blob.sha256, path=blob.path, references=references, told=told)
        else:
            yield from _of_another_size(blob, references)

    def _missing(self, sha256: str) -> Iterator[Finding]:
        now = tuple(each for each in self.home.catalog.references.to(sha256) if each.needed)
        if now and not self.home.blobs.exists(sha256):
            told = f"{_told(now)}: its bytes are not there"
            yield Finding(kind="missing", sha256=sha256, references=now, told=told)

    def _held(self, threads: ThreadPoolExecutor, advance: Callable[[int], object]) -> Iterator[Finding]:
        folder = self.home.path / "held"
        waiting = self.home.catalog.references.held()
        files = tuple(_held_files(folder))
        for file, problem in _hashed(threads, files, self.jobs * _AHEAD):
            advance(file.size)
            if file.sha256 in waiting or file.sha256 in self.home.catalog.references.held():
                if problem not in (None, _GONE):
                    told = f"a held upload: {problem}"
                    yield Finding(kind="held-damaged", sha256=file.sha256, path=file.path, told=told)
            elif file.age > self.young.total_seconds():
                yield Finding(kind="held-leftover", path=file.path, told="no held upload waits for it")
        for sha256 in sorted(waiting.keys() - {file.sha256 for file in files}):
            if sha256 in self.home.catalog.references.held() and not (folder / sha256).is_file():
                yield Finding(kind="held-missing", sha256=sha256, told="a held upload: its bytes are not there")


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces.

    :raises OSError: it cannot be read
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


_GONE = "gone"


def _hashed(
    threads: ThreadPoolExecutor, blobs: Iterable[BlobFile], ahead: int
) -> Iterator[tuple[BlobFile, str | None]]:
    """Yield each blob with what is wrong with its bytes, in order; a bounded number is under way at a time."""
    under_way: deque[tuple[BlobFile, Future[str | None]]] = deque()
    for blob in blobs:
        under_way.append((blob, threads.submit(_problem, blob)))
        if len(under_way) >= ahead:
            first, job = under_way.popleft()
            yield first, job.result()
    for blob, job in under_way:
        yield blob, job.result()


def _problem(blob: BlobFile) -> str | None:
    try:
        found = digest_of(blob.path)
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"it cannot be read: {error.strerror or type(error).__name__}"
    return None if found == blob.sha256 else f"its bytes have the hash {found}"


def _of_another_size(blob: BlobFile, references: tuple[Reference, ...]) -> Iterator[Finding]:
    wrong = tuple(each for each in references if each.size is not None and each.size != blob.size)
    if wrong:
        told = f"{_told(wrong)}: the catalog says {wrong[0].size} bytes, and there are {blob.size}"
        yield Finding(kind="size", sha256=blob.sha256, path=blob.path, references=wrong, told=told)


def _held_files(folder: Path) -> Iterator[BlobFile]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(FileNotFoundError):
            told = path.stat()
            age = time.time() - max(told.st_mtime, told.st_ctime)
            yield BlobFile(sha256=path.name, path=path, size=told.st_size, age=max(age, 0.0))


def _told(references: tuple[Reference, ...]) -> str:
    others = f" and {len(references) - 1} more" if len(references) > 1 else ""
    return f"{references[0]}{others}"
