"""Libraries compiled here of which it is known what they need: some ask the CPU before they use a feature, some do not.

Each is a shared object with a function ``work``; ``run.c`` loads it and calls that, on an emulated CPU.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

SOURCES = Path(__file__).parent / "controls"
GCC = {"x86_64": ("gcc", "x86_64-linux-gnu-gcc"), "aarch64": ("aarch64-linux-gnu-gcc",)}
"""Compilers by architecture; the first that is installed is taken. Debian: gcc, gcc-aarch64-linux-gnu."""
ARM64_ROOT = Path("/usr/aarch64-linux-gnu")
"""Where Debian's libc6-dev-arm64-cross puts the C library, for qemu's ``-L``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One translation unit: a source and the flags for it alone."""

    source: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One library, and the truth about it."""

    name: str
    units: tuple[Unit, ...]
    need: str
    """The token that the verdict must be."""
    runs: frozenset[str]
    """The emulated CPUs on which ``work`` ends well; on the others it dies."""
    dies: frozenset[str]
    arch: str = "x86_64"
    flags: tuple[str, ...] = field(default=())
    loads_everywhere: bool = True
    """Whether loading ends well even where ``work`` dies: then an import alone would have told nothing."""


_BASE = Unit(source="kernel.c", flags=("-march=x86-64",))
_X86 = frozenset({"qemu64,-sse3,-cx16,-svm", "Nehalem", "SandyBridge", "Haswell"})
_V3 = frozenset({"Haswell"})


def _better(*flags: str, name: str = "kernel") -> Unit:
    return _named(name, *flags)


def _guarded(feature: str, *flags: str) -> tuple[Unit, ...]:
    return (Unit(source="guarded.c", flags=(f"-DFEATURE={feature}",)), _BASE, _better(*flags, name="better_kernel"))


def _named(name: str, *flags: str) -> Unit:
    return Unit(source="kernel.c", flags=(f"-DNAME={name}", *flags))


def _many(prefix: str, *flags: str) -> Unit:
    return Unit(source="many.c", flags=(f"-DPREFIX={prefix}", *flags))


