"""The home folder."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from cpufit_wheelhouse.catalog.engine import open_engine
from cpufit_wheelhouse.home import open_home


def test_a_missing_home_is_made_with_everything_in_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "home"
    with open_home(path) as home:
        assert home.path == path
        assert {entry.name for entry in path.iterdir()} >= {"catalog.sqlite3", "blobs", "staging"}


def test_what_was_put_in_is_there_when_the_home_is_opened_again(tmp_path: Path) -> None:
    with open_home(tmp_path) as home:
        sha256 = home.blobs.put_bytes(b"abc")
        home.catalog.ensure_project("demo")
    with open_home(tmp_path) as home:
        assert home.blobs.exists(sha256)
        assert home.catalog.project("demo") is not None


def test_opening_sweeps_what_a_killed_process_left(tmp_path: Path) -> None:
    open_home(tmp_path).close()
    old, young = tmp_path / "staging" / "old", tmp_path / "staging" / "young"
    for path in (old, young):
        path.write_bytes(b"half a wheel")
    os.utime(old, (0, 0))
    open_home(tmp_path).close()
    assert (old.exists(), young.exists()) == (False, True)


@pytest.mark.parametrize("name", ["100% ours", "what?now", "a#b", "ünï"])
def test_a_path_may_hold_what_means_something_in_a_url(tmp_path: Path, name: str) -> None:
    with open_home(tmp_path / name) as home:
        home.catalog.ensure_project("demo")
    assert (tmp_path / name / "catalog.sqlite3").is_file()


def test_the_catalog_may_be_elsewhere(tmp_path: Path) -> None:
    with open_home(tmp_path / "home", database_url=f"sqlite:///{tmp_path / 'elsewhere.sqlite3'}"):
        assert (tmp_path / "elsewhere.sqlite3").is_file()
    assert not (tmp_path / "home" / "catalog.sqlite3").exists()


def test_two_may_have_one_home_open(tmp_path: Path) -> None:
    with open_home(tmp_path) as one, open_home(tmp_path) as other:
        one.catalog.ensure_project("demo")
        assert other.catalog.project("demo") is not None


def test_many_may_make_one_database_at_once(tmp_path: Path) -> None:
    """SQLite lets nobody wait who turns its write-ahead log on: one round in ten or so met that."""
    together = 8

    def connect(path: Path, begun: Barrier) -> str:
        engine = open_engine(f"sqlite:///{path}")
        begun.wait()
        with engine.begin() as connection:
            mode = str(connection.exec_driver_sql("PRAGMA journal_mode").scalar_one())
        engine.dispose()
        return mode

    with ThreadPoolExecutor(together) as threads:
        for number in range(60):
            begun = Barrier(together)
            modes = threads.map(connect, [tmp_path / f"{number}.sqlite3"] * together, [begun] * together)
            assert list(modes) == ["wal"] * together
