"""Imports on emulated CPUs inside the real sandbox, of wheels made here: good ones, and ones that mean harm."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.flow.native_wheels import V1, V3
from tests.inspection.control_libraries import AARCH64, X86_64, build
from tests.inspection.control_libraries import compiler as arm_compiler
from tests.probe.probes import CALL, LOAD, TAGS, local_options, native, probed, skip_where_nothing_probes

from cpufit_wheelhouse.inspection.wheel import inspect_wheel
from cpufit_wheelhouse.inspection.workers import InspectionPool, WorkerOptions
from cpufit_wheelhouse.probe.arm64_root import Arm64Unavailable, make_arm64_root
from cpufit_wheelhouse.probe.combine import combine
from cpufit_wheelhouse.probe.models import X86_64 as LADDER
from cpufit_wheelhouse.probe.options import ProbeOptions
from cpufit_wheelhouse.probe.probe import probe_wheel
from cpufit_wheelhouse.probe.report import ProbeReport

Factory = Callable[..., Path]
WORK = LOAD + "assert native.work(64) == 64\n"

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    skip_where_nothing_probes()


@pytest.fixture
def options(tmp_path: Path) -> ProbeOptions:
    return local_options(tmp_path, time_limit=60.0)


def test_an_import_that_runs_native_code_dies_where_the_cpu_lacks_it(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": CALL.encode(), "pkg/_native.so": native(tmp_path, V3)})
    need, report = probed(wheel, options)
    assert "avx2" in need["import"] or need["import"] == "x86_64_v3"
    died = next(run for run in report.runs if run.result == "died")
    assert died.fault is not None
    assert died.fault.how == "SIGILL"
    assert died.fault.library == "pkg/_native.so"
    assert died.fault.instruction.startswith("v")
    assert died.fault.features
    assert report.libraries == ("pkg/_native.so",)


def test_an_import_that_only_loads_needs_nothing_and_its_use_does(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": LOAD.encode(), "pkg/_native.so": native(tmp_path, V3)})
    need, report = probed(wheel, options)
    assert {run.result for run in report.runs} == {"ok"}
    assert need["import"] != need["use"]
    assert "avx2" in need["use"] or need["use"] == "x86_64_v3"


def test_the_operators_snippet_runs_too(wheel_factory: Factory, tmp_path: Path) -> None:
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": LOAD.encode(), "pkg/_native.so": native(tmp_path, V3)})
    smoke = "import ctypes, pkg; pkg.native.doubled_sum((ctypes.c_int * 8)())"
    need, report = probed(wheel, ProbeOptions(smoke=smoke, time_limit=60.0))
    assert "died" in {run.result for run in report.runs}
    assert need["import"] == need["use"]


def test_a_guard_holds(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    guarded = next(one for one in X86_64 if one.name == "one-unit-guarded")
    library = build(guarded, tmp_path).read_bytes()
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": WORK.encode(), "pkg/_native.so": library})
    need, report = probed(wheel, options)
    assert need == {"import": "x86_64_v1", "use": "x86_64_v1"}
    assert report.conclusive


def test_a_dependency_that_dies_is_not_the_wheels_fault(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    other = wheel_factory(
        name="heavy", tags=TAGS, members={"heavy/__init__.py": CALL.encode(), "heavy/_native.so": native(tmp_path, V3)}
    )
    assert options.find_links is not None
    shutil.copy(other, options.find_links)
    wheel = wheel_factory(
        tags=TAGS,
        members={"pkg/__init__.py": b"import heavy\n" + LOAD.encode(), "pkg/_native.so": native(tmp_path, V1)},
        metadata=["Metadata-Version: 2.1", "Name: small", "Version: 1.0", "Requires-Dist: heavy"],
    )
    need, report = probed(wheel, options)
    assert need == {"import": "x86_64_v1", "use": "x86_64_v1"}
    assert not report.conclusive
    assert "heavy" in report.runs[0].told


def test_a_dependency_that_cannot_be_had_leaves_it_inconclusive(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    wheel = wheel_factory(
        tags=TAGS,
        members={"pkg/__init__.py": b"", "pkg/_native.so": native(tmp_path, V1)},
        metadata=["Metadata-Version: 2.1", "Name: small", "Version: 1.0", "Requires-Dist: nowhere-at-all"],
    )
    _, report = probed(wheel, options)
    assert not report.conclusive
    assert report.reasons[0].startswith("its dependencies cannot be had")


def hostile(wheel_factory: Factory, tmp_path: Path, code: str, options: ProbeOptions) -> ProbeReport:
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": code.encode(), "pkg/_native.so": native(tmp_path, V1)})
    return probed(wheel, options)[1]


def test_an_import_without_end_is_ended(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    begun = time.monotonic()
    short = ProbeOptions(index_url=options.index_url, time_limit=6.0)
    report = hostile(wheel_factory, tmp_path, "while True: pass\n", short)
    assert not report.conclusive
    assert "did not end in time" in report.reasons[0]
    assert time.monotonic() - begun < 60


def test_there_is_no_network_no_home_and_nothing_of_this_machine_to_write(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    canary = tmp_path / "canary"
    canary.write_text("whole", encoding="utf-8")
    canary.chmod(0o666)
    code = f"""
