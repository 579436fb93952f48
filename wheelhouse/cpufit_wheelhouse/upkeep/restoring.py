"""Restoring: from a copy to a new home, every byte held against its hash on the way.

The catalog gets its name last: a restore that was cut off leaves a folder without one, which no server takes for a
store that lost its files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from cpufit_wheelhouse.blobs import BlobStore, StagedBlob, fsync_folder
from cpufit_wheelhouse.catalog import Catalog
from cpufit_wheelhouse.errors import DigestMismatch, StoreError

from .backup import names_of
from .copies import CopySource, Manifest, open_source

_CHUNK = 1024**2
_UNFINISHED = "restoring.sqlite3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore came to."""

    manifest: Manifest
    files: int
    size: int
    """In bytes."""
    lost: tuple[str, ...]
    """Files that the copy does not have, or has damaged."""

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "ok": not self.lost,
            "created_at": self.manifest.created_at,
            "files": self.files,
            "bytes": self.size,
            "lost": list(self.lost),
        }


def restore(source: Path, home: Path, advance: Callable[[int], object] = lambda _: None) -> Restored:
    """Make a home of a copy.

    :param advance: called with the bytes of each file when it is in
    :raises NotABackup: the source is none
    :raises StoreError: the home is not empty, or a newer cpufit wrote the copy
    :raises DigestMismatch: the copy's catalog is damaged
    """
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise StoreError(f"{home} is not empty", code="home-not-empty", hint="restore into a new folder")
    with open_source(source) as copy:
        manifest = copy.manifest()
        home.mkdir(parents=True, exist_ok=True)
        blobs = BlobStore(home)
        unfinished = home / _UNFINISHED
        _catalog(copy, manifest, blobs, unfinished)
        with Catalog.open(URL.create("sqlite", database=str(unfinished))) as catalog:
            named = names_of(catalog.references)
        restored, size, lost = 0, 0, []
        for name, sha256 in named.items():
            came = _file(copy, name, sha256, blobs, home)
            if came is None:
                lost.append(name)
                continue
            restored, size = restored + 1, size + came
            advance(came)
    unfinished.replace(home / "catalog.sqlite3")
    fsync_folder(home)
    return Restored(manifest=manifest, files=restored, size=size, lost=tuple(lost))


def _catalog(copy: CopySource, manifest: Manifest, blobs: BlobStore, target: Path) -> None:
    with blobs.stage() as staged:
        if not _read(copy, manifest.catalog, staged) or staged.digests.sha256 != manifest.catalog_sha256:
            raise DigestMismatch(
                "the catalog of the backup is not there, or damaged",
                where=manifest.catalog,
                hint="take an older backup",
            )
        staged.seal()
        staged.path.replace(target)


def _file(copy: CopySource, name: str, sha256: str, blobs: BlobStore, home: Path) -> int | None:
    """Bring a file in; returns its bytes, or None where the copy does not have it whole."""
    with blobs.stage() as staged:
        if not _read(copy, name, staged) or staged.digests.sha256 != sha256:
            return None
        if name.startswith("held/"):
            staged.seal()
            (home / "held").mkdir(exist_ok=True)
            staged.path.replace(home / "held" / sha256)
            fsync_folder(home / "held")
        else:
            blobs.commit(staged)
        return staged.size


def _read(copy: CopySource, name: str, staged: StagedBlob) -> bool:
    stream = copy.open(name)
    if stream is None:
        return False
    with stream:
        while piece := stream.read(_CHUNK):
            staged.write(piece)
    return True
