"""Turns of those who write to one SQLite database: threads of this process, and other processes.

SQLite lets who finds another one writing sleep, for up to a tenth of a second, and try again. A process that writes all
the time leaves gaps that are much shorter, so another one could find none of them in all the time that it waits. Here
who waits stands at the door, and whoever has written comes behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cpufit_wheelhouse.process_locks import ProcessLocks

_PAUSE = 0.0005
"""Seconds between two looks at whether another process has written."""
_GRUDGE = 60.0
"""Seconds for which nobody waits after one waited in vain: a process that was stopped keeps its turn."""
_DOOR, _TABLE = "door", "table"


class Turns:
    """The turns of one database; safe for many threads. Nothing relies on them but speed: SQLite has its own lock."""

    def __init__(self, database: str | None, patience: float) -> None:
        """Take the database's file, None for one in memory, and the seconds after which one goes on without a turn."""
        self._locks = None if database in (None, "", ":memory:") else ProcessLocks(Path(f"{database}-turns"))
        self._patience = patience
        self._lock = threading.Lock()
        self._hopeless_until = 0.0
        self._in_vain = False

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for a turn, and have it while the block runs.

        Gives the seconds that its holder may wait for SQLite's lock. Where the one before waited for that in vain, the
        time at the door counts: of many who wait for a process that does not let go, nobody waits for all the others.
        """
        asked = time.monotonic()
        with self._lock:
            left = self._patience
            if self._in_vain:
                left = max(left - (time.monotonic() - asked), 0.0)
            taken = False
            if self._locks is not None:
                with suppress(OSError):  # where no file can be made, SQLite says so itself
                    taken = self._taken(self._locks, left)
            try:
                yield left
            finally:
                if self._locks is not None and taken:
                    self._locks.release(_TABLE)

    def ended(self, *, in_vain: bool) -> None:
        """Take from who has the turn whether it waited for SQLite's lock in vain."""
        self._in_vain = in_vain

    def _taken(self, locks: ProcessLocks, patience: float) -> bool:
        now = time.monotonic()
        until = now + (patience if now >= self._hopeless_until else 0)
        taken = False
        if _taken_by(locks, _DOOR, until):
            try:
                taken = _taken_by(locks, _TABLE, until)
            finally:
                locks.release(_DOOR)
        if taken:
            self._hopeless_until = 0.0
        elif now >= self._hopeless_until:
            self._hopeless_until = time.monotonic() + _GRUDGE
        return taken


def _taken_by(locks: ProcessLocks, name: str, until: float) -> bool:
    while not locks.take(name):
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE)
    return True
