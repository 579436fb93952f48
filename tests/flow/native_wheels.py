"""Small wheels with real machine code, compiled here, whose import dies on a CPU that lacks what they need.

One wheel serves every Python: the module loads a shared object with ctypes and calls it, so the tag is ``py3-none``.
The four builds of one release have one file name; only the compiler's ``-march`` differs, as it does in the world.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

PLATFORM = "manylinux_2_17_x86_64.manylinux2014_x86_64"
"""The compressed set that real wheels carry: old pips read its second tag, labelled forms are one file for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One way to compile: the flags, and what the outcome needs in cpufit's and in Linux's words."""

    name: str
    flags: tuple[str, ...]
    need: str
    """As a person declares it at the upload."""
    features: frozenset[str]
    """As /proc/cpuinfo names them; those whose lack the compiled code meets first are enough."""


_V2 = frozenset({"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"})
_V3 = _V2 | {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}

V1 = Build(name="v1", flags=("-march=x86-64",), need="x86_64_v1", features=frozenset())
V2 = Build(name="v2", flags=("-march=x86-64-v2",), need="x86_64_v2", features=_V2)
AVX = Build(name="avx", flags=("-march=x86-64-v2", "-mavx"), need="x86_64_v2+avx", features=_V2 | {"avx"})
V3 = Build(name="v3", flags=("-march=x86-64-v3",), need="x86_64_v3", features=_V3)
BUILDS = (V1, V2, AVX, V3)
"""Least demanding first; each needs everything that the one before it needs."""

# Doubles eight numbers and adds them up. Intrinsics, so that no optimiser can choose the old instructions after all.
_SOURCE = """\
#if defined(__SSE4_1__)
#include <immintrin.h>
#endif

#if defined(__AVX2__)
const char *build(void) { return "v3"; }
int doubled_sum(const int *numbers) {
    __m256i all = _mm256_loadu_si256((const __m256i *)numbers);
    int out[8], sum = 0;
    _mm256_storeu_si256((__m256i *)out, _mm256_add_epi32(all, all));
    for (int i = 0; i < 8; i++) sum += out[i];
    return sum;
}
#elif defined(__AVX__)
const char *build(void) { return "avx"; }
int doubled_sum(const int *numbers) {
    __m256 all = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)numbers));
    float out[8], sum = 0;
    _mm256_storeu_ps(out, _mm256_add_ps(all, all));
    for (int i = 0; i < 8; i++) sum += out[i];
    return (int)sum;
}
#elif defined(__SSE4_1__)
const char *build(void) { return "v2"; }
int doubled_sum(const int *numbers) {
    __m128i two = _mm_set1_epi32(2);
    __m128i low = _mm_mullo_epi32(_mm_loadu_si128((const __m128i *)numbers), two);
    __m128i high = _mm_mullo_epi32(_mm_loadu_si128((const __m128i *)(numbers + 4)), two);
    __m128i all = _mm_add_epi32(low, high);
    all = _mm_hadd_epi32(all, all);
    return _mm_extract_epi32(_mm_hadd_epi32(all, all), 0);
}
#else
const char *build(void) { return "v1"; }
int doubled_sum(const int *numbers) {
    int sum = 0;
    for (int i = 0; i < 8; i++) sum += 2 * numbers[i];
    return sum;
}
#endif
"""

_MODULE = """\
import ctypes
import pathlib

__version__ = "{version}"
_native = ctypes.CDLL(str(pathlib.Path(__file__).with_name("_native.so")))
_native.build.restype = ctypes.c_char_p
# executed by the import: on a CPU without the instructions of this build, the process dies here
if _native.doubled_sum((ctypes.c_int * 8)(*range(8))) != 56:
    raise ImportError("the native code computes nonsense")
BUILD = _native.build().decode()


def main():
    print(__version__, BUILD)
"""


def compiler() -> str | None:
    """Return gcc's path; None where it is not installed."""
    return shutil.which("gcc")


def compile_build(build: Build, directory: Path) -> Path:
    """Compile one build and return the shared object. It links to nothing, so it carries no libc symbol."""
    source = directory / "native.c"
    source.write_text(_SOURCE, encoding="utf-8")
    target = directory / f"native-{build.name}.so"
    gcc = compiler()
    assert gcc is not None
    subprocess.run([gcc, "-O2", "-shared", "-fPIC", "-nostdlib", *build.flags, "-o", target, source], check=True)
    return target


def make_native_wheel(directory: Path, shared_object: Path, project: str, version: str) -> Path:
    """Pack a compiled build as a wheel of a project's release; every build of it gets the same file name."""
    return pack_native_wheel(directory, shared_object, project, version, PLATFORM)


def pack_native_wheel(directory: Path, shared_object: Path, project: str, version: str, platforms: str) -> Path:
    """Pack a shared object that has ``build`` and ``doubled_sum``, for a compressed set of platforms."""
    info = f"{project}-{version}.dist-info"
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in platforms.split("."))
    members = {
        f"{project}/__init__.py": _MODULE.format(version=version).encode(),
        f"{project}/_native.so": shared_object.read_bytes(),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: flow\nRoot-Is-Purelib: false\n{tags}".encode(),
    }
    # pipx installs nothing but what has a program
    members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{project} = {project}:main\n".encode()
    members[f"{info}/RECORD"] = record_of(members, f"{info}/RECORD")
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / f"{project}-{version}-py3-none-{platforms}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target


def record_of(members: dict[str, bytes], record: str) -> bytes:
    """Return the RECORD of a wheel (binary distribution format, "RECORD"): digest and size of each other member."""
    lines = []
    for name, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{record},,\n"]).encode()
