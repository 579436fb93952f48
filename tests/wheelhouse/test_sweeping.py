"""Blobs that no row names: who removes them, and whose are left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.wheelhouse.ingest_support import NAME, blob, on_disk, put, sdist_bytes, wheel_bytes

from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.sweeping import Swept, forget, sweep

SAID = {"who": "mara", "why": "broken"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def delete(home: Home, project: str = "demo") -> frozenset[str]:
    snapshot = home.catalog.snapshot(project)
    assert snapshot is not None
    return home.catalog.lifecycle.delete(project, snapshot.files, seen=snapshot.project.serial, **SAID)


def grow_old(home: Home, sha256: str) -> None:
    os.utime(home.blobs.path(sha256), (1, 1))


def test_a_deletion_takes_the_blobs_that_nobody_else_names(home: Home) -> None:
    put(home, sdist_bytes(), "demo-1.0.tar.gz")
    put(home)
    # the same METADATA, under another project's row
    (wheel,) = (file for file in home.catalog.files("demo") if file.kind == "wheel")
    other = wheel_bytes("other-1.0-py3-none-any.whl", name="other", native=False)
    put(home, other, "other-1.0-py3-none-any.whl")
    blobs = delete(home)
    assert wheel.metadata_sha256 in blobs
    done = forget(home.catalog, home.blobs, blobs)
    (left,) = home.catalog.files("other")
    assert set(on_disk(home)) == {left.sha256, left.metadata_sha256}
    assert done.blobs == len(blobs - {left.sha256, left.metadata_sha256})
    assert forget(home.catalog, home.blobs, blobs) == Swept(blobs=0, size=0)


def test_what_two_projects_name_stays_until_both_let_it_go(home: Home) -> None:
    data = wheel_bytes(native=False)
    put(home, data)
    first = home.catalog.files("demo")[0]
    with home.blobs.stage() as staged:
        staged.write(data)
        second = home.ingest.wheel(staged, NAME, as_project="twin").file
    # a renamed wheel is another blob; its METADATA differs too, so a row is made to share one
    with home.catalog._writer.begin() as connection:
        connection.exec_driver_sql("UPDATE files SET metadata_sha256 = ? WHERE id = ?", (first.sha256, second.id))
    forget(home.catalog, home.blobs, delete(home))
    assert blob(home, first.sha256) == data
    forget(home.catalog, home.blobs, delete(home, "twin"))
    assert not home.blobs.exists(first.sha256)


def test_a_sweep_takes_what_a_kill_left_once_it_is_old(home: Home) -> None:
    put(home)
    named = on_disk(home)
    for sha256 in named:
        grow_old(home, sha256)
    stray = home.blobs.put_bytes(b"stray")
    assert sweep(home.catalog, home.blobs) == Swept(blobs=0, size=0)
    grow_old(home, stray)
    assert sweep(home.catalog, home.blobs) == Swept(blobs=1, size=5)
    assert on_disk(home) == named


def test_moving_in_bytes_that_are_here_renews_their_date(home: Home) -> None:
    stray = home.blobs.put_bytes(b"stray")
    grow_old(home, stray)
    home.blobs.put_bytes(b"stray")
    assert sweep(home.catalog, home.blobs, timedelta(minutes=1)) == Swept(blobs=0, size=0)
    assert home.blobs.exists(stray)


def test_uploads_of_the_bytes_that_are_being_deleted_never_lose_them(home: Home) -> None:
    """One thread deletes the file again and again, another brings it back: a row never stands without its blob."""
    restoring = home.ingest.restoring()
    data, enough, ends = wheel_bytes(), threading.Event(), time.monotonic() + 120
    lost: list[str] = []
    rounds = 0

    def bring() -> None:
        while not enough.is_set():
            with home.blobs.stage() as staged:
                staged.write(data)
                restoring.wheel(staged, NAME)

    bringer = threading.Thread(target=bring)
    bringer.start()
    while rounds < 20 and time.monotonic() < ends:
        snapshot = home.catalog.snapshot("demo")
        if snapshot is None or not snapshot.files:
            continue
        lost += [file.sha256 for file in snapshot.files if not home.blobs.exists(file.sha256)]
        blobs = home.catalog.lifecycle.delete("demo", snapshot.files, seen=snapshot.project.serial, **SAID)
        forget(home.catalog, home.blobs, blobs)
        rounds += 1
    enough.set()
    bringer.join()
    assert rounds == 20
    assert lost == []


DELETER = """
import sys
from pathlib import Path
from cpufit_wheelhouse.home import open_home
from cpufit_wheelhouse.sweeping import forget
with open_home(Path(sys.argv[1])) as home:
    for file in home.catalog.files("demo"):
        seen = home.catalog.serial("demo")
        blobs = home.catalog.lifecycle.delete("demo", [file], seen=seen, who="mara", why="broken")
        forget(home.catalog, home.blobs, blobs)
        print(file.filename, flush=True)
"""


@pytest.mark.parametrize("after", [0.0, 0.003, 0.006, 0.011])
def test_a_deletion_that_is_killed_leaves_each_file_whole_or_gone(home: Home, after: float) -> None:
    names = [NAME.replace("1.0", f"1.{number}") for number in range(20)]
    for name in names:
        put(home, wheel_bytes(name), name, declared="x86_64_v3")
    with subprocess.Popen([sys.executable, "-c", DELETER, str(home.path)], stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        answered = [killed.stdout.readline().strip()]
        time.sleep(after)
        killed.send_signal(signal.SIGKILL)
        answered += killed.stdout.read().split()
    snapshot = home.catalog.snapshot("demo")
    assert snapshot is not None
    # what was answered is gone, and at most the one after it
    left = [file.filename for file in snapshot.files]
    assert left in (names[len(answered) :], names[len(answered) + 1 :])
    assert [entry.filename for entry in reversed(home.catalog.journal.of("demo"))] == names[: 20 - len(left)]
    assert [made.file_id for made in snapshot.derived] == [file.id for file in snapshot.files]
    named = {file.sha256 for file in snapshot.files} | {file.metadata_sha256 for file in snapshot.files}
    named |= {made.sha256 for made in snapshot.derived}
    for sha256 in named:
        blob(home, sha256)
    for sha256 in set(on_disk(home)) - named:
        grow_old(home, sha256)
    sweep(home.catalog, home.blobs)
    assert set(on_disk(home)) == named
