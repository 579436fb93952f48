"""Inspections in processes of their own: whatever becomes of one, its wheel gets a verdict, and the next one too."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path

import pytest

from cpufit_wheelhouse.errors import WheelError
from cpufit_wheelhouse.inspection import workers
from cpufit_wheelhouse.inspection.workers import InspectionPool, WorkerOptions

Factory = Callable[..., Path]
LINUX = "cp39-abi3-manylinux_2_17_x86_64"
ELF = {"small/fast.so": b"\x7fELF\x02\x01\x01\0" + bytes(56)}


@contextmanager
def opened(folder: Path, **options: float) -> Iterator[InspectionPool]:
    pool = InspectionPool(folder / "inspecting", WorkerOptions(**options))  # type: ignore[arg-type]  # by name
    try:
        yield pool
    finally:
        pool.close()


@pytest.fixture
def native(wheel_factory: Factory) -> Path:
    return wheel_factory(tags=LINUX, members=ELF)


def test_a_wheel_is_inspected_although_it_is_gone_by_then(native: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with opened(tmp_path) as pool:
        job = pool.submit(native, native.name, lambda *step: told.append(step))
        native.unlink()
        verdict = job.result(60)
    assert verdict.need is None
    assert len(verdict.undetermined) == 1
    assert verdict.undetermined[0].startswith("small/fast.so: ")
    assert told == [("small/fast.so", 64, 64)]
    assert list((tmp_path / "inspecting").iterdir()) == []


def test_a_file_that_is_no_wheel_is_an_error_and_the_worker_goes_on(native: Path, tmp_path: Path) -> None:
    broken = tmp_path / native.name
    broken.write_bytes(b"PK\3\4 and nothing more")
    with opened(tmp_path) as pool:
        with pytest.raises(WheelError) as caught:
            pool.submit(broken, native.name).result(60)
        assert caught.value.code == "not-a-wheel"
        assert pool.submit(native, native.name).result(60).undetermined


def test_the_process_that_uses_a_pool_never_imports_the_decoder(native: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from cpufit_wheelhouse.inspection.workers import InspectionPool\n"
        f"pool = InspectionPool(Path({str(tmp_path / 'i')!r}))\n"
        f"assert pool.submit(Path({str(native)!r}), {native.name!r}).result(60).undetermined\n"
        "pool.close()\n"
        "assert not {'numba', 'numpy', 'iced_x86'} & sys.modules.keys(), 'imported'\n"
    )
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("raise SystemExit(3)", "ended with status 3"),
        ("import time; time.sleep(600)", "took longer than it may"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_dies_or_hangs_costs_its_wheel_the_verdict_alone(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    with opened(tmp_path, time_limit=1.0) as pool:
        with monkeypatch.context() as patched:
            patched.setattr(workers, "_START", f"import sys; sys.stdin.readline(); {program}")
            verdict = pool.submit(native, native.name).result(60)
        assert verdict.need is None
        assert reason in verdict.undetermined[0]
    with opened(tmp_path) as pool:
        assert "small/fast.so" in pool.submit(native, native.name).result(60).undetermined[0]


@pytest.mark.skipif(os.name == "nt", reason="a pipe cannot be waited for")
def test_an_idle_worker_ends_and_the_next_wheel_starts_another(native: Path, tmp_path: Path) -> None:
    with opened(tmp_path, idle_seconds=0.2) as pool:
        assert pool.submit(native, native.name).result(60).undetermined
        first = pool._children[0]
        until = time.monotonic() + 30
        while first._process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        assert first._process.poll() == 0
        assert "small/fast.so" in pool.submit(native, native.name).result(60).undetermined[0]
        assert pool._children[0] is not first


def test_a_closed_pool_gives_no_verdict_to_what_still_waits(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_START", "import sys, time; sys.stdin.readline(); time.sleep(600)")
    with opened(tmp_path) as pool:
        running, waiting = pool.submit(native, native.name), pool.submit(native, native.name)
        until = time.monotonic() + 30
        while not pool._children and time.monotonic() < until:
            time.sleep(0.01)
    with pytest.raises(CancelledError):
        waiting.result(10)
    with pytest.raises((CancelledError, RuntimeError)):
        running.result(10)
    assert list((tmp_path / "inspecting").iterdir()) == []