import os, pathlib, socket
def must_fail(work):
    try:
        work()
    except OSError:
        return
    raise SystemExit("it could")
with socket.socket() as sender:
    must_fail(lambda: sender.connect(("192.0.2.1", 80)))
assert {str(Path.home())!r} not in (os.path.expanduser("~"), os.environ.get("HOME"))
for path in ({str(canary)!r}, {str(Path.home())!r}, "/etc/passwd", "/etc/shadow"):
    must_fail(lambda: open(path, "a"))
must_fail(lambda: open("/usr/here", "w"))
must_fail(lambda: open(pathlib.Path(__file__).with_name("here"), "w"))
must_fail(lambda: os.kill(1, 9)) if os.getpid() != 1 else None
assert os.geteuid() != 0
assert len([one for one in os.listdir("/proc") if one.isdigit()]) < 8
"""
    report = hostile(wheel_factory, tmp_path, code, options)
    assert report.runs, report.reasons
    assert report.runs[0].result == "ok"
    assert canary.read_text(encoding="utf-8") == "whole"


def test_processes_without_number_do_not_leave_the_sandbox(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    code = "import os\ntry:\n    while True:\n        os.fork()\nexcept OSError:\n    os._exit(1)\n"
    begun = time.monotonic()
    short = ProbeOptions(index_url=options.index_url, time_limit=10.0, processes=40)
    report = hostile(wheel_factory, tmp_path, code, short)
    assert not report.conclusive
    assert time.monotonic() - begun < 90


def test_without_a_sandbox_nothing_runs(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "ran"
    only = tmp_path / "bin"
    only.mkdir()
    for name in ("qemu-x86_64", "prlimit"):
        found = shutil.which(name)
        assert found is not None
        (only / name).symlink_to(found)
    code = f"open({str(marker)!r}, 'w')\n"
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": code.encode(), "pkg/_native.so": native(tmp_path, V1)})
    monkeypatch.setenv("PATH", str(only))
    _, report = probed(wheel, options)
    assert report.reasons == ("bwrap is not installed (Debian: bubblewrap)",)
    assert not marker.exists()


def test_the_emulated_cpus_have_what_the_ladder_says(tmp_path: Path) -> None:
    """Measured anew: each CPU's features as cpufit itself detects them there."""
    asked = "import json; from cpufit_resolver.detection import detect; print(json.dumps([*detect().profile.features]))"
    for model in LADDER:
        told = subprocess.run(
            ["qemu-x86_64", "-cpu", model.name, os.path.realpath(sys.executable), "-S", "-c", asked],
            env={"PYTHONPATH": str(Path(__file__).parents[2] / "resolver"), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        found = set(json.loads(told))
        assert model.features <= found, model.name
        better = set().union(*(other.features for other in LADDER if not other.features <= model.features))
        # LAHF never traps there, so it does not tell two CPUs apart, and the least one says that it has it
        assert not (better - model.features - {"lahf_lm"}) & found, model.name


@pytest.fixture(scope="module")
def arm64_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("qemu-aarch64") is None or arm_compiler("aarch64") is None:
        pytest.skip("qemu-aarch64 and gcc-aarch64-linux-gnu are needed")
    root = tmp_path_factory.mktemp("arm64") / "root"
    try:
        make_arm64_root(root)
    except Arm64Unavailable as error:
        pytest.skip(f"no arm64 Python: {error}")
    return root


@pytest.mark.network
@pytest.mark.parametrize(
    ("name", "needs", "results"),
    [
        ("arm-baseline", ("aarch64_8a", "aarch64_8a"), {"cortex-a53": "ok"}),
        ("arm-lse-guarded", ("aarch64_8a", "aarch64_8a"), {"cortex-a53": "ok"}),
        ("arm-lse", ("aarch64_8a+atomics",) * 2, {"neoverse-n1": "ok", "cortex-a53": "died"}),
    ],
)
def test_arm64_wheels_are_asked_on_arm64_cpus(
    name: str,
    needs: tuple[str, str],
    results: dict[str, str],
    arm64_root: Path,
    wheel_factory: Factory,
    tmp_path: Path,
    options: ProbeOptions,
) -> None:
    control = next(one for one in AARCH64 if one.name == name)
    library = build(control, tmp_path).read_bytes()
    tags = "py3-none-manylinux_2_17_aarch64"
    wheel = wheel_factory(tags=tags, members={"pkg/__init__.py": WORK.encode(), "pkg/_native.so": library})
    static = inspect_wheel(wheel, wheel.name)
    report = probe_wheel(wheel, wheel.name, static, replace(options, arm64_root=arm64_root))
    assert {run.model: run.result for run in report.runs} == results, report
    need = combine(static, report).need
    assert need is not None
    assert need.as_dict()["aarch64"] == {"import": needs[0], "use": needs[1]}
    assert report.libraries == ("pkg/_native.so",)


def test_a_pool_probes_where_it_is_told_to(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": LOAD.encode(), "pkg/_native.so": native(tmp_path, V3)})
    (tmp_path / "smoke").mkdir()
    snippet = "import ctypes, pkg; pkg.native.doubled_sum((ctypes.c_int * 8)())"
    needs = []
    for smoke in ("", snippet):
        (tmp_path / "smoke" / "small.py").write_text(smoke, encoding="utf-8")
        with_smoke = replace(options, smoke_folder=tmp_path / "smoke")
        pool = InspectionPool(tmp_path / "inspecting", WorkerOptions(probe=with_smoke))
        try:
            verdict = pool.submit(wheel, wheel.name).result(120)
        finally:
            pool.close()
        assert verdict.need is not None
        assert verdict.need.source == "probed"
        needs.append(verdict.need.as_dict()["x86_64"])
    assert needs[0]["import"] != needs[0]["use"]
    assert needs[1]["import"] == needs[1]["use"] == needs[0]["use"]


def test_a_probe_that_comes_to_grief_costs_nothing_of_what_was_read(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = b"while True: pass\n"
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": code, "pkg/_native.so": native(tmp_path, V3)})
    monkeypatch.setattr(ProbeOptions, "longest", 8.0)  # less than one import may take
    pool = InspectionPool(tmp_path / "inspecting", WorkerOptions(probe=options))
    try:
        verdict = pool.submit(wheel, wheel.name).result(120)
    finally:
        pool.close()
    assert verdict.need is not None
    assert verdict.need.source == "inspected"
    assert verdict.notes == ("probe: the inspection took longer than it may",)
