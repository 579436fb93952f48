"""Changes of many threads in few transactions: each comes in whole or not at all, whatever becomes of the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import OperationalError

from cpufit_wheelhouse.catalog.engine import for_writing, open_engine
from cpufit_wheelhouse.catalog.groups import MOST, Folders, GroupedWriter
from cpufit_wheelhouse.errors import FileExists


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    found = open_engine(f"sqlite:///{tmp_path / 'numbers.sqlite3'}")
    with for_writing(found).begin() as connection:
        connection.execute(text("CREATE TABLE numbers (n INTEGER PRIMARY KEY)"))
    yield found
    found.dispose()


@pytest.fixture
def commits(engine: Engine) -> list[None]:
    counted: list[None] = []
    event.listen(engine, "commit", lambda _: counted.append(None))
    return counted


def numbers(engine: Engine) -> set[int]:
    with engine.begin() as connection:
        return set(connection.execute(text("SELECT n FROM numbers")).scalars())


def insert(connection: Connection, number: int) -> int:
    connection.execute(text("INSERT INTO numbers VALUES (:n)"), {"n": number})
    return number


def waiting_for_all(writer: GroupedWriter, count: int) -> threading.Event:
    """Hold the writer until so many changes wait behind it."""
    begun, free = threading.Event(), threading.Event()

    def hold(_: Connection, __: Folders) -> None:
        begun.set()
        assert free.wait(20)

    thread = threading.Thread(target=writer.make, args=(hold,))
    thread.start()
    assert begun.wait(20)

    def let_go() -> None:
        while len(writer._waiting) < count:
            threading.Event().wait(0.001)
        free.set()
        thread.join()

    threading.Thread(target=let_go).start()
    return free


def test_changes_that_wait_share_a_commit(engine: Engine, commits: list[None]) -> None:
    writer = GroupedWriter(for_writing(engine))
    waiting_for_all(writer, 20)
    with ThreadPoolExecutor(20) as threads:
        made = list(threads.map(lambda number: writer.make(lambda c, _: insert(c, number)), range(20)))
    assert made == list(range(20))
    assert numbers(engine) == set(range(20))
    assert len(commits) == 2 + 1, "the one that held, the twenty, and the reader"
    assert writer.commits == 2


def test_one_that_comes_alone_and_fails_leaves_nothing(engine: Engine) -> None:
    writer = GroupedWriter(for_writing(engine))

    def change(connection: Connection, _: Folders) -> None:
        insert(connection, 1)
        raise LookupError("after it wrote")

    with pytest.raises(LookupError):
        writer.make(change)
    assert numbers(engine) == set()
    assert writer.commits == 0
    writer.make(lambda connection, _: insert(connection, 2))
    assert numbers(engine) == {2}


def test_more_than_one_group_holds_all_come_in(engine: Engine) -> None:
    writer = GroupedWriter(for_writing(engine))
    waiting_for_all(writer, MOST + 10)
    with ThreadPoolExecutor(MOST + 10) as threads:
        list(threads.map(lambda number: writer.make(lambda c, _: insert(c, number)), range(MOST + 10)))
    assert numbers(engine) == set(range(MOST + 10))


def test_one_that_fails_takes_nothing_of_the_others_along(engine: Engine) -> None:
    writer = GroupedWriter(for_writing(engine))
    waiting_for_all(writer, 10)

    def change(number: int) -> str:
        def make(connection: Connection, _: Folders) -> str:
            insert(connection, number)
            if number % 2:
                raise LookupError(f"odd: {number}")
            return f"even: {number}"

        try:
            return writer.make(make)
        except LookupError as error:
            return str(error.args[0])

    with ThreadPoolExecutor(10) as threads:
        told = list(threads.map(change, range(10)))
    assert told == [f"{'odd' if number % 2 else 'even'}: {number}" for number in range(10)]
    assert numbers(engine) == {0, 2, 4, 6, 8}


def test_a_commit_that_fails_is_told_to_everybody(engine: Engine, tmp_path: Path) -> None:
    writer = GroupedWriter(for_writing(engine))
    waiting_for_all(writer, 5)
    failed: list[int] = []

    def change(number: int) -> None:
        def make(connection: Connection, folders: Folders) -> None:
            insert(connection, number)
            folders.add(tmp_path / "not there")

        with pytest.raises(FileNotFoundError):
            writer.make(make)
        failed.append(number)

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(change, range(5)))
    assert sorted(failed) == list(range(5))
    assert numbers(engine) == set()
    assert writer.make(lambda c, _: insert(c, 7)) == 7


def test_a_full_disk_takes_no_change_back_that_was_told_to_be_in(engine: Engine) -> None:
    """SQLite then takes back the whole transaction, not just the statement."""
    with for_writing(engine).begin() as connection:
        connection.execute(text("CREATE TABLE texts (t TEXT)"))
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
    writer = GroupedWriter(for_writing(engine))
    waiting_for_all(writer, 9)
    told: dict[int, str] = {}

    def change(number: int) -> None:
        def make(connection: Connection, _: Folders) -> None:
            insert(connection, number)
            if number == 4:
                connection.execute(text("INSERT INTO texts VALUES (:t)"), {"t": "full" * 50_000})

        try:
            writer.make(make)
        except OperationalError as error:
            told[number] = str(error.orig)

    with ThreadPoolExecutor(9) as threads:
        list(threads.map(change, range(9)))
    assert told[4] == "database or disk is full"
    assert numbers(engine) == set(range(9)) - told.keys()
    assert writer.make(lambda c, _: insert(c, 10)) == 10, "the next group is as good as ever"
    assert 10 in numbers(engine)


def test_what_is_wrong_with_one_is_no_answer_to_the_others_when_all_is_taken_back(engine: Engine) -> None:
    writer = GroupedWriter(for_writing(engine))
    waiting_for_all(writer, 9)

    def change(number: int) -> BaseException | None:
        def make(connection: Connection, _: Folders) -> None:
            insert(connection, number)
            if number == 4:
                # as SQLite does it where the disk cannot be read
                connection.connection.cursor().execute("ROLLBACK")
                raise FileExists("the fourth is here")

        try:
            writer.make(make)
        except (FileExists, OperationalError) as error:
            return error
        return None

    with ThreadPoolExecutor(9) as threads:
        told = dict(enumerate(threads.map(change, range(9))))
    assert isinstance(told.pop(4), FileExists)
    assert all(isinstance(error, OperationalError) for error in told.values())
    assert numbers(engine) == set()
