"""A real extension from the package index, compiled here: with the compiler's default, and for one CPU alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from cpufit_wheelhouse.inspection.wheel import inspect_wheel

SDIST = "xxhash==3.5.0"
"""Its hash loops are for whatever the compiler's flags allow; nothing in it asks the CPU."""
STATEMENT = "import xxhash; assert len(xxhash.xxh3_64_hexdigest(b'word' * 500)) == 16"

pytestmark = [pytest.mark.network, pytest.mark.emulated]


def compile_wheel(folder: Path, march: str) -> Path:
    if shutil.which("gcc") is None or not Path(sysconfig.get_path("include"), "Python.h").exists():
        pytest.skip("gcc and this Python's headers are needed to compile an extension")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-binary", "xxhash"]
    command += ["--no-cache-dir", "--wheel-dir", str(folder), SDIST]
    built = subprocess.run(
        command, env=os.environ | {"CFLAGS": f"-O3 -march={march}"}, capture_output=True, text=True, check=False
    )
    if built.returncode != 0 and "No matching distribution" in built.stderr:
        pytest.skip(f"the index that pip uses has no {SDIST}")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


def status_on(model: str, wheel: Path, folder: Path) -> int:
    site = folder / f"site-{model}"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environ = {"PYTHONPATH": str(site), "PATH": os.environ["PATH"]}
    program = ["qemu-x86_64", "-cpu", model, os.path.realpath(sys.executable), "-S", "-c"]
    return subprocess.run([*program, STATEMENT], env=environ, capture_output=True, check=False).returncode


@pytest.mark.parametrize(
    ("march", "wanted", "dies"),
    [
        ("x86-64", frozenset[str](), frozenset[str]()),
        ("haswell", {"avx", "avx2"}, {"Nehalem", "SandyBridge"}),
        ("sandybridge", {"avx"}, {"Nehalem"}),
    ],
)
def test_an_extension_compiled_for_one_cpu_is_known_for_it(
    march: str, wanted: frozenset[str], dies: frozenset[str], tmp_path: Path
) -> None:
    if shutil.which("qemu-x86_64") is None:
        pytest.skip("qemu-x86_64 is not installed (Debian: qemu-user)")
    wheel = compile_wheel(tmp_path, march)
    verdict = inspect_wheel(wheel, wheel.name)
    assert verdict.need is not None
    part = verdict.need.on("x86_64")
    assert part is not None
    assert wanted <= part.features
    assert bool(part.features & {"avx", "sse4_2", "ssse3"}) is bool(wanted)
    ends = {model: status_on(model, wheel, tmp_path) == 0 for model in ("Nehalem", "SandyBridge", "Haswell")}
    assert {model for model, well in ends.items() if not well} == dies
