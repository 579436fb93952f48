"""A folder of one process below a common one, which is removed with the process, or after it by the next.

Its owner holds a lock on it that the system takes away when the process ends, however that comes about. So a folder
that nobody has locked belongs to a process that was killed. Where there are no such locks, nothing is removed.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import threading
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class OwnFolder:
    """Makes its folder when it is first wanted; safe for many threads."""

    def __init__(self, common: Path) -> None:
        self._common = common
        self._path: Path | None = None
        self._handle: int | None = None
        self._lock = threading.Lock()

    def path(self) -> Path:
        """Return the folder, which is there."""
        with self._lock:
            if self._path is None:
                self._common.mkdir(parents=True, exist_ok=True)
                self._sweep()
                # a name that no sweep looks at until the lock is held
                begun = self._common / f".{secrets.token_hex(16)}"
                begun.mkdir()
                self._handle = _locked(begun)
                self._path = begun.rename(self._common / begun.name[1:])
            return self._path

    def close(self) -> None:
        """Remove the folder, with what is in it."""
        with self._lock:
            if self._path is not None:
                shutil.rmtree(self._path, ignore_errors=True)
            if self._handle is not None:
                os.close(self._handle)
            self._path = self._handle = None

    def _sweep(self) -> None:
        for folder in self._common.iterdir():
            if folder.name.startswith(".") or not folder.is_dir():
                continue
            handle = _locked(folder)
            if handle is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(handle)


def _locked(folder: Path) -> int | None:
    """Return a handle that holds the lock of a folder; None where another process has it, or nobody can."""
    if sys.platform == "win32":  # pragma: no cover  # it has no such locks
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:  # its owner was quicker
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
