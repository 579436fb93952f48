"""Whether a project is as it was: one look into the catalog, from the thread that serves.

SQLite answers from memory in about three microseconds, and its readers never wait for a writer (WAL), so the look needs
no thread of its own. It sees what any process committed before it.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Protocol

from .keeping import NOT_HOSTED


class Serials(Protocol):
    """Tells the serials of projects; belongs to one thread."""

    def of(self, name: str) -> int | None:
        """Return a project's serial, by its normalised name; None where it cannot be told now."""

    def close(self) -> None:
        """Let go of the catalog."""


class SqliteSerials:
    """The serials in a catalog of SQLite's."""

    def __init__(self, path: Path) -> None:
        """Take the catalog's file, which exists."""
        # no timeout: whoever waited here would keep every request waiting
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=0
        )
        self._connection.execute("PRAGMA query_only = ON")

    def of(self, name: str) -> int | None:
        """Return a project's serial, or that there is no such project.

        A catalog that is locked for an instant, as while a migration runs, or damaged tells nothing: the question goes
        on to where one can wait, and where an error is told as one. Within the HTTP protocol it would be the client's.
        """
        try:
            row = self._connection.execute("SELECT serial FROM projects WHERE name = ?", (name,)).fetchone()
        except sqlite3.DatabaseError:
            return None
        return NOT_HOSTED if row is None else int(row[0])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
