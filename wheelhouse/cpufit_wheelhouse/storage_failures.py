"""What the system says when the storage fails, told as errors of ours.

A full disk, a disk that became read-only and a catalog that another process keeps locked reach us as an ``OSError``, or
as what SQLite says, wherever something is written. They are told apart here, once, for whoever answers a person: code
in between lets them pass, and takes back what it did as after any other error.

Specifications: POSIX.1-2017, "Error Numbers"; SQLite, "Result and Error Codes".
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from .errors import CatalogBusy, StorageFailed, StorageFull

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""No block or inode left, the user's quota, and the limit that a process has for one file."""

_FAILED: Final = frozenset(
    {errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM, errno.ENODEV, errno.ENXIO, errno.ESTALE}
    | ({errno.EUCLEAN} if hasattr(errno, "EUCLEAN") else set())  # a damaged file system, as Linux tells it
)

_SQLITE_FULL: Final = ("database or disk is full",)
_SQLITE_NO_INDEX: Final = "SQLITE_IOERR_SHMSIZE"
"""The index of the write-ahead log cannot be made as large as it has to be, which is for want of room."""
_SQLITE_BUSY: Final = (
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "locking protocol",
)
_SQLITE_FAILED: Final = (
    "attempt to write a readonly database",
    "disk I/O error",
    "database disk image is malformed",
    "file is not a database",
    "unable to open database file",
    "access permission denied",
)
"""The texts of SQLite's result codes, which are the same in each version; Python tells the code itself from 3.11 on."""

_CATALOG, _FILES = "catalog", "files"
"""What an error is about. Paths of this machine are for its log alone."""


def storage_failure(error: BaseException) -> StorageFailed | None:
    """Return what an error says of the storage; None where it is about something else.

    :param error: an ``OSError``, one of SQLite's, or SQLAlchemy's around that
    """
    if isinstance(error, StorageFailed):
        return error
    # SQLAlchemy's own text has the statement and its values in it
    said = getattr(error, "orig", None) or error
    if isinstance(said, sqlite3.Error):
        return _of_sqlite(str(said), getattr(said, "sqlite_errorname", ""))
    return _of_system(said) if isinstance(said, OSError) else None


def logged(error: BaseException) -> str:
    """Return what a log has of an error, on one line where the storage failed."""
    failure = storage_failure(error)
    return str(error) if failure is None else failure.in_full


@contextmanager
def storage_failures_told() -> Iterator[None]:
    """Raise what the storage does to a block as an error of ours; all else goes through as it is.

    :raises StorageFailed: the storage failed
    """
    try:
        yield
    except Exception as error:
        failure = storage_failure(error)
        if failure is None or failure is error:
            raise
        raise failure from error


def _of_system(error: OSError) -> StorageFailed | None:
    if error.errno in _FULL:
        return StorageFull("there is no room left for what is to be stored", where=_FILES, reason=str(error))
    if error.errno in _FAILED:
        return StorageFailed("the disk cannot be read or written", where=_FILES, reason=str(error))
    return None


def _of_sqlite(said: str, code: str) -> StorageFailed | None:
    if said.startswith(_SQLITE_FULL) or code == _SQLITE_NO_INDEX:
        return StorageFull("there is no room left for what is to be stored", where=_CATALOG, reason=said)
    if said.startswith(_SQLITE_BUSY):
        return CatalogBusy("another process keeps the catalog locked", where=_CATALOG, reason=said)
    if said.startswith(_SQLITE_FAILED):
        return StorageFailed("the catalog cannot be read or written", where=_CATALOG, reason=said)
    return None
