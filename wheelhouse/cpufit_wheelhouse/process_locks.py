"""Locks between the processes that share a home, by name; the system takes them away when their holder ends.

They are ranges of one file that nothing is written to: a process that holds thousands has one file open. Within one
process a lock may be taken as often as one likes. Where the system has no such locks, everybody gets every one.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections import Counter
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class ProcessLocks:
    """The locks of one file; safe for many threads. A process makes one of these for a file, and no second one."""

    def __init__(self, path: Path) -> None:
        """Take the file; it is made when the first lock is taken, in a folder that is there by then."""
        self._path = path
        self._handle: int | None = None
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take(self, name: str) -> bool:
        """Take a lock, once more where this process has it; False where another process has it."""
        with self._lock:
            if not self._taken[name] and not self._locked(name):
                self._close_unless_needed()
                return False
            self._taken[name] += 1
            return True

    def release(self, name: str) -> None:
        """Undo one :meth:`take`."""
        with self._lock:
            self._taken[name] -= 1
            if self._taken[name] <= 0:
                del self._taken[name]
                self._unlock(name)
                self._close_unless_needed()

    def _close_unless_needed(self) -> None:
        self._taken = +self._taken
        if self._handle is not None and not self._taken:
            os.close(self._handle)
            self._handle = None

    def _locked(self, name: str) -> bool:
        if sys.platform == "win32":  # pragma: no cover  # it has none that end with their process in good order
            return True
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _place(name))
        except (BlockingIOError, PermissionError):  # POSIX leaves open which
            return False
        return True

    def _unlock(self, name: str) -> None:
        if sys.platform != "win32" and self._handle is not None:
            fcntl.lockf(self._handle, fcntl.LOCK_UN, 1, _place(name))


def _place(name: str) -> int:
    """Return the byte of the file that stands for a name, which does not have to be there."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