_PLAIN = Unit(source="plain.c")
_NO_UNWIND_DATA = ("-fvisibility=hidden", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-exceptions")


def _hidden(*flags: str) -> tuple[Unit, ...]:
    return (Unit(source="hidden.c", flags=(*_NO_UNWIND_DATA, *flags)),)


X86_64 = (
    Control(name="baseline", units=(_PLAIN, _BASE), need="x86_64_v1", runs=_X86, dies=frozenset()),
    Control(name="all-v3", units=(_PLAIN, _better()), flags=("-march=x86-64-v3",), need="x86_64_v3", runs=_V3,
            dies=_X86 - _V3),
    Control(name="one-unit", units=(_PLAIN, _better("-mavx2", "-mfma")), need="x86_64_v2+avx+avx2+fma", runs=_V3,
            dies=_X86 - _V3),
    Control(name="one-unit-guarded", units=_guarded("avx2", "-mavx2", "-mfma"), need="x86_64_v1", runs=_X86,
            dies=frozenset()),
    Control(name="target-clones", units=(Unit(source="clones.c"),), need="x86_64_v1", runs=_X86, dies=frozenset()),
    # as glibc's libmvec: the resolver asks by a way of its own, which no rule knows
    Control(name="ifunc", units=(Unit(source="resolver.c"), _named("kernel_plain"), _named("kernel_fast", "-mavx2")),
            need="x86_64_v1", runs=_X86, dies=frozenset()),
    Control(name="note", units=(_PLAIN, _BASE), flags=("-Wl,-z,x86-64-v3",), need="x86_64_v3", runs=_V3,
            dies=_X86 - _V3, loads_everywhere=False),
    # the emulator has no AVX-512: what is asserted is that it dies where nothing asks first
    Control(name="all-v4", units=(_PLAIN, _better()), flags=("-march=x86-64-v4", "-mprefer-vector-width=512"),
            need="x86_64_v4", runs=frozenset(), dies=_X86),
    Control(name="v4-guarded", units=_guarded("avx512f", "-march=x86-64-v4", "-mprefer-vector-width=512"),
            need="x86_64_v1", runs=_X86, dies=frozenset()),
    # a dispatcher, and beside it a file whose initialiser asks nobody: loading dies
    Control(name="initialiser", need="x86_64_v2+avx+avx2", runs=_V3, dies=_X86 - _V3, loads_everywhere=False,
            units=(*_guarded("avx2", "-mavx2", "-mfma"), Unit(source="initialiser.c", flags=("-mavx2",)))),
    # the better copy stands there and is never called: somebody else's flag would choose it
    Control(name="chosen-by-name", need="x86_64_v1", runs=_X86, dies=frozenset(),
            units=(Unit(source="chosen.c"), _named("kernel_default"), _named("kernel_avx2", "-mavx2"))),
    # own code for AVX and FMA beside another library's, which is for every CPU and chooses
    Control(name="exported", need="x86_64_v2+avx+fma", runs=_V3, dies=_X86 - _V3,
            units=(Unit(source="mixed.c"), _many("own", "-mavx", "-mfma"), _many("old", "-DHIDDEN"),
                   _many("better", "-DHIDDEN", "-mavx2", "-mfma"))),
    # the same, its own code for every CPU
    Control(name="exported-plain", need="x86_64_v1", runs=_X86, dies=frozenset(),
            units=(Unit(source="mixed.c"), _many("own"), _many("old", "-DHIDDEN"),
                   _many("better", "-DHIDDEN", "-mavx2", "-mfma"))),
    # stripped, and without unwind data: one exported function is all that the file tells of
    Control(name="hidden", units=_hidden("-march=x86-64"), need="x86_64_v1", runs=_X86, dies=frozenset()),
    Control(name="hidden-v3", units=_hidden("-mavx2", "-mfma"), need="x86_64_v2+avx+avx2+fma", runs=_V3,
            dies=_X86 - _V3),
    Control(name="hidden-guarded", units=tuple(replace(unit, flags=(*unit.flags, *_NO_UNWIND_DATA[1:])) for unit in
            _guarded("avx2", "-mavx2", "-mfma")), need="x86_64_v1", runs=_X86, dies=frozenset()),
)  # fmt: skip


def _arm(kernel: int, march: str, name: str = "kernel") -> Unit:
    return Unit(source="arm_kernel.c", flags=(f"-DKERNEL={kernel}", f"-march={march}", f"-DNAME={name}"))


def _arm_guarded(bit: int, kernel: int, march: str) -> tuple[Unit, ...]:
    guard = Unit(source="arm_guarded.c", flags=(f"-DBIT={bit}",))
    return guard, _arm(0, "armv8-a"), _arm(kernel, march, "better_kernel")


def _arm_control(name: str, units: tuple[Unit, ...], need: str, runs: frozenset[str], *flags: str) -> Control:
    return Control(name=f"arm-{name}", arch="aarch64", units=units, flags=flags, need=need, runs=runs, dies=_ARM - runs)


_ARM = frozenset({"cortex-a53", "cortex-a72", "neoverse-n1", "max"})
_N1 = frozenset({"neoverse-n1", "max"})
_SVE = frozenset({"max"})
_INLINE = "-mno-outline-atomics"

AARCH64 = (
    _arm_control("baseline", (_PLAIN, _arm(0, "armv8-a")), "aarch64_8a", _ARM),
    _arm_control("atomics", (_PLAIN, _arm(1, "armv8-a")), "aarch64_8a", _ARM, _INLINE),
    _arm_control("outline-atomics", (_PLAIN, _arm(1, "armv8-a")), "aarch64_8a", _ARM, "-moutline-atomics"),
    _arm_control("lse", (_PLAIN, _arm(1, "armv8-a+lse")), "aarch64_8a+atomics", _N1, _INLINE),
    _arm_control("lse-guarded", _arm_guarded(8, 1, "armv8-a+lse"), "aarch64_8a", _ARM, _INLINE),
    _arm_control("dotprod", (_PLAIN, _arm(2, "armv8.2-a+dotprod")), "aarch64_8a+asimddp", _N1),
    _arm_control("dotprod-guarded", _arm_guarded(20, 2, "armv8.2-a+dotprod"), "aarch64_8a", _ARM),
    _arm_control("sve", (_PLAIN, _arm(3, "armv8-a+sve")), "aarch64_8a+sve", _SVE),
    _arm_control("hidden", _hidden("-march=armv8-a"), "aarch64_8a", _ARM),
    _arm_control("hidden-sve", _hidden("-march=armv8-a+sve"), "aarch64_8a+sve", _SVE),
    _arm_control("sve-guarded", _arm_guarded(22, 3, "armv8-a+sve"), "aarch64_8a", _ARM),
)


def compiler(arch: str) -> str | None:
    """Return the compiler for an architecture; None where none is installed."""
    return next(filter(None, map(shutil.which, GCC[arch])), None)


def build(control: Control, folder: Path) -> Path:
    """Compile a control and return the shared object."""
    gcc = compiler(control.arch)
    assert gcc is not None
    objects = []
    for number, unit in enumerate(control.units):
        target = folder / f"{control.name}-{number}.o"
        flags = [*control.flags, *unit.flags]
        compile_flags = [flag for flag in flags if not flag.startswith("-Wl")]
        subprocess.run(
            [gcc, "-O3", "-ffast-math", "-fPIC", "-g0", "-c", *compile_flags, "-o", target, SOURCES / unit.source],
            check=True,
        )
        objects.append(target)
    library = folder / f"{control.name}.so"
    subprocess.run([gcc, "-shared", "-s", *control.flags, "-o", library, *objects], check=True)
    return library


def build_runner(arch: str, folder: Path) -> Path:
    """Compile the program that loads and calls."""
    gcc = compiler(arch)
    assert gcc is not None
    target = folder / f"run-{arch}"
    subprocess.run([gcc, "-O1", "-o", target, SOURCES / "run.c", "-ldl"], check=True)
    return target


def ended(runner: Path, library: Path, arch: str, model: str, *, call: bool = True) -> int:
    """Load a library on an emulated CPU, call its work, and return the exit status."""
    words = [f"qemu-{arch}", "-cpu", model]
    if arch == "aarch64":
        words += ["-L", str(ARM64_ROOT)]
    words += [str(runner), str(library), *(["call"] if call else [])]
    return subprocess.run(words, check=False, capture_output=True, timeout=120).returncode
