"""Backup: a store's copy that is whole, taken while others write.

A blob is on disk before a row that names it can be seen, and never changes. So the catalog is copied first, at one
instant, and then what it names. Only what was deleted in between can be gone by then (or a held file that was
decided): the catalog is copied again, and what it names now is added. In the end every byte of the copy is hashed.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import IO

from sqlalchemy import create_engine

from cpufit_wheelhouse.catalog.references import ReferenceTable
from cpufit_wheelhouse.home import Home

from .copies import PART, CopyTarget, FolderCopy, Manifest, TarCopy, blob_name, held_name, open_source
from .verification import digest_of

_ATTEMPTS = 5
"""How often the catalog is copied anew because something was deleted meanwhile."""

_CHUNK = 1024**2
_PARTS = "0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What a backup came to."""

    files: int
    size: int
    """In bytes."""
    added: int
    """Files that an older copy in the same folder did not have."""
    lost: tuple[str, ...]
    """Names of files that the catalog names and that are not there, or whose bytes are damaged, in the store too."""

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "ok": not self.lost,
            "files": self.files,
            "bytes": self.size,
            "added": self.added,
            "lost": list(self.lost),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """The use case; one at a time into one target."""

    home: Home
    target: Path
    """A folder, or where its name ends with ``.tar`` a file."""
    link: bool = True

    def run(self, advance: Callable[[int], object] = lambda _: None) -> BackedUp:
        """Copy, check the copy, and tell.

        :param advance: called with the bytes of each file when it is in, and again when it was checked
        :raises NotABackup: the target holds something else
        :raises StoreError: the catalog is in a database that has its own ways of being backed up
        :raises OSError: the target cannot be written
        """
        with _target(self.target, link=self.link) as copy, self._scratch() as scratch:
            catalog = Path(scratch) / "catalog.sqlite3"
            added: set[str] = set()
            named: Mapping[str, str] = {}
            gone: list[str] = []
            for _ in range(_ATTEMPTS):
                catalog.unlink(missing_ok=True)
                self.home.catalog.copy_to(catalog)
                named = names_in(catalog)
                before, gone = gone, self._brought(copy, named, added, advance)
                if not gone or gone == before:  # what is gone twice was lost long ago
                    break
            digest = digest_of(catalog)
            # of the copy: in the store some of them may be deleted by now
            sizes = [size for name in named if (size := copy.size_of(name)) is not None]
            manifest = Manifest(
                cpufit=version("cpufit"),
                created_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
                catalog=f"catalog-{digest[:16]}.sqlite3",
                catalog_sha256=digest,
                files=len(sizes),
                size=sum(sizes),
            )
            copy.finish(manifest, catalog, frozenset(named))
            lost = self._checked(copy, named, advance)
        return BackedUp(files=manifest.files, size=manifest.size, added=len(added), lost=lost)

    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        """Make a folder for the copy of the catalog, where there is room for backups; a later one removes its like."""
        folder = self.target if self.target.is_dir() else self.target.parent
        return tempfile.TemporaryDirectory(dir=folder, prefix=".", suffix=PART, ignore_cleanup_errors=True)

    def _path(self, name: str, sha256: str) -> Path | None:
        if name.startswith("held/"):
            path = self.home.path / "held" / sha256
            return path if path.is_file() else None
        return self.home.blobs.path(sha256) if self.home.blobs.exists(sha256) else None

    def _brought(
        self, copy: CopyTarget, named: Mapping[str, str], added: set[str], advance: Callable[[int], object]
    ) -> list[str]:
        """Bring in what is not there yet; returns what is gone from the store meanwhile."""
        gone = []
        for name, sha256 in named.items():
            path = self._path(name, sha256)
            size = None
            try:
                size = None if path is None else path.stat().st_size
                if path is not None and copy.size_of(name) != size:
                    copy.add(name, path)
                    added.add(name)
            except FileNotFoundError:
                path = None
            if path is None and copy.size_of(name) is None:
                gone.append(name)
            advance(size or 0)
        return gone

    def _checked(self, copy: CopyTarget, named: Mapping[str, str], advance: Callable[[int], object]) -> tuple[str, ...]:
        """Hash every file of the copy; what is damaged there is brought again, if the store has it whole."""
        lost = []
        with open_source(self.target) as source:
            for name, sha256 in named.items():
                found, size = hashed(source.open(name))
                advance(size)
                if found != sha256:
                    path = self._path(name, sha256)
                    if path is None or not isinstance(copy, FolderCopy) or digest_of(path) != sha256:
                        lost.append(name)
                    else:
                        copy.add(name, path)
        return tuple(lost)


@contextmanager
def _target(path: Path, *, link: bool) -> Iterator[CopyTarget]:
    if path.suffix != ".tar":
        yield FolderCopy(path, link=link)
        return
    tar = TarCopy(path)
    try:
        yield tar
    finally:
        tar.close()


def names_in(catalog: Path) -> dict[str, str]:
    """Return what a catalog's file needs beside it: the name in a copy, and its SHA-256."""
    engine = create_engine(f"sqlite:///file:{catalog}?mode=ro&uri=true")
    try:
        return names_of(ReferenceTable(engine))
    finally:
        engine.dispose()


def names_of(references: ReferenceTable) -> dict[str, str]:
    """Return the names in a copy of every blob and held file that a catalog needs, each with its SHA-256."""
    found = {
        blob_name(each.sha256): each.sha256
        for part in _PARTS
        for each in references.beginning_with(part)
        if each.needed
    }
    return found | {held_name(sha256): sha256 for sha256 in references.held()}


def hashed(stream: IO[bytes] | None) -> tuple[str | None, int]:
    """Return the SHA-256 of a stream and its bytes, and close it; None for none."""
    if stream is None:
        return None, 0
    digest, size = hashlib.sha256(), 0
    with stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size
