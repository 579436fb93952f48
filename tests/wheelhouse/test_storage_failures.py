"""What the system and SQLite say when the storage fails, as they say it: told apart, and nothing else taken for it."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError, OperationalError

from cpufit_wheelhouse.blobs import BlobStore
from cpufit_wheelhouse.catalog.turns import Turns
from cpufit_wheelhouse.errors import CatalogBusy, NotAWheel, StorageFailed, StorageFull
from cpufit_wheelhouse.storage_failures import logged, storage_failure, storage_failures_told


def opened(path: Path, query: str = "") -> sqlite3.Connection:
    return sqlite3.connect(f"{path.as_uri()}{query}", uri=True, isolation_level=None, timeout=0)


def made(path: Path) -> Path:
    with closing(opened(path)) as connection:
        connection.execute("CREATE TABLE wheels (name TEXT)")
        connection.executemany("INSERT INTO wheels VALUES (?)", [("x" * 1000,)] * 20)
    return path


def full(path: Path) -> None:
    with closing(opened(path)) as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        connection.execute("INSERT INTO wheels VALUES (?)", ("x" * 100_000,))


def locked(path: Path) -> None:
    with closing(opened(path)) as other, closing(opened(path)) as connection:
        other.execute("BEGIN IMMEDIATE")
        connection.execute("BEGIN IMMEDIATE")


def read_only(path: Path) -> None:
    with closing(opened(path, "?mode=ro")) as connection:
        connection.execute("DELETE FROM wheels")


def damaged(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with closing(opened(path)) as connection:
        connection.execute("SELECT * FROM wheels").fetchall()


def no_database(path: Path) -> None:
    path.write_bytes(b"PK\3\4" * 2000)
    with closing(opened(path)) as connection:
        connection.execute("SELECT * FROM wheels")


def not_there(path: Path) -> None:
    with closing(opened(path.parent / "missing" / "catalog")) as connection:
        connection.execute("SELECT 1")


@pytest.mark.parametrize(
    ("fail", "expected"),
    [
        (full, StorageFull),
        (locked, CatalogBusy),
        (read_only, StorageFailed),
        (damaged, StorageFailed),
        (no_database, StorageFailed),
        (not_there, StorageFailed),
    ],
)
def test_what_sqlite_says_is_told_apart(
    tmp_path: Path, fail: Callable[[Path], None], expected: type[StorageFailed]
) -> None:
    path = made(tmp_path / "catalog")
    with pytest.raises(expected) as told, storage_failures_told():
        fail(path)
    assert type(told.value) is expected
    assert (told.value.where, told.value.reason) == ("catalog", str(told.value.__cause__))
    assert str(path) not in str(told.value.as_dict())


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EFBIG, StorageFull),
        (errno.EROFS, StorageFailed),
        (errno.EIO, StorageFailed),
        (errno.EACCES, StorageFailed),
        (errno.EPERM, StorageFailed),
    ],
)
def test_what_the_system_says_is_told_apart(number: int, expected: type[StorageFailed]) -> None:
    failure = storage_failure(OSError(number, "as it is told", "/srv/home/staging/1"))
    assert type(failure) is expected
    assert "/srv/home" not in str(failure.as_dict())
    assert "/srv/home/staging/1" in failure.in_full


@pytest.mark.parametrize(
    "error",
    [
        OSError("no number"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        ConnectionResetError(errno.ECONNRESET, "gone"),
        OSError(errno.EMFILE, "too many open files"),
        sqlite3.OperationalError("no such table: wheels"),
        sqlite3.IntegrityError("UNIQUE constraint failed: files.sha256"),
        ValueError("database is locked"),
        NotAWheel("no zip"),
    ],
)
def test_other_errors_are_left_as_they_are(error: Exception) -> None:
    assert storage_failure(error) is None
    assert logged(error) == str(error)
    with pytest.raises(type(error)) as raised, storage_failures_told():
        raise error
    assert raised.value is error


def test_the_statement_and_its_values_are_not_told(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{made(tmp_path / 'catalog')}", connect_args={"timeout": 0})
    with closing(opened(tmp_path / "catalog")) as other, engine.connect() as connection:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError) as raised:
            connection.execute(text("INSERT INTO wheels VALUES (:name)"), {"name": "secret"})
    engine.dispose()
    assert "secret" in str(raised.value)
    assert logged(raised.value) == "another process keeps the catalog locked [catalog-busy]: database is locked"
    assert storage_failure(IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE"))) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit for one file")
def test_a_file_that_finds_no_room_leaves_nothing(tmp_path: Path) -> None:
    """In a process of its own, which may write only so much into one file."""
    code = """
import resource, sys
from pathlib import Path
from cpufit_wheelhouse.blobs import BlobStore
from cpufit_wheelhouse.storage_failures import storage_failure
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
store = BlobStore(Path(sys.argv[1]))
for size in (5000, 100_000):  # told when it is sealed, and when it is written
    try:
        with store.stage() as staged:
            staged.write(b"x" * size)
            store.commit(staged)
    except OSError as error:
        print(storage_failure(error).code)
"""
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["storage-full", "storage-full"]
    assert list((tmp_path / "staging").iterdir()) == []
    assert BlobStore(tmp_path).extent() == (0, 0)


def test_of_many_who_wait_in_vain_nobody_waits_for_the_others() -> None:
    turns = Turns(None, 100.0)
    with turns.turn() as left:
        assert left == 100.0
    waited: list[float] = []

    def wait() -> None:
        with turns.turn() as left:
            waited.append(left)

    for in_vain in (True, False):
        with turns.turn():
            waiting = threading.Thread(target=wait)
            waiting.start()
            time.sleep(0.05)  # it stands at the door by then
            turns.ended(in_vain=in_vain)
        waiting.join()
    assert waited[0] < 100.0
    assert waited[1] == 100.0
