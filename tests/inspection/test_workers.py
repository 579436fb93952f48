"""Inspections in processes of their own: whatever becomes of one, its wheel gets a verdict, and the next one too."""

from __future__ import annotations

import os
import signal
import subprocess
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


@pytest.mark.skipif(not hasattr(os, "getpriority"), reason="the system has no niceness")
def test_a_worker_stands_behind_others_as_it_is_told(native: Path, tmp_path: Path) -> None:
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    with opened(tmp_path, niceness=3) as pool:
        assert pool.submit(native, native.name).result(60).undetermined
        child = pool._children[0]._process.pid
        assert os.getpriority(os.PRIO_PROCESS, child) == min(19, mine + 3)
        group = Path(f"/proc/{child}/autogroup")
        if group.exists() and Path("/proc/sys/kernel/sched_autogroup_enabled").read_text().strip() == "1":
            assert group.read_text().split()[-1] == "3"


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


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGHUP"])
def test_a_worker_that_somebody_ends_is_replaced_and_its_wheel_is_read_all_the_same(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    once = tmp_path / "once"
    program = (
        f"import os, pathlib, signal; once = pathlib.Path({str(once)!r})\n"
        # whoever runs this under nohup hands down that a hang-up is ignored
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        f"if not once.exists(): once.touch(); import sys; sys.stdin.readline(); os.kill(os.getpid(), signal.{name})\n"
    )
    monkeypatch.setattr(workers, "_START", program + workers._START)
    with opened(tmp_path) as pool:
        assert "small/fast.so" in pool.submit(native, native.name).result(60).undetermined[0]
    assert once.exists()


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_wheel_whose_workers_are_always_ended_gets_a_verdict_in_the_end(
    native: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import os, signal, sys; sys.stdin.readline(); os.kill(os.getpid(), signal.SIGKILL)"
    monkeypatch.setattr(workers, "_START", program)
    with opened(tmp_path) as pool:
        assert "ended by SIGKILL" in pool.submit(native, native.name).result(60).undetermined[0]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_signals_for_a_whole_service_do_not_end_its_workers(native: Path, tmp_path: Path) -> None:
    with opened(tmp_path) as pool:
        assert pool.submit(native, native.name).result(60).undetermined
        child = pool._children[0]._process
        assert os.getsid(child.pid) != os.getsid(0)
        for number in (signal.SIGINT, signal.SIGTERM):
            child.send_signal(number)
        assert "small/fast.so" in pool.submit(native, native.name).result(60).undetermined[0]
        assert pool._children[0]._process is child


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_in_the_midst_of_its_work_ends_with_a_server_that_was_killed(native: Path, tmp_path: Path) -> None:
    slow = "import time; from cpufit_wheelhouse.inspection import worker; worker._answered = lambda _: time.sleep(600);"
    code = (
        "import os, signal, time; from pathlib import Path\n"
        "from cpufit_wheelhouse.inspection import workers\n"
        f"workers._START = {slow!r} + workers._START\n"
        f"pool = workers.InspectionPool(Path({str(tmp_path / 'i')!r}))\n"
        f"pool.submit(Path({str(native)!r}), {native.name!r})\n"
        "while not pool._children: time.sleep(0.01)\n"
        "time.sleep(0.5); print(pool._children[0]._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert told.returncode == -signal.SIGKILL
    worker, until = int(told.stdout), time.monotonic() + 30
    while time.monotonic() < until and _runs(worker):
        time.sleep(0.05)
    assert not _runs(worker)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # whoever has no parent to wait for it may stay as a zombie
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2] if Path("/proc").is_dir() else True


@pytest.mark.skipif(os.name == "nt", reason="no locks that end with their process")
def test_what_a_killed_process_left_is_removed_by_the_next_and_what_another_uses_is_not(
    native: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "inspecting"
    code = (
        "import os, signal; from pathlib import Path; from cpufit_wheelhouse.inspection.scratch import OwnFolder\n"
        f"own = OwnFolder(Path({str(folder)!r})); (own.path() / 'link').touch(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    (left,) = folder.iterdir()
    with opened(tmp_path) as one:
        job = one.submit(native, native.name)
        assert not left.exists()
        with opened(tmp_path) as other:
            assert other.submit(native, native.name).result(60).undetermined
            assert len(list(folder.iterdir())) == 2
        assert job.result(60).undetermined
    assert list(folder.iterdir()) == []
