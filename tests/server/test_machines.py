"""Virtual environments on emulated CPUs: real qemu, real Pythons."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cpufit_server.machines import (
    EmulatedVenv,
    EmulatorMissing,
    MachineError,
    base_interpreter,
    find_emulator,
    make_emulated_venv,
    make_venv,
)

emulated = [
    pytest.mark.emulated,
    pytest.mark.skipif(find_emulator() is None, reason="qemu-x86_64 is not installed"),
]

# glibc's own view of CPUID leaf 7, word EBX, active bits: bit 5 is AVX2
HAS_AVX2 = """
import ctypes, sys
leaf = ctypes.CDLL("libc.so.6").__x86_get_cpuid_feature_leaf
leaf.restype = ctypes.POINTER(ctypes.c_uint32)
print(sys.executable, leaf(1)[5] >> 5 & 1)
"""


def run(*command: str | Path) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def nehalem(tmp_path_factory: pytest.TempPathFactory) -> EmulatedVenv:
    return make_emulated_venv(tmp_path_factory.mktemp("a folder with spaces") / "venv", "Nehalem")


class TestAnEmulatedEnvironment:
    pytestmark = emulated

    def test_shows_its_python_the_emulated_cpu(self, nehalem: EmulatedVenv) -> None:
        assert run(nehalem.python, "-c", HAS_AVX2) == f"{nehalem.python} 0"

    def test_shows_another_cpu_where_another_is_named(self, tmp_path: Path) -> None:
        haswell = make_emulated_venv(tmp_path / "venv", "Haswell")
        assert run(haswell.python, "-c", HAS_AVX2) == f"{haswell.python} 1"

    def test_is_a_virtual_environment_of_its_own(self, nehalem: EmulatedVenv) -> None:
        assert run(nehalem.python, "-c", "import sys; print(sys.prefix)") == str(nehalem.directory)

    def test_emulates_what_is_started_through_sys_executable(self, nehalem: EmulatedVenv) -> None:
        code = (
            f"import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', {HAS_AVX2!r}], text=True))"
        )
        assert run(nehalem.python, "-c", code) == f"{nehalem.python} 0"

    def test_emulates_every_name_of_its_python(self, nehalem: EmulatedVenv) -> None:
        names = [path for path in (nehalem.directory / "bin").glob("python*") if path != nehalem.python]
        assert len(names) >= 2
        for name in names:
            assert run(name, "-c", HAS_AVX2) == f"{nehalem.python} 0"

    def test_emulates_the_console_scripts_that_pip_writes(self, nehalem: EmulatedVenv, tmp_path: Path) -> None:
        wheel = tmp_path / "tellcpu-1-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("tellcpu.py", "def main():\n    exec(" + repr(HAS_AVX2) + ")\n")
            archive.writestr("tellcpu-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tellcpu\nVersion: 1\n")
            archive.writestr(
                "tellcpu-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            archive.writestr("tellcpu-1.dist-info/entry_points.txt", "[console_scripts]\ntellcpu = tellcpu:main\n")
            archive.writestr(
                "tellcpu-1.dist-info/RECORD",
                "".join(
                    f"tellcpu-1.dist-info/{name},,\n" for name in ("METADATA", "WHEEL", "entry_points.txt", "RECORD")
                )
                + "tellcpu.py,,\n",
            )
        # the script pip, which was there before the wrapper, has to work as well
        run(nehalem.directory / "bin" / "pip", "install", "--no-index", "--no-deps", wheel)
        assert run(nehalem.directory / "bin" / "tellcpu").split()[-1] == "0"

    def test_refuses_a_model_that_qemu_does_not_know(self, tmp_path: Path) -> None:
        with pytest.raises(MachineError, match="does not start on an emulated Unobtainium"):
            make_emulated_venv(tmp_path / "venv", "Unobtainium")


class TestWithoutTheEmulator:
    def test_the_error_names_the_debian_package(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(EmulatorMissing) as caught:
            make_emulated_venv(tmp_path / "venv", "Nehalem")
        assert caught.value.code == "emulator-missing"
        assert "qemu-user" in str(caught.value)
        assert not (tmp_path / "venv").exists()


class TestTheModel:
    @pytest.mark.skipif(find_emulator() is None, reason="qemu-x86_64 is not installed")
    @pytest.mark.parametrize("cpu", ["", "Nehalem; true", '"', "-cpu", "Nehalem $(id)"])
    def test_refuses_what_is_not_a_model(self, cpu: str, tmp_path: Path) -> None:
        with pytest.raises(MachineError, match="not a CPU model"):
            make_emulated_venv(tmp_path / "venv", cpu)


class TestTheBaseInterpreter:
    def test_sees_through_a_virtual_environment(self, tmp_path: Path) -> None:
        python = make_venv(tmp_path / "venv")
        assert base_interpreter(python) == base_interpreter()
        assert base_interpreter(python) != python

    def test_sees_through_a_shim(self, tmp_path: Path) -> None:
        shim = tmp_path / "python"
        shim.write_text(f'#!/bin/sh\nexec "{base_interpreter()}" "$@"\n')
        shim.chmod(0o755)
        assert base_interpreter(shim) == Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))

    def test_refuses_one_that_does_not_start(self, tmp_path: Path) -> None:
        with pytest.raises(MachineError, match="does not start"):
            base_interpreter(tmp_path / "python")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="no virtual environment"):
        make_venv(tmp_path / "file" / "venv")


def test_the_emulator_is_found_on_the_path() -> None:
    found = find_emulator()
    assert (None if found is None else str(found)) == shutil.which("qemu-x86_64")
