"""A folder of files with hexadecimal names that together take no more than a quota.

Layout below the root::

    staging/<name>-<random>    being written; nobody but its writer changes it
    kept/ab/abcd…              whole, by rename; its modification time is when it was used last

A kill leaves whole files and staging files, which :meth:`QuotaFolder.sweep` removes later.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cpufit_wheelhouse.blobs import STALE_AFTER

_FULL = 0.9
"""What of the quota is left used by an eviction, so that not every new file causes one."""


@dataclass(frozen=True, slots=True, order=True)
class _Kept:
    used_at: float
    size: int
    path: Path


class QuotaFolder:
    """Files within a quota; safe for many threads. Several processes may share one: each counts for itself.

    :param quota: bytes; what is pinned or being written may go beyond it for a while
    """

    def __init__(self, root: Path, quota: int) -> None:
        self._staging, self._root = root / "staging", root / "kept"
        for folder in (self._staging, self._root):
            folder.mkdir(parents=True, exist_ok=True)
        self._quota = quota
        self._used: int | None = None
        self._pins: Counter[str] = Counter()
        self._lock = threading.RLock()

    def path(self, name: str) -> Path:
        """Return where a file lies, or would."""
        return self._root / name[:2] / name

    def staging_path(self, name: str = "") -> Path:
        """Return a new name in the staging folder, from which others can tell what is to become of it."""
        return self._staging / f"{name}-{secrets.token_hex(16)}"

    def make_room(self, size: int) -> None:
        """See that the disk has room for so many bytes: what was used longest ago goes for it, where that is enough.

        By the time the bytes come there may be less.

        :raises OSError: there is no room
        """
        lacking = size - shutil.disk_usage(self._staging).free
        if lacking > 0:
            self.evict(freeing=lacking)
            if size > shutil.disk_usage(self._staging).free:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def arriving(self, name: str) -> tuple[Path, ...]:
        """Return what this and other processes are writing that is to become a file."""
        return tuple(self._staging.glob(f"{name}-*"))

    def touch(self, name: str) -> None:
        """Remember that a file is used now."""
        with suppress(OSError):  # evicted, or of another user: then it is not remembered
            os.utime(self.path(name))

    def pin(self, name: str) -> None:
        """Keep a file from being evicted until it is unpinned as often."""
        with self._lock:
            self._pins[name] += 1

    def unpin(self, name: str) -> None:
        """Undo one :meth:`pin`."""
        with self._lock:
            self._pins[name] -= 1
            if self._pins[name] <= 0:
                del self._pins[name]

    def take_in(self, staged: Path, name: str) -> None:
        """Move a whole staging file to its place, and make room for it.

        That its bytes are on the disk before is its writer's care. A power cut may undo the rename: then it is fetched
        again.
        """
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        size = staged.stat().st_size
        with self._lock:
            before = _size(target)
            staged.replace(target)
            self._used = self._total() if self._used is None else self._used + size - before
            crowded = self._used > self._quota
        if crowded:
            self.evict(newest=name)

    def remove(self, name: str) -> None:
        """Remove a file, whoever reads it."""
        with self._lock:
            size = _size(self.path(name))
            self.path(name).unlink(missing_ok=True)
            if self._used is not None:
                self._used -= size

    def evict(self, newest: str = "", freeing: int = 0) -> int:
        """Remove what was used longest ago until the rest is well within the quota; returns how many files went.

        What is pinned stays. So does ``newest``, unless it is too large for the quota by itself.

        :param freeing: bytes that the disk lacks and that are to go in any case, unless there are not so many
        """
        with self._lock:
            kept = sorted(self._files())
            total = sum(file.size for file in kept)
            most = min(self._quota * _FULL, total - freeing) if freeing <= total else self._quota * _FULL
            removed = 0
            for file in kept:
                if total <= most:
                    break
                if self._pins[file.path.name] or (file.path.name == newest and file.size <= self._quota):
                    continue
                with suppress(OSError):  # Windows keeps what some other process has open
                    file.path.unlink()
                    total -= file.size
                    removed += 1
            self._used = total
        return removed

    def sweep(self) -> int:
        """Remove the staging files that dead processes left; returns how many."""
        border = time.time() - STALE_AFTER.total_seconds()
        removed = 0
        for path in self._staging.iterdir():
            with suppress(OSError):  # its writer may be quicker; a disk that became read-only keeps it
                if path.stat().st_mtime <= border:
                    path.unlink()
                    removed += 1
        return removed

    def _total(self) -> int:
        return sum(file.size for file in self._files())

    def _files(self) -> Iterator[_Kept]:
        for folder in self._root.iterdir():
            for entry in os.scandir(folder):
                with suppress(FileNotFoundError):  # another process evicts as well
                    found = entry.stat()
                    yield _Kept(found.st_mtime, found.st_size, Path(entry.path))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
