"""Changes that wait at the same time go into one transaction: one commit, and one wait for the disk, for all of them.

Whoever finds nobody writing becomes the leader of all who wait by then; the others sleep until their change is on the
disk, or has failed. Each change has a savepoint of its own, so one that fails takes nothing of the others along; where
the database itself fails, all of them fail. An upload that was answered survives a power cut as before; what is shared
is the waiting.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from sqlalchemy import Connection

from cpufit_resolver.errors import CpufitError
from cpufit_wheelhouse.blobs import fsync_folder

from .engine import Writer

MOST = 64
"""Changes in one transaction: what a reader of the log, and a crash, can be asked to go through again."""

_SAVEPOINT = "cpufit_change"
"""In SQL, which SQLite and PostgreSQL have in common: SQLAlchemy's own object of one takes as long as a query."""

_T = TypeVar("_T")

Folders = set[Path]
"""The folders into which a change moved files, and whose entries have to be on the disk before the commit."""


@dataclass(slots=True, eq=False)
class _Change(Generic[_T]):
    make: Callable[[Connection, Folders], _T]
    result: list[_T] = field(default_factory=list)
    error: BaseException | None = None
    done: bool = False


class GroupedWriter:
    """Makes changes, those of many threads together."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self.commits = 0
        """Transactions that were committed."""
        self._waiting: list[_Change[object]] = []
        self._queue = threading.Lock()
        self._leading = threading.Lock()

    def make(self, change: Callable[[Connection, Folders], _T]) -> _T:
        """Make a change and return what it returned, when it is committed.

        :param change: writes to the connection, and adds the folders into which it moved files; it may be called
            while other threads wait, so it is quick
        :raises BaseException: what the change raised, or why nothing could be committed
        """
        mine = _Change(change)
        with self._queue:
            self._waiting.append(mine)  # type: ignore[arg-type]  # each change is taken out by who put it in
        with self._leading:
            while not mine.done:
                with self._queue:
                    batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
                self._commit(batch)
        if mine.error is not None:
            raise mine.error
        return mine.result[0]

    def _commit(self, batch: Sequence[_Change[object]]) -> None:
        folders: Folders = set()
        try:
            with self._writer.begin() as connection:
                if len(batch) == 1:  # what it wrote is taken back with the transaction
                    batch[0].result.append(batch[0].make(connection, folders))
                else:
                    for change in batch:
                        _try(change, connection, folders)
                for folder in folders:
                    fsync_folder(folder)
            self.commits += 1  # by the one who leads
        except BaseException as error:  # noqa: BLE001  # it is raised in each of their threads, this one too
            for change in batch:
                change.error = change.error or error
        finally:
            for change in batch:
                change.done = True


def _try(change: _Change[object], connection: Connection, folders: Folders) -> None:
    """Make one change of a group, or take it back alone.

    :raises Exception: it could not be taken back alone, or not be kept: nothing of the group is to be committed
    """
    connection.exec_driver_sql(f"SAVEPOINT {_SAVEPOINT}")
    try:
        result = change.make(connection, folders)
    except Exception as error:  # noqa: BLE001  # it is raised where the change came from
        change.error = error
        try:
            connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        except Exception as gone:
            # SQLite takes back all of a transaction where the disk is full or cannot be read: the savepoint is gone,
            # and with it what the changes before wrote. What came after would be committed each by itself.
            if isinstance(error, CpufitError):  # what is wrong with this change alone is no answer to the others
                raise
            raise error from gone
        return
    connection.exec_driver_sql(f"RELEASE SAVEPOINT {_SAVEPOINT}")
    change.result.append(result)
