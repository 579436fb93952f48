"""The look into the catalog from the thread that serves: it never waits."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from cpufit_server.front.keeping import NOT_HOSTED
from cpufit_server.front.serials import SqliteSerials


def test_a_catalog_that_is_locked_tells_nothing_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE projects (name TEXT, serial INTEGER)")
    other.execute("INSERT INTO projects VALUES ('demo', 7)")
    serials = SqliteSerials(path)
    assert serials.of("demo") == 7
    # this database has no write-ahead log, so one that writes locks out those that read
    other.execute("BEGIN EXCLUSIVE")
    assert serials.of("demo") is None
    other.execute("ROLLBACK")
    assert (serials.of("demo"), serials.of("nobody")) == (7, NOT_HOSTED)
    assert serials._connection.execute("PRAGMA busy_timeout").fetchone() == (0,), "the loop would wait"
    serials.close()
    other.close()


def test_a_catalog_that_is_damaged_or_closed_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    path.write_bytes(b"no database" * 1000)
    serials = SqliteSerials(path)
    assert serials.of("demo") is None
    serials.close()
    assert serials.of("demo") is None
