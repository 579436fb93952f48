"""Locks between processes: one has each, and a process that is killed has none."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpufit_wheelhouse.catalog.turns import Turns
from cpufit_wheelhouse.process_locks import ProcessLocks

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the system has no such locks")

_OTHER = (
    "import sys; from pathlib import Path; from cpufit_wheelhouse.process_locks import ProcessLocks; "
    "print(ProcessLocks(Path(sys.argv[1])).take(sys.argv[2]), flush=True); sys.stdin.read()"
)


@contextmanager
def another(path: Path, name: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Let another process take a lock; yields what it was told, and ends it by force."""
    command = [sys.executable, "-c", _OTHER, str(path), name]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def test_another_process_gets_what_is_free_alone(tmp_path: Path) -> None:
    locks = ProcessLocks(tmp_path / "locks")
    assert locks.take("mine")
    with another(tmp_path / "locks", "mine") as (told, _):
        assert told == "False"
    with another(tmp_path / "locks", "theirs") as (told, _):
        assert told == "True"
        assert not locks.take("theirs")
    assert locks.take("theirs")


def test_a_lock_is_free_when_it_was_released_as_often_as_taken(tmp_path: Path) -> None:
    locks = ProcessLocks(tmp_path / "locks")
    assert locks.take("one")
    assert locks.take("one")
    for told_then in ("False", "True"):
        locks.release("one")
        with another(tmp_path / "locks", "one") as (told, _):
            assert told == told_then


def test_a_process_that_keeps_its_turn_is_waited_for_once(tmp_path: Path) -> None:
    mine = Turns(str(tmp_path / "catalog"), 1.0)

    def waited() -> float:
        begin = time.monotonic()
        with mine.turn():
            return time.monotonic() - begin

    with another(tmp_path / "catalog-turns", "table") as (told, _):
        assert told == "True"
        assert waited() >= 1.0
        assert waited() < 1.0
