"""Cached files under their SHA-256, and the spool: a file that many read while it is still being written."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, final

from cpufit_wheelhouse.errors import DigestMismatch

from .folder import QuotaFolder


@final
class Reading:
    """An open file that is not evicted before it is closed; safe for many threads."""

    def __init__(self, sha256: str, stream: BinaryIO, closed: Callable[[], object]) -> None:
        self._stream = stream
        self.sha256 = sha256
        """What it is, or is to be, under."""
        self._closed: Callable[[], object] | None = closed
        self._lock = threading.Lock()
        self.size = os.fstat(stream.fileno()).st_size
        """Bytes, when it was opened."""

    def read_at(self, offset: int, count: int) -> bytes:
        """Return at most ``count`` bytes from a place on."""
        with self._lock:
            self._stream.seek(offset)
            return self._stream.read(count)

    def close(self) -> None:
        """Let the file go; does nothing the second time."""
        with self._lock:
            closed, self._closed = self._closed, None
        if closed is not None:
            self._stream.close()
            closed()


@final
class Spool:
    """A file on its way into the cache: one writes and hashes, others read what is there."""

    def __init__(self, path: Path, folder: QuotaFolder, sha256: str) -> None:
        self._path = path
        self._folder = folder
        self._stream = path.open("xb", buffering=0)
        self._digest = hashlib.sha256()
        self.sha256 = sha256
        """What the bytes are to have in the end."""
        self.size = 0
        """Bytes written so far."""

    def write(self, data: bytes) -> None:
        """Append bytes."""
        view = memoryview(data)
        while view:
            view = view[self._stream.write(view) :]
        self._digest.update(data)
        self.size += len(data)

    def open(self) -> Reading:
        """Open it for reading; what is written later is seen too, also after it went into the cache.

        :raises FileNotFoundError: it was discarded
        """
        self._folder.pin(self.sha256)
        try:
            return Reading(self.sha256, self._opened(), lambda: self._folder.unpin(self.sha256))
        except BaseException:
            self._folder.unpin(self.sha256)
            raise

    def _opened(self) -> BinaryIO:
        try:
            return self._path.open("rb", buffering=0)
        except FileNotFoundError:
            # another thread took it into the cache in this moment
            return self._folder.path(self.sha256).open("rb", buffering=0)

    def check(self) -> None:
        """Compare what was written with what was announced.

        :raises DigestMismatch: they differ
        """
        found = self._digest.hexdigest()
        if found != self.sha256:
            raise DigestMismatch(f"its bytes have the SHA-256 {found}, announced is {self.sha256}")

    def keep(self) -> None:
        """Take the checked file into the cache; a power cut leaves all of it or nothing.

        :raises DigestMismatch: as :meth:`check`
        """
        self.check()
        os.fsync(self._stream.fileno())
        self._stream.close()
        self._folder.take_in(self._path, self.sha256)

    def discard(self) -> None:
        """Remove it; does nothing once it was kept.

        On a disk that became read-only it stays, until a sweep can remove it.
        """
        with suppress(OSError):
            self._stream.close()
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


@final
class FileCache:
    """Files under the SHA-256 of their bytes; what was used longest ago makes room. Safe for many threads.

    :param quota: bytes
    """

    def __init__(self, root: Path, quota: int) -> None:
        self._folder = QuotaFolder(root, quota)
        self._folder.sweep()

    def has(self, sha256: str) -> bool:
        """Tell whether a file is here."""
        return self._folder.path(sha256).is_file()

    def path(self, sha256: str) -> Path:
        """Return where a file lies, or would."""
        return self._folder.path(sha256)

    def touch(self, sha256: str) -> None:
        """Remember that a file is used now, by who had it from elsewhere."""
        self._folder.touch(sha256)

    def open(self, sha256: str) -> Reading | None:
        """Open a file, which counts as a use; None where it is not here."""
        folder = self._folder
        folder.pin(sha256)
        try:
            stream = folder.path(sha256).open("rb", buffering=0)
        except FileNotFoundError:
            folder.unpin(sha256)
            return None
        except BaseException:
            folder.unpin(sha256)
            raise
        folder.touch(sha256)
        return Reading(sha256, stream, lambda: folder.unpin(sha256))

    def read(self, sha256: str) -> bytes | None:
        """Return a small file's bytes; None where it is not here."""
        reading = self.open(sha256)
        if reading is None:
            return None
        try:
            return reading.read_at(0, reading.size)
        finally:
            reading.close()

    def make_room(self, size: int) -> None:
        """See that the disk has room for a file of so many bytes; what was used longest ago goes for it.

        :raises OSError: there is no room
        """
        self._folder.make_room(size)

    def stage(self, sha256: str) -> Spool:
        """Return a new spool for a file that is to have this SHA-256.

        :raises OSError: no file can be made here
        """
        return Spool(self._folder.staging_path(sha256), self._folder, sha256)

    def beyond(self, sha256: str, offset: int, count: int) -> bytes:
        """Return bytes behind a place of a file that other processes write, as far as the furthest of them is.

        Nothing tells whether they are right before all of them are there.
        """
        best: tuple[int, Path] | None = None
        for path in self._folder.arriving(sha256):
            with suppress(FileNotFoundError):  # its writer was quicker
                size = path.stat().st_size
                best = max(best, (size, path)) if best is not None else (size, path)
        if best is None or best[0] <= offset:
            return b""
        with suppress(FileNotFoundError), best[1].open("rb") as stream:
            stream.seek(offset)
            return stream.read(count)
        return b""

    def put(self, data: bytes) -> str:
        """Keep a small file and return its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        spool = self.stage(sha256)
        try:
            spool.write(data)
            spool.keep()
        finally:
            spool.discard()
        return sha256

    def evict(self) -> int:
        """Bring the files within the quota; returns how many went."""
        return self._folder.evict()
