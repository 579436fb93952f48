"""The blob store: files under the SHA-256 of their bytes.

Layout below the root::

    staging/<random>            being written; nobody but its writer knows it
    blobs/ab/cd/abcd…           whole, on disk, never changed again
    quarantine/<sha256>         what lay there and was found damaged

A file is written to ``staging`` and hashed on the way, made durable by fsync, then renamed into place. A rename within
one file system is atomic: a kill at any instant leaves no blob or the whole blob, and a staging file that
:meth:`BlobStore.sweep` removes later. A blob exists for the world only when a catalog row names it; one without a row
is harmless, and an upload of the same bytes takes it over.

Blobs move in inside the catalog transaction that names them, while no other writer has one. Whoever removes a blob does
it inside such a transaction too, having looked that no row names it: then no row can ever be left without its bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, final

from .errors import NoSuchFile

STALE_AFTER = timedelta(hours=1)
"""A staging file that nobody has written to for this long belongs to a process that died."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digests:
    """The digests of one file's bytes, as lower-case hexadecimal.

    The upload form sends any of the three: ``sha256_digest``, ``blake2_256_digest`` (BLAKE2b of 32 bytes) and
    ``md5_digest``. Only SHA-256 is an identity here.
    """

    sha256: str
    blake2b: str
    md5: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobFile:
    """A blob as it lies on disk."""

    sha256: str
    path: Path
    size: int
    """In bytes."""
    age: float
    """Seconds since it was written or moved to its place, whichever was last."""


@final
class StagedBlob:
    """A file on its way into the store: a binary stream to write to that hashes what passes.

    It is its maker's until :meth:`BlobStore.commit`; use it as a context manager, so that whatever goes wrong leaves
    no file behind. The stream does not seek, since a digest cannot go back.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._moved = False
        self._stream = path.open("xb")
        self._sha256 = hashlib.sha256()
        self._blake2b = hashlib.blake2b(digest_size=32)
        self._md5 = hashlib.md5(usedforsecurity=False)

    def __enter__(self) -> StagedBlob:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    @property
    def digests(self) -> Digests:
        """The digests of what has been written so far."""
        return Digests(sha256=self._sha256.hexdigest(), blake2b=self._blake2b.hexdigest(), md5=self._md5.hexdigest())

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Append bytes; returns how many, which is all of them.

        :raises ValueError: the file was sealed, committed or discarded
        """
        self._stream.write(data)
        for digest in (self._sha256, self._blake2b, self._md5):
            digest.update(data)
        count = memoryview(data).nbytes
        self.size += count
        return count

    def tell(self) -> int:
        """Return the position, which is the end."""
        return self.size

    def seekable(self) -> bool:
        """Tell that this stream only goes forward."""
        return False

    def flush(self) -> None:
        """Make what was written readable at :attr:`path`."""
        if not self._stream.closed:
            self._stream.flush()

    def seal(self) -> None:
        """End the writing and make the bytes durable; does nothing the second time.

        This is the slow part (it waits for the disk), so it is done before any database transaction is begun.
        """
        if not self._stream.closed:
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()

    def discard(self) -> None:
        """Remove the staging file; does nothing once the blob is committed."""
        with suppress(OSError):  # on a full disk, what waits to be written; nobody wants it any more
            self._stream.close()
        if not self._moved:
            self.path.unlink(missing_ok=True)

    def move_to(self, target: Path) -> None:
        """Rename the staging file, which is nobody's to discard from then on.

        :raises FileNotFoundError: the target's folder is missing
        """
        self.path.replace(target)
        self._moved = True


