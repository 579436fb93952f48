"""Wheels that mean harm, or are only odd, probed for real: what is left of them, and what they talk a probe into."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.flow.native_wheels import V1, V3, compiler
from tests.probe.probes import CALL, LOAD, TAGS, local_options, native, probed, skip_where_nothing_probes

from cpufit_wheelhouse.inspection.workers import InspectionPool, WorkerOptions
from cpufit_wheelhouse.probe.models import X86_64 as LADDER
from cpufit_wheelhouse.probe.options import ProbeOptions
from cpufit_wheelhouse.probe.run import Runner

Factory = Callable[..., Path]
HAS_AVX2 = 'int has_avx2(void) { __builtin_cpu_init(); return __builtin_cpu_supports("avx2") != 0; }\n'

pytestmark = pytest.mark.emulated


@pytest.fixture(scope="module", autouse=True)
def _able() -> None:
    skip_where_nothing_probes()


@pytest.fixture
def options(tmp_path: Path) -> ProbeOptions:
    return local_options(tmp_path, time_limit=30.0)


def test_what_lies_where_the_trace_is_expected_is_not_followed(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    """A pipe there would hold whoever reads it for ever, a link would show it a file of this machine."""
    code = """
import os
try:
    os.remove("/probe/out/trace")
    os.mkfifo("/probe/out/trace")
except OSError:
    pass
"""
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": code.encode(), "pkg/_native.so": native(tmp_path, V1)})
    begun = time.monotonic()
    _, report = probed(wheel, options)
    assert report.runs[0].result == "ok"
    assert time.monotonic() - begun < options.time_limit


def test_a_dependency_that_gates_is_not_the_wheels_fault_though_the_wheel_says_it(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    source, library = tmp_path / "has.c", tmp_path / "has.so"
    source.write_text(HAS_AVX2, encoding="utf-8")
    subprocess.run([str(compiler()), "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    gate = LOAD + "if not native.has_avx2():\n    raise RuntimeError('built for AVX2')\n"
    other = wheel_factory(
        name="gate", tags=TAGS, members={"gate/__init__.py": gate.encode(), "gate/_native.so": library.read_bytes()}
    )
    assert options.find_links is not None
    shutil.copy(other, options.find_links)
    code = """
missing = []
try:
    import gate
except Exception as error:
    missing.append(str(error))
if missing:
    raise ImportError("cannot import what it depends on: " + missing[0])
"""
    wheel = wheel_factory(
        tags=TAGS,
        members={"pkg/__init__.py": (code + LOAD).encode(), "pkg/_native.so": native(tmp_path, V1)},
        metadata=["Metadata-Version: 2.1", "Name: small", "Version: 1.0", "Requires-Dist: gate"],
    )
    need, report = probed(wheel, options)
    assert need == {"import": "x86_64_v1", "use": "x86_64_v1"}
    assert {run.result for run in report.runs} <= {"inconclusive", "ok"}
    assert "gate" in report.runs[0].told


def test_the_same_check_of_its_own_is_a_death(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    source, library = tmp_path / "has.c", tmp_path / "has.so"
    source.write_text(HAS_AVX2, encoding="utf-8")
    subprocess.run([str(compiler()), "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    code = LOAD + "if not native.has_avx2():\n    raise RuntimeError('built for AVX2')\n"
    members = {"pkg/__init__.py": code.encode(), "pkg/_native.so": library.read_bytes()}
    need, report = probed(wheel_factory(tags=TAGS, members=members), options)
    assert report.runs[0].result == "died"
    assert report.runs[0].fault is not None
    assert report.runs[0].fault.how == "RuntimeError"
    assert need["import"] == need["use"] != "x86_64_v1"


def test_a_library_that_is_loaded_from_a_copy_counts(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    code = (
        LOAD
        + """
import shutil
copied = ctypes.CDLL(shutil.copy(pathlib.Path(__file__).with_name("_hidden.so"), "/tmp/copied"))
"""
    )
    members = {
        "pkg/__init__.py": code.encode(),
        "pkg/_native.so": native(tmp_path, V1),
        "pkg/_hidden.so": native(tmp_path, V3),
    }
    need, report = probed(wheel_factory(tags=TAGS, members=members), options)
    assert report.elsewhere == ("/tmp/copied",)
    # the least CPU on which it was seen to end well, not what the other library asks for
    assert need["import"] != "x86_64_v1"
    assert "avx2" in need["use"] or need["use"] == "x86_64_v3"


def test_a_library_in_a_data_folder_is_the_wheels_own(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    hidden = "small-1.0.data/platlib/pkg/_native.so"
    members = {"pkg/__init__.py": CALL.encode(), hidden: native(tmp_path, V3)}
    need, report = probed(wheel_factory(tags=TAGS, members=members), options)
    assert report.libraries == (hidden,)
    died = next(run for run in report.runs if run.result == "died")
    assert died.fault is not None
    assert died.fault.library == hidden
    assert need["import"] == need["use"]


def test_the_standard_library_comes_before_the_wheel(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    members = {
        "random.py": b"raise SystemExit('in the place of the standard one')\n",
        "pkg/__init__.py": b"import tempfile\n",
        "pkg/_native.so": native(tmp_path, V1),
    }
    _, report = probed(wheel_factory(tags=TAGS, members=members), options)
    assert report.runs, report.reasons
    assert report.runs[0].result == "ok"


def test_a_death_where_python_dies_too_is_nothing(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "bare", lambda _, model: model == LADDER[0].name)
    members = {"pkg/__init__.py": CALL.encode(), "pkg/_native.so": native(tmp_path, V3)}
    need, report = probed(wheel_factory(tags=TAGS, members=members), options)
    assert "died" not in {run.result for run in report.runs}
    assert "Python itself does not run there" in {run.told for run in report.runs}
    assert need["import"] == need["use"]


def test_nothing_is_left_of_a_probe_that_was_cut_short(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "temporary"
    home.mkdir()
    monkeypatch.setenv("TMPDIR", str(home))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(ProbeOptions, "longest", 6.0)
    name = secrets.token_hex(8)
    code = f"import os\nos.execv('/bin/sleep', ['{name}', '60'])\n"
    wheel = wheel_factory(tags=TAGS, members={"pkg/__init__.py": code.encode(), "pkg/_native.so": native(tmp_path, V1)})
    pool = InspectionPool(tmp_path / "inspecting", WorkerOptions(probe=options))
    try:
        verdict = pool.submit(wheel, wheel.name).result(60)
    finally:
        pool.close()
    assert verdict.notes == ("probe: the inspection took longer than it may",)
    assert not list(home.iterdir())
    assert not list((tmp_path / "inspecting").iterdir())
    told = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert name not in told
