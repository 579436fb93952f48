"""Waiting for a verdict: as long as the patience lasts, and not when the process is about to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from cpufit_wheelhouse.archive import WheelInfo, open_wheel
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.pooled import InspectionPending, PooledInspector


class Pool:
    """Workers that answer when a test says so."""

    def __init__(self) -> None:
        self.job: Future[Verdict] = Future()

    def submit(self, *_: object) -> Future[Verdict]:
        return self.job


@pytest.fixture
def pool() -> Any:  # has of a pool what an inspector uses
    return Pool()


@pytest.fixture
def wheel(wheel_factory: Callable[..., Path]) -> tuple[Path, WheelInfo]:
    path = wheel_factory()
    return path, open_wheel(path, path.name)


def test_a_verdict_that_comes_in_time_is_the_answer(pool: Any, wheel: tuple[Path, WheelInfo]) -> None:
    found = Verdict(need=None)
    threading.Timer(0.3, pool.job.set_result, (found,)).start()
    assert PooledInspector(pool=pool, patience=60).inspect(*wheel) is found
    assert PooledInspector(pool=pool, patience=0).inspect(*wheel) is found


def test_an_error_of_the_job_is_the_callers(pool: Any, wheel: tuple[Path, WheelInfo]) -> None:
    pool.job.set_exception(OSError("no process"))
    with pytest.raises(OSError, match="no process"):
        PooledInspector(pool=pool).inspect(*wheel)


@pytest.mark.parametrize("patience", [0, 0.3])
def test_nobody_waits_longer_than_the_patience(pool: Any, wheel: tuple[Path, WheelInfo], patience: float) -> None:
    began = time.monotonic()
    with pytest.raises(InspectionPending) as pending:
        PooledInspector(pool=pool, patience=patience).inspect(*wheel)
    assert pending.value.job is pool.job
    assert patience <= time.monotonic() - began < patience + 5


def test_nobody_waits_once_the_process_is_about_to_stop(pool: Any, wheel: tuple[Path, WheelInfo]) -> None:
    hurry = threading.Event()
    threading.Timer(0.3, hurry.set).start()
    began = time.monotonic()
    with pytest.raises(InspectionPending):
        PooledInspector(pool=pool, patience=600, hurry=hurry).inspect(*wheel)
    assert time.monotonic() - began < 30