class BlobStore:
    """Files under their SHA-256 in a local directory; safe for many threads and processes at once."""

    def __init__(self, root: Path) -> None:
        """Make the two folders below ``root`` where they are missing."""
        self._staging = root / "staging"
        self._blobs = root / "blobs"
        self._quarantine = root / "quarantine"
        for folder in (self._staging, self._blobs):
            folder.mkdir(parents=True, exist_ok=True)
        # by the first two and the first four digits: whether this process has brought that folder to the disk
        self._outer, self._inner = bytearray(1 << 8), bytearray(1 << 16)

    def stage(self) -> StagedBlob:
        """Return a new, empty staging file."""
        return StagedBlob(self._staging / secrets.token_hex(16))

    def commit(self, staged: StagedBlob, *, over: bool = False) -> str:
        """Move a staging file into the store and return its SHA-256; when this returns, the blob survives a power cut.

        Bytes that are here already are left as they are but for their date, and the staging file is removed.

        :param over: take the place of what is here: it is damaged
        """
        for folder in self.move(staged, over=over):
            fsync_folder(folder)
        return staged.digests.sha256

    def move(self, staged: StagedBlob, *, over: bool = False) -> tuple[Path, ...]:
        """Move a staging file into the store, and return the folders whose entries still have to reach the disk.

        For whoever moves several and waits for the disk once; otherwise as :meth:`commit`.
        """
        staged.seal()
        sha256 = staged.digests.sha256
        target = self._place(sha256)
        inner = int(sha256[:4], 16)
        if not over and _size(target) == staged.size:
            staged.discard()
            # somebody needs it from now on: a sweep that finds no row yet leaves it
            os.utime(target)
        else:
            try:
                staged.move_to(target)
            except FileNotFoundError:  # the first of its folder, or somebody removed the folder
                target.parent.mkdir(parents=True, exist_ok=True)
                self._inner[inner] = False
                staged.move_to(target)
        # Also where the blob or a folder was here already: whoever made it may have died before its own fsync.
        return (target.parent,) if self._inner[inner] else (target.parent, target.parent.parent, self._blobs)

    def make_ready(self, staged: StagedBlob) -> None:
        """Do what can be done of :meth:`move` beforehand: after this it returns one folder, and waits for nothing.

        For whoever moves blobs while others wait.
        """
        staged.seal()
        sha256 = staged.digests.sha256
        outer, inner = int(sha256[:2], 16), int(sha256[:4], 16)
        if not self._inner[inner]:
            folder = self._place(sha256).parent
            folder.mkdir(parents=True, exist_ok=True)
            fsync_folder(folder.parent)
            if not self._outer[outer]:
                fsync_folder(self._blobs)
            # said when both are on the disk, or whoever reads this in between would not wait for them
            self._outer[outer] = self._inner[inner] = True

    def put_bytes(self, data: bytes) -> str:
        """Store a few bytes and return their SHA-256."""
        with self.stage() as staged:
            staged.write(data)
            return self.commit(staged)

    def exists(self, sha256: str) -> bool:
        """Tell whether a blob is here; what is no SHA-256 is not."""
        return _SHA256.fullmatch(sha256) is not None and self._place(sha256).is_file()

    def path(self, sha256: str) -> Path:
        """Return where a blob lies.

        :raises NoSuchFile: it is not here, or this is no SHA-256 in lower-case hexadecimal
        """
        if not self.exists(sha256):
            raise NoSuchFile(f"no file with SHA-256 {sha256[:64]!r}")
        return self._place(sha256)

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob for reading.

        :raises NoSuchFile: as :meth:`path`
        """
        return self.path(sha256).open("rb")

    def remove(self, sha256: str) -> int | None:
        """Remove a blob and return its size in bytes; None where it is not here.

        Nothing here knows who needs it: see :mod:`cpufit_wheelhouse.sweeping`.
        """
        place = self._place(sha256)
        size = _size(place) if _SHA256.fullmatch(sha256) is not None else None
        if size is not None:
            place.unlink(missing_ok=True)
        return size

    def aged(self, older_than: timedelta, *, at_once: int) -> Iterator[tuple[str, ...]]:
        """Yield the SHA-256 of the blobs that nobody moved in for this long, some at a time."""
        border = time.time() - older_than.total_seconds()
        found: list[str] = []
        for folder in sorted(self._blobs.glob("??/??")):
            for path in folder.iterdir():
                with suppress(FileNotFoundError):
                    if _SHA256.fullmatch(path.name) is not None and path.stat().st_mtime <= border:
                        found.append(path.name)
                if len(found) == at_once:
                    yield tuple(found)
                    found.clear()
        if found:
            yield tuple(found)

    def sweep(self, older_than: timedelta = STALE_AFTER) -> int:
        """Remove the staging files that dead processes left; returns how many.

        :param older_than: how long nobody must have written to a file
        """
        border = time.time() - older_than.total_seconds()
        removed = 0
        for path in self._staging.iterdir():
            with suppress(FileNotFoundError):  # its writer may be quicker: committed or discarded
                if path.stat().st_mtime <= border:
                    path.unlink()
                    removed += 1
        return removed

    def listing(self, prefix: str = "") -> Iterator[BlobFile]:
        """Yield the blobs whose SHA-256 begins with up to two digits, in order; some may be gone a moment later."""
        for outer in sorted(self._blobs.glob(f"{prefix}*")):
            for path in sorted(outer.glob("*/*")):
                if _SHA256.fullmatch(path.name) and path == self._place(path.name):
                    with suppress(FileNotFoundError):
                        told = path.stat()
                        written = max(told.st_mtime, told.st_ctime)
                        yield BlobFile(
                            sha256=path.name, path=path, size=told.st_size, age=max(time.time() - written, 0.0)
                        )

    def extent(self) -> tuple[int, int]:
        """Return how many blobs there are, and their bytes."""
        sizes = [blob.size for blob in self.listing()]
        return len(sizes), sum(sizes)

    def strays(self) -> Iterator[Path]:
        """Yield the files among the blobs that are none of ours."""
        for path in self._blobs.rglob("*"):
            if not path.is_dir() and not (_SHA256.fullmatch(path.name) and path == self._place(path.name)):
                yield path

    def leftovers(self, older_than: timedelta = STALE_AFTER) -> tuple[Path, ...]:
        """Return the staging files that :meth:`sweep` would remove."""
        border = time.time() - older_than.total_seconds()
        found = []
        for path in sorted(self._staging.iterdir()):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime <= border:
                    found.append(path)
        return tuple(found)

    def set_aside(self, sha256: str) -> Path:
        """Move a damaged blob out of everybody's reach and return where it is now; nothing is lost."""
        self._quarantine.mkdir(exist_ok=True)
        target = self._quarantine / sha256
        self.path(sha256).replace(target)
        for folder in (self._quarantine, self._place(sha256).parent):
            fsync_folder(folder)
        return target

    def _place(self, sha256: str) -> Path:
        return self._blobs / sha256[:2] / sha256[2:4] / sha256


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def fsync_folder(folder: Path) -> None:
    """Make a rename in a folder durable. Windows cannot open a folder, and its rename waits for the journal."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
