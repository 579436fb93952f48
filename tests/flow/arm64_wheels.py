"""Wheels for arm64, cross-compiled here: one for every Armv8 processor, one that needs the atomics of Armv8.1 (LSE)."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.flow.native_wheels import pack_native_wheel

PLATFORM = "manylinux_2_17_aarch64.manylinux2014_aarch64"

_SOURCE = """\
#if defined(__ARM_FEATURE_ATOMICS)
const char *build(void) { return "lse"; }
#else
const char *build(void) { return "v8.0"; }
#endif
int doubled_sum(const int *numbers) {
    int sum = 0;
    for (int i = 0; i < 8; i++) __atomic_fetch_add(&sum, 2 * numbers[i], __ATOMIC_SEQ_CST);
    return sum;
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmBuild:
    """One way to compile, and what its outcome needs in cpufit's words."""

    name: str
    march: str
    need: str


V8_0 = ArmBuild(name="v8.0", march="armv8-a", need="aarch64_8a")
LSE = ArmBuild(name="lse", march="armv8-a+lse", need="aarch64_8a+atomics")
ARM_BUILDS = (V8_0, LSE)


def cross_compiler() -> str | None:
    """Return the cross compiler's path; None where it is not installed."""
    return shutil.which("aarch64-linux-gnu-gcc")


def make_arm_wheel(build: ArmBuild, directory: Path, project: str, version: str) -> Path:
    """Compile a build and pack it; both builds get one file name."""
    gcc = cross_compiler()
    assert gcc is not None
    folder = directory / build.name
    folder.mkdir(parents=True)
    source, target = folder / "native.c", folder / "native.so"
    source.write_text(_SOURCE, encoding="utf-8")
    # outlined atomics would look at the processor and take either instruction
    flags = ("-O2", "-shared", "-fPIC", "-nostdlib", "-mno-outline-atomics", f"-march={build.march}")
    subprocess.run([gcc, *flags, "-o", target, source], check=True)
    return pack_native_wheel(folder, target, project, version, PLATFORM)
