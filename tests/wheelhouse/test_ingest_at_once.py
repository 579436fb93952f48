"""Ingest, many at once and cut off: nothing is lost, nothing is half there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.together import together
from tests.wheelhouse.ingest_support import NAME, blob, on_disk, put, wheel_bytes

from cpufit_wheelhouse.errors import (
    FileExists,
    VariantsDisagree,
)
from cpufit_wheelhouse.home import Home, open_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


# many at once


def referenced(home: Home) -> set[str]:
    found: set[str] = set()
    for project in home.catalog.projects():
        for file in home.catalog.files(project.name):
            found |= {file.sha256, file.metadata_sha256}
        found |= {form.sha256 for form in home.catalog.derived(project.name)}
    return found


def test_of_many_uploads_of_one_identity_one_wins_and_the_others_leave_nothing(home: Home) -> None:
    wheels = [wheel_bytes(content=f"build {number}") for number in range(6)]
    results, errors = together(6, lambda number: put(home, wheels[number], declared="x86_64_v3"))
    assert len(results) == 1
    assert [type(error) for error in errors] == [FileExists] * 5
    assert set(on_disk(home)) == referenced(home)


def test_many_uploads_of_the_same_bytes_are_one_file(home: Home) -> None:
    data = wheel_bytes()
    results, errors = together(6, lambda _number: put(home, data, declared="x86_64_v3").status)
    assert errors == []
    assert sorted(map(str, results)) == ["new", *["same"] * 5]
    assert set(on_disk(home)) == referenced(home)


def test_many_uploads_of_a_new_project_all_get_in(home: Home) -> None:
    def one(number: int) -> object:
        filename = NAME.replace("1.0", f"1.{number}")
        return put(home, wheel_bytes(filename), filename, declared="x86_64_v3").status

    results, errors = together(8, one)
    assert errors == []
    assert results == ["new"] * 8
    assert len(home.catalog.files("demo")) == len(home.catalog.derived("demo")) == 8


def test_of_two_variants_that_disagree_only_one_gets_in_however_close_they_come(home: Home) -> None:
    needs = ["x86_64_v2", "x86_64_v3"]
    wheels = [wheel_bytes(content=need, requires=(f"numpy>={number}",)) for number, need in enumerate(needs)]
    _, errors = together(2, lambda number: put(home, wheels[number], declared=needs[number]))
    assert [type(error) for error in errors] == [VariantsDisagree]
    assert len(home.catalog.files("demo")) == 1
    assert set(on_disk(home)) == referenced(home)


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_ingest import NAME, put, wheel_bytes
from cpufit_wheelhouse.home import open_home
with open_home(Path(sys.argv[1])) as home:
    for number in range(int(sys.argv[3]), int(sys.argv[4])):
        filename = NAME.replace("1.0", f"1.{number}")
        assert put(home, wheel_bytes(filename), filename, declared="x86_64_v3").status in ("new", "same")
        print(number, flush=True)
"""


def writer(home: Home, first: int, last: int) -> subprocess.Popen[bytes]:
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-c", WRITER, str(home.path), folder, str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def test_an_import_in_a_second_process_and_uploads_here_lose_nothing(home: Home) -> None:
    with writer(home, 100, 130) as other:
        assert other.stdout is not None
        other.stdout.readline()
        for number in range(15):
            filename = NAME.replace("1.0", f"1.{number}")
            put(home, wheel_bytes(filename), filename, declared="x86_64_v3")
        other.stdout.read()
    assert other.returncode == 0
    assert len(home.catalog.files("demo")) == len(home.catalog.derived("demo")) == 45
    assert set(on_disk(home)) == referenced(home)


@pytest.mark.parametrize("after", [0.0, 0.004, 0.009, 0.015])
def test_a_kill_at_any_instant_leaves_the_old_state_or_the_new_one(home: Home, after: float) -> None:
    with writer(home, 0, 10_000) as process:
        assert process.stdout is not None
        answered = int(process.stdout.readline())
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        answered = max([answered, *map(int, process.stdout.read().split())])
    assert process.returncode == -signal.SIGKILL
    files, forms = home.catalog.files("demo"), home.catalog.derived("demo")
    # what was answered is in, and at most the one after it
    assert [file.version for file in files] == [f"1.{number}" for number in range(len(files))]
    assert len(files) in (answered + 1, answered + 2)
    assert [form.file_id for form in forms] == [file.id for file in files]
    for sha256 in referenced(home):
        blob(home, sha256)
    # the next upload goes on from there, and takes over what the killed one left
    filename = NAME.replace("1.0", f"1.{answered + 1}")
    put(home, wheel_bytes(filename), filename, declared="x86_64_v3")
    for left in (home.path / "staging").iterdir():
        os.utime(left, (0, 0))
    home.blobs.sweep()
    assert set(on_disk(home)) == referenced(home)
