"""Detection on real processes: this machine, other Pythons, and emulated CPUs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import cpufit_resolver
from cpufit_resolver import CpuProfile, InvalidCpuToken
from cpufit_resolver.detection import DetectedCpu, decide, detect, probe, profile_for
from cpufit_resolver.detection.override import override_path, overriding_profile

RESOLVER = str(Path(cpufit_resolver.__file__).parents[1])
QEMU = shutil.which("qemu-x86_64")
ON_X86_LINUX = sys.platform == "linux" and os.uname().machine == "x86_64"
DETECT = (
    "from cpufit_resolver.detection import detect; d = detect(brand=True); print(d.profile.token); print(d.brand); "
)
DETECT += "print(*(h.by for h in d.hidden))"

needs_x86_linux = pytest.mark.skipif(not ON_X86_LINUX, reason="reads glibc's leaf and CPUID: needs Linux on x86-64")


def nothing() -> tuple[str, None]:
    return "/nowhere", None


def test_this_machine_has_a_token_that_reads_back() -> None:
    found = detect()
    assert CpuProfile.parse(found.profile.token) == found.profile


@needs_x86_linux
def test_glibc_and_cpuid_agree_on_this_machine() -> None:
    evidence = probe(cpuid=True)
    if not evidence.glibc:
        pytest.skip("glibc older than 2.33")
    if not evidence.cpuid:
        pytest.skip("this system lets no process make executable memory")
    by_glibc, by_cpuid = decide(evidence), decide(replace(evidence, glibc=(), cpuinfo=""))
    # the kernel alone says whether user code may have fsgsbase; glibc leaves out what errata turn off
    assert by_glibc.profile.features ^ by_cpuid.profile.features <= {"fsgsbase", "hle", "rtm"}
    assert by_cpuid.source == "cpuid"


@needs_x86_linux
def test_cpuid_is_not_executed_where_nobody_asks() -> None:
    assert probe(cpuid=False).cpuid == ()


@pytest.mark.emulated
@pytest.mark.skipif(QEMU is None or not ON_X86_LINUX, reason="qemu-x86_64 is not installed (Debian: qemu-user)")
@pytest.mark.parametrize(
    ("model", "token"),
    [
        ("qemu64,-sse3,-cx16,-svm", "x86_64_v1+lahf_lm"),
        ("Nehalem", "x86_64_v2"),
        ("SandyBridge", "x86_64_v2+aes+avx+pclmulqdq+xsave+xsaveopt"),
        ("IvyBridge", "x86_64_v2+aes+avx+f16c+pclmulqdq+rdrand+xsave+xsaveopt"),
        ("Haswell", "x86_64_v3+aes+pclmulqdq+rdrand+xsaveopt"),
        ("Haswell,-avx", "x86_64_v2+abm+aes+bmi1+bmi2+movbe+pclmulqdq+rdrand+xsave+xsaveopt"),
    ],
)
def test_emulated_cpu_is_told_as_it_is(model: str, token: str) -> None:
    assert QEMU is not None
    done = subprocess.run(
        [QEMU, "-cpu", model, os.path.realpath(sys.executable), "-S", "-c", DETECT],
        env={**os.environ, "PYTHONPATH": RESOLVER},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    found, brand, hidden = done.stdout.splitlines()
    assert found == token
    if "avx2" in detect().profile.features and "Haswell" not in model:
        assert "emulator" in hidden.split()
        assert brand != detect().brand, "the host's name"


@pytest.mark.emulated
@needs_x86_linux
@pytest.mark.skipif(QEMU is None, reason="qemu-x86_64 is not installed (Debian: qemu-user)")
@pytest.mark.parametrize(("model", "level"), [("Nehalem", "x86_64_v2"), ("Haswell", "x86_64_v3")])
def test_emulated_cpu_is_told_without_glibc_and_without_any_library(model: str, level: str) -> None:
    assert QEMU is not None
    code = (
        "from dataclasses import replace; from cpufit_resolver.detection import decide, probe\n"
        "found = decide(replace(probe(cpuid=True), glibc=()))\n"
        "print(found.profile.level, found.source)"
    )
    done = subprocess.run(
        [QEMU, "-cpu", model, os.path.realpath(sys.executable), "-S", "-c", code],
        env={**os.environ, "PYTHONPATH": RESOLVER},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == [level, "cpuid+proc-cpuinfo"]


@needs_x86_linux
def test_tunables_of_glibc_are_seen_by_a_real_process() -> None:
    if "avx2" not in detect().profile.features or detect().source != "glibc":
        pytest.skip("needs a CPU with AVX2 and glibc 2.33")
    done = subprocess.run(
        [sys.executable, "-c", DETECT],
        env={**os.environ, "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2", "PYTHONPATH": RESOLVER},
        capture_output=True,
        text=True,
        check=True,
    )
    token, _, hidden = done.stdout.splitlines()
    assert "avx2" not in CpuProfile.parse(token).features
    assert "glibc-tunables" in hidden.split()


@needs_x86_linux
def test_a_python_without_ctypes_reads_what_files_tell() -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.modules['ctypes'] = None\n{DETECT}"],
        env={**os.environ, "PYTHONPATH": RESOLVER},
        capture_output=True,
        text=True,
        check=True,
    )
    assert CpuProfile.parse(done.stdout.splitlines()[0]).features <= detect().profile.features


def test_oldest_python_reads_it_too() -> None:
    candidates = (shutil.which("python3.8"), *sorted(Path.home().glob(".pyenv/versions/3.8.*/bin/python")))
    python = next((str(path) for path in candidates if path and _runs(str(path))), None)
    if python is None:
        pytest.skip("no Python 3.8 here")
    done = subprocess.run(
        [python, "-S", "-W", "error", "-c", DETECT],
        env={**os.environ, "PYTHONPATH": RESOLVER},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == detect().profile.token


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0


def test_argument_comes_before_environment_before_file() -> None:
    environ = {"CPUFIT_CPU": "x86_64_v2"}
    named = overriding_profile("x86_64_v1", environ, nothing)
    assert named is not None
    assert (named.profile.token, named.source) == ("x86_64_v1", "argument")
    named = overriding_profile(None, environ, lambda: ("f", "x86_64_v4"))
    assert named is not None
    assert (named.profile.token, named.source) == ("x86_64_v2", "environment")
    named = overriding_profile(None, {"CPUFIT_CPU": " "}, lambda: ("f", "# mine\n\nx86_64_v3 \nx86_64_v4\n"))
    assert named is not None
    assert (named.profile.token, named.source) == ("x86_64_v3", "file")
    assert overriding_profile(None, {}, nothing) is None
    assert overriding_profile(None, {}, lambda: ("f", "# nothing\n")) is None


@pytest.mark.parametrize(
    ("argument", "environ", "where"), [("x", {}, "--cpu"), (None, {"CPUFIT_CPU": "x"}, "CPUFIT_CPU"), (None, {}, "f")]
)
def test_override_that_cannot_be_read_says_where_it_stands(
    argument: str | None, environ: dict[str, str], where: str
) -> None:
    with pytest.raises(InvalidCpuToken) as caught:
        overriding_profile(argument, environ, lambda: ("f", "x"))
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("environ", "platform", "place"),
    [
        ({"CPUFIT_CPU_FILE": "/etc/cpu"}, "linux", "/etc/cpu"),
        ({}, "linux", "/home/me/.config/cpufit/cpu"),
        ({"XDG_CONFIG_HOME": "/x"}, "linux", "/x/cpufit/cpu"),
        ({}, "darwin", "/home/me/Library/Application Support/cpufit/cpu"),
        ({"APPDATA": "/roaming"}, "win32", "/roaming/cpufit/cpu"),
        ({}, "win32", "/home/me/AppData/Roaming/cpufit/cpu"),
    ],
)
def test_file_stands_among_the_users_settings(environ: dict[str, str], platform: str, place: str) -> None:
    assert override_path(environ, platform, Path("/home/me")) == Path(place)


def test_profile_is_read_from_a_real_file_and_else_detected(tmp_path: Path) -> None:
    here = DetectedCpu(profile=CpuProfile.baseline("s390x"), source="glibc")
    environ = {"CPUFIT_CPU_FILE": str(tmp_path / "cpu")}
    assert profile_for(None, environ, lambda: here) is here
    (tmp_path / "cpu").write_text("x86_64_v2+avx\n")
    assert profile_for(None, environ, lambda: here).profile.token == "x86_64_v2+avx"
