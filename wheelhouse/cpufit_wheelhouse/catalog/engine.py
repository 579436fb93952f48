"""Connections to the catalog's database, and bringing its tables up to date.

What only SQLite needs stands here, in the two events, and in :mod:`.reading`: its snapshots are read by statements of
its own, as its driver gives the rows. The rest of the catalog speaks to any database.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import ConnectionPoolEntry

from cpufit_wheelhouse.errors import StorageFull, StoreError
from cpufit_wheelhouse.storage_failures import storage_failure

from .revisions import newest_revision
from .turns import Turns

_log = logging.getLogger(__name__)

BUSY_TIMEOUT_MS = 5000
"""How long a writer waits for another one's transaction, in milliseconds; ours last a few."""

_WAL_PAUSE = 0.02
"""Seconds."""
_WRITES = "cpufit_writes"
_TURN = "cpufit_turn"


def open_engine(url: str | URL) -> Engine:
    """Return an engine for reading: a transaction of it sees one instant of the database."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine.execution_options(**{_TURN: Turns(engine.url.database, BUSY_TIMEOUT_MS / 1000)})


class Writer:
    """Transactions that write; who wants one takes turns with others (:mod:`.turns`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(**{_WRITES: True})
        # an engine that others opened, to read a copy, has no turns to take
        turn = engine.get_execution_options().get(_TURN) if engine.dialect.name == "sqlite" else None
        self._turns: Turns | None = turn

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Begin a transaction, which is committed in the end, or taken back where something was raised.

        Not within another one of the same thread.
        """
        if self._turns is None:
            with self._engine.begin() as connection:
                yield connection
            return
        with self._turns.turn() as left, self._engine.connect() as connection:
            with _waiting(connection, left), _told(self._turns):
                transaction = connection.begin()
            with transaction:
                yield connection


@contextmanager
def _waiting(connection: Connection, seconds: float) -> Iterator[None]:
    """Let SQLite wait for its lock for so long, where that is less than it waits by itself."""
    milliseconds = round(seconds * 1000)
    if milliseconds >= BUSY_TIMEOUT_MS:
        yield
        return
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        cursor.close()


@contextmanager
def _told(turns: Turns) -> Iterator[None]:
    """Tell who comes next whether a wait for SQLite's lock was in vain."""
    try:
        yield
    except OperationalError:
        turns.ended(in_vain=True)
        raise
    turns.ended(in_vain=False)


def for_writing(engine: Engine) -> Writer:
    """Return what begins transactions that write on the engine's database."""
    return Writer(engine)


def _set_up_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # Let _begin_sqlite begin transactions: the driver would begin none for a SELECT or for DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    _turn_wal_on(cursor)
    cursor.execute("PRAGMA foreign_keys = ON")
    # A commit waits for the disk: what was answered with "stored" survives a power cut.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _turn_wal_on(cursor: DBAPICursor) -> None:
    """Turn write-ahead logging on, which the database remembers.

    Of two that do so at once in a new database, SQLite tells one that it is locked, without the wait that it knows
    elsewhere: each of them reads it, and wants it for itself alone.
    """
    give_up = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:  # noqa: PERF203  # each turn waits for another process
            if "locked" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(_WAL_PAUSE)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot wait for another writer (its snapshot is old by then)
    # and fails at once; one that asks for the write lock first waits its turn.
    if connection.get_execution_options().get(_WRITES, False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # which waits for nobody and cannot fail, so that nothing has to be made of it
        connection.connection.cursor().execute("BEGIN")


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest revision, in one transaction; where they have it, that costs one query.

    :raises StoreError: the database was written by a newer cpufit
    """
    found, newest = _revision(engine), newest_revision()
    if found == newest:
        return
    from .upgrade import upgrade  # noqa: PLC0415  # alembic takes an eighth of a second, and most starts need it not

    began = time.monotonic()
    if found is not None:  # seconds for a million files, in which a server does not listen yet
        _log.info("the catalog is brought from revision %s to %s; nobody is served before", found, newest)
    upgrade(engine)
    if found is not None:
        _log.info("the catalog has revision %s, after %.1f seconds", newest, time.monotonic() - began)


def _revision(engine: Engine) -> str | None:
    with engine.begin() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()


def copy_database(engine: Engine, target: Path) -> None:
    """Write a SQLite database as it is at one instant into a new file, on disk when this returns.

    :raises StoreError: it is another database, which has its own ways of being copied
    :raises StorageFull: there is no room for the copy
    """
    if engine.dialect.name != "sqlite":
        raise StoreError(
            f"the catalog is in {engine.dialect.name}, which is not copied here",
            code="catalog-elsewhere",
            hint="back it up with the database's own tools, and then the folder with the blobs",
        )
    raw = engine.raw_connection()
    try:
        # VACUUM runs in no transaction; it sees one instant and keeps no writer waiting
        raw.cursor().execute("VACUUM INTO ?", (str(target),))
    except sqlite3.OperationalError as error:
        failure = storage_failure(error)
        if isinstance(failure, StorageFull):  # where the copy goes to: the catalog itself is only read
            raise StorageFull(failure.message, where=str(target.parent), reason=failure.reason) from error
        raise
    finally:
        raw.close()
    with target.open("rb+") as stream:
        os.fsync(stream.fileno())
