"""Reading an image's code for the facts: which functions count, and what between them counts besides.

Nearly every library tells the bounds of nearly all its functions. Where it does not (unwind data left out and stripped,
assembler files, MinGW) the code between them is cut into pieces that decode to their end. These count as functions

- in a library that cannot ask what the CPU has: all its code is meant to run everywhere, whoever wrote it;
- in one that tells of next to no functions, since nothing else would be measured.

In any other they do not: they are the kernels written in assembler that a dispatcher chooses from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code import aarch64, x86_64
from cpufit_wheelhouse.machine_code.bits import BITS, CPUID, ID_REGISTER, bit
from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.image import Flags, Functions, Image, Scan

WELL_COVERED = 0.98
"""From this share of the code on, what is left is alignment and constants."""
HARDLY_COVERED = 0.10
"""Below this share the functions that a file tells of say nothing about it."""
LEAST_READ = 0.02
"""Below this share of the code, recovered pieces included, a library is packed or encrypted."""
LEAST_CODE = 1 << 14
"""Bytes of code that make that share mean something."""

_QUERIES = re.compile(
    r"__cpu_model|__cpu_indicator_init|__cpu_features2|__x86_get_cpuid_feature_leaf|_*getauxval|elf_aux_info"
    r"|av_get_cpu_flags|.*cpu_?info.*|.*cpuid.*|.*cpu_?(feature|flag|cap|support|has|type|model|arch|level|detect).*"
    r"|.*(has|have|supports?|detect)_?(sse|avx|neon|sve|lse|fma|simd).*|__aarch64_have_lse_atomics",
    re.IGNORECASE,
)
"""Names by which a library asks another what the CPU has."""
_ARM_QUERIES = {"IsProcessorFeaturePresent", "sysctlbyname", "android_getCpuFeatures"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCode:
    """An image's code, read."""

    image: Image
    """With the recovered functions, where they count."""
    scan: Scan
    reliable: Flags
    dispatchers: tuple[str, ...]
    """Why it may choose its code by the CPU, as sentences."""
    coverage: float
    """Share of the code in reliable functions of which the file tells."""
    recovered: int
    """How many functions were recovered, of those that count."""
    loose: npt.NDArray[np.uint64]
    """Masks of the pieces that do not count."""


def read_code(image: Image, threads: int) -> ReadCode:
    """Scan an image, and recover functions where the file tells of too few.

    :raises UnreadableLibrary: hardly any of its code is code
    """
    architecture = x86_64 if image.arch == "x86_64" else aarch64
    scan = architecture.scan(image, threads=threads)
    reliable = scan.faults == 0
    coverage = _covered(image.functions, reliable) / scan.code_bytes if scan.code_bytes else 1.0
    dispatchers = _dispatchers(image, scan)
    nothing = np.zeros(0, np.uint64)
    if coverage >= WELL_COVERED:
        return ReadCode(
            image=image, scan=scan, reliable=reliable, dispatchers=tuple(dispatchers), coverage=coverage, recovered=0,
            loose=nothing,
        )  # fmt: skip
    pieces = architecture.recover(image, scan)
    more = replace(image, functions=_joined(image.functions, reliable, pieces))
    everything = architecture.scan(more, threads=threads)
    if not dispatchers:
        dispatchers = _dispatchers(more, everything)
    readable = everything.faults == 0
    if scan.code_bytes >= LEAST_CODE and _covered(more.functions, readable) < LEAST_READ * scan.code_bytes:
        raise UnreadableLibrary("hardly any of its code is machine code")
    loose = np.isin(more.functions.starts, pieces.starts) & readable
    if dispatchers and coverage >= HARDLY_COVERED:
        return ReadCode(
            image=image, scan=scan, reliable=reliable, dispatchers=tuple(dispatchers), coverage=coverage, recovered=0,
            loose=everything.masks[loose],
        )  # fmt: skip
    return ReadCode(
        image=more, scan=everything, reliable=readable, dispatchers=tuple(dispatchers), coverage=coverage,
        recovered=int(np.count_nonzero(loose)), loose=nothing,
    )  # fmt: skip


def _covered(functions: Functions, reliable: Flags) -> float:
    return float((functions.ends - functions.starts)[reliable].sum())


def _joined(known: Functions, reliable: Flags, pieces: Functions) -> Functions:
    starts = np.concatenate((known.starts[reliable], pieces.starts))
    order = np.argsort(starts, kind="stable")
    return Functions(
        starts=starts[order],
        ends=np.concatenate((known.ends[reliable], pieces.ends))[order],
        weak=np.concatenate((known.weak[reliable], pieces.weak))[order],
    )


def _dispatchers(image: Image, scan: Scan) -> list[str]:
    reasons = []
    mark, what = (CPUID, "CPUID") if image.arch == "x86_64" else (ID_REGISTER, "MRS of an ID register")
    asking = np.flatnonzero(scan.masks & np.uint64(bit(image.arch, mark)))
    # On Windows that may be the C runtime alone, which every library has; but what Microsoft's compiler vectorises, and
    # its standard library, choose by what the runtime found.
    if len(asking):
        name = image.name_at(int(image.functions.starts[asking[0]]))
        reasons.append(f"{what} in {name}" if name else f"{what} in {len(asking)} functions")
    elif scan.gap_counts[BITS[image.arch].index(mark)] and not scan.gap_faults:
        reasons.append(f"{what} outside known functions")
    names = sorted(name for name in image.imports if _QUERIES.fullmatch(name) or _asks_on_arm(image, name))
    if image.resolved:
        reasons.append(f"a resolver of its own chooses {image.resolved} functions (IFUNC)")
    if names:
        reasons.append(f"takes {', '.join(names[:3])} from elsewhere")
    return reasons


def _asks_on_arm(image: Image, name: str) -> bool:
    return image.arch == "aarch64" and name in _ARM_QUERIES
