"""Judging runs that are made up: whose death it is, and whether it is one that a CPU brings."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from cpufit_wheelhouse.probe.faults import Subject, judged
from cpufit_wheelhouse.probe.report import Run
from cpufit_wheelhouse.probe.run import SITE, Attempt, Failure, _attempt
from cpufit_wheelhouse.probe.sandbox import Ended
from cpufit_wheelhouse.probe.trace import Mapping, Trace

CORE = "pkg/_core.so"
WANTED = frozenset({"pkg"})
ENDED = Ended(status=0, timed_out=False, too_large=False, stdout="", stderr="")
GOOD = Attempt(
    ended=ENDED, trace=Trace(), done=WANTED, failed=(), dependencies=(), loaded=("pkg",), complete=True, seconds=1.0
)


def mapping(path: str) -> Mapping:
    return Mapping(path=path, start=0x1000, size=0x1000, offset=0, executable=True)


def killed(status: int, trace: Trace | None = None) -> Attempt:
    ended = replace(ENDED, status=status)
    return replace(GOOD, ended=ended, trace=trace or Trace(), done=frozenset(), complete=False)


def raised(how: str, said: str, *frames: str, dependencies: tuple[str, ...] = ()) -> Attempt:
    failure = Failure(module="pkg", how=how, said=said, frames=frames)
    return replace(GOOD, done=frozenset(), failed=(failure,), dependencies=dependencies)


def judge(attempt: Attempt, tmp_path: Path, control: tuple[str, ...] = ()) -> Run:
    members = {"pkg/__init__.py": "pkg/__init__.py", CORE: "pkg-1.data/platlib/pkg/_core.so"}
    return judged("Nehalem-v1", attempt, WANTED, control, Subject(members=members, site=tmp_path, prefix=tmp_path))


def test_what_comes_to_its_end_is_well(tmp_path: Path) -> None:
    assert judge(GOOD, tmp_path).result == "ok"


def test_an_end_well_without_the_libraries_is_no_proof(tmp_path: Path) -> None:
    """As of code that says that it has ended before it begins."""
    members = ("pkg-1.data/platlib/pkg/_core.so",)
    run = judge(GOOD, tmp_path, control=members)
    assert run.result == "inconclusive"
    assert "without any of the libraries" in run.told
    loaded = replace(GOOD, trace=Trace(mappings=(mapping(f"{SITE}/{CORE}"),)))
    assert judge(loaded, tmp_path, control=members).result == "ok"


@pytest.mark.parametrize(
    "attempt",
    [
        replace(killed(-9), ended=replace(ENDED, status=-9, timed_out=True)),
        replace(killed(-9), ended=replace(ENDED, status=-9, too_large=True)),
        killed(-9),
        killed(-24),
        killed(-15),
        raised("MemoryError", ""),
    ],
)
def test_limits_are_not_the_cpus(attempt: Attempt, tmp_path: Path) -> None:
    run = judge(attempt, tmp_path)
    assert run.result == "inconclusive"
    assert run.told


@pytest.mark.parametrize("status", [0, 1, 77])
def test_an_early_exit_is_an_abnormal_end(status: int, tmp_path: Path) -> None:
    run = judge(killed(status), tmp_path)
    assert (run.result, run.fault and run.fault.how) == ("died", f"exit status {status}")


def test_a_signal_that_was_caught_is_not_what_ended_it(tmp_path: Path) -> None:
    caught = Trace(mappings=(mapping(f"{SITE}/{CORE}"),), signal="SIGILL", address=0x1004)
    assert judge(replace(GOOD, trace=caught), tmp_path).result == "ok"
    run = judge(killed(3, caught), tmp_path)
    assert (run.result, run.fault and run.fault.how) == ("died", "exit status 3")


def test_a_fault_is_told_by_the_members_name(tmp_path: Path) -> None:
    struck = Trace(mappings=(mapping(f"{SITE}/{CORE}"),), signal="SIGILL", address=0x1004)
    run = judge(killed(-4, struck), tmp_path)
    assert run.result == "died"
    assert run.fault is not None
    assert run.fault.library == "pkg-1.data/platlib/pkg/_core.so"


@pytest.mark.parametrize("path", ["/etc/passwd", "/dev/zero", "{fifo}", "/probe/site/../../etc/passwd"])
def test_a_forged_trace_opens_no_file_of_this_machine(path: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    struck = Trace(mappings=(mapping(path.format(fifo=fifo)),), signal="SIGILL", address=0x1004)
    run = judge(killed(-4, struck), tmp_path)
    assert run.result == "inconclusive"
    assert run.fault is not None
    assert not run.fault.instruction


@pytest.mark.parametrize(
    "attempt",
    [
        raised("RuntimeError", "baseline", "/probe/site/pkg/__init__.py", "/probe/site/numpy/__init__.py"),
        # wrapped by the wheel: what it came from is told last
        raised("ImportError", "x", "/probe/site/pkg/__init__.py", "/probe/site/numpy/__init__.py", "/usr/lib/x.py"),
        # said again without its cause, as pandas does
        raised("ImportError", "numpy: x", "/probe/site/pkg/__init__.py", dependencies=("numpy",)),
        raised("ImportError", "/probe/site/numpy.libs/x.so.1: CPU ISA level is lower", "/probe/site/pkg/__init__.py"),
    ],
)
def test_what_a_dependency_raises_is_not_the_wheels(attempt: Attempt, tmp_path: Path) -> None:
    run = judge(attempt, tmp_path)
    assert run.result == "inconclusive"
    assert "dependency" in run.told
    assert "numpy" in run.told


@pytest.mark.parametrize(
    "attempt",
    [
        raised("RuntimeError", "this CPU has no AVX", "<string>", "/probe/site/pkg/__init__.py"),
        raised("ImportError", "/probe/site/pkg/_core.so: CPU ISA level is lower than required", "<frozen importlib>"),
    ],
)
def test_what_the_wheel_raises_is_its_own(attempt: Attempt, tmp_path: Path) -> None:
    run = judge(attempt, tmp_path)
    assert run.result == "died"
    assert run.fault is not None
    assert run.fault.text == f"{attempt.failed[0].how}: {attempt.failed[0].said}"


@pytest.mark.parametrize(
    "told",
    [
        "[]\nnull\n7\n" + "[" * 100_000,
        '{"failed": 7}\n{"failed": {"a": []}, "frames": 9, "how": null}',
        '{"end": true, "loaded": ["' + "x" * 100_000 + '", "../..", 7, "good"]}',
        '{"done": ["pkg"]}\n{"end": 1, "loaded": {"a": 1}}',
    ],
)
def test_lines_that_the_wheels_code_writes_do_no_harm(told: str, tmp_path: Path) -> None:
    attempt = _attempt(ENDED, Trace(), told, 1.0)
    assert set(attempt.loaded) <= {"good"}
    assert judge(attempt, tmp_path).result != "ok"


def test_notes_hold_no_control_codes(tmp_path: Path) -> None:
    line = '{"failed": "pkg", "how": "\\u001b[2J", "said": "a\\nb\\u001b]0;x\\u0007", "frames": []}'
    attempt = _attempt(ENDED, Trace(), line, 1.0)
    assert all(text.isprintable() for text in (attempt.failed[0].how, attempt.failed[0].said))
