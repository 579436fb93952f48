"""Ask this machine: I/O alone, no judgement. Every source that is missing leaves its field of the evidence empty."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from . import parse, tables
from .evidence import CpuidLeaf, HostEvidence

try:
    from . import machine_code, native
except ImportError:  # a Python built without ctypes: files alone tell
    HAS_CTYPES = False
else:
    HAS_CTYPES = True

_AT_HWCAP, _AT_HWCAP2 = 16, 26
"""Linux, ``include/uapi/linux/auxvec.h``."""

_X86_MACHINES = ("x86_64", "amd64", "i386", "i486", "i586", "i686")


def probe(*, cpuid: bool | None = None) -> HostEvidence:
    """Return what this machine shows of its CPU; costs a few milliseconds.

    :param cpuid: execute the CPUID instruction where the CPU is an x86. None: only where no better source is there.
    """
    if sys.platform == "win32":
        return _probe_windows(wanted=cpuid is not False)
    if sys.platform == "darwin":
        return _probe_macos(wanted=bool(cpuid))
    uname = os.uname()
    is_x86 = uname.machine.lower() in _X86_MACHINES
    glibc = native.glibc_leaves() if HAS_CTYPES and is_x86 else ()
    leaves, xcr0 = _cpuid(wanted=is_x86 and (cpuid if cpuid is not None else not glibc))
    hwcap, hwcap2 = native.auxiliary_values(_AT_HWCAP, _AT_HWCAP2) if HAS_CTYPES else (0, 0)
    cpuinfo, cores = _read_cpuinfo()
    return HostEvidence(
        system=uname.sysname,
        machine=uname.machine,
        pointer_bits=_pointer_bits(),
        glibc=glibc,
        cpuid=leaves,
        xcr0=xcr0,
        cpuinfo=cpuinfo,
        cores=cores,
        hwcap=hwcap,
        hwcap2=hwcap2,
        glibc_tunables=os.environ.get("GLIBC_TUNABLES", ""),
    )


def _pointer_bits() -> int:
    return struct.calcsize("P") * 8


def _cpuid(*, wanted: bool) -> tuple[tuple[CpuidLeaf, ...], int]:
    return machine_code.execute_cpuid() if wanted and HAS_CTYPES else ((), 0)


def _read_cpuinfo() -> tuple[str, tuple[str, ...]]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ()
    return parse.usable_blocks(text, _usable_cores())


def _usable_cores() -> frozenset[str] | None:
    try:
        return frozenset(map(str, os.sched_getaffinity(0)))
    except (AttributeError, OSError):  # not Linux, or a sandbox that forbids it: then every core counts
        return None


def _probe_macos(*, wanted: bool) -> HostEvidence:
    machine = os.uname().machine
    names = ["machdep.cpu.brand_string", "sysctl.proc_translated"]
    if machine == "arm64":
        names += [f"hw.optional.arm.{name}" for name in tables.MACOS_ARM]
    else:
        names += [*tables.MACOS_X86_NAMES, *tables.MACOS_X86_STATE.values()]
    leaves, xcr0 = _cpuid(wanted=wanted and machine == "x86_64")
    return HostEvidence(
        system="Darwin",
        machine=machine,
        pointer_bits=_pointer_bits(),
        cpuid=leaves,
        xcr0=xcr0,
        sysctl=(native.sysctls(names) if HAS_CTYPES else {}) or None,
    )


def _probe_windows(*, wanted: bool) -> HostEvidence:
    import sysconfig  # noqa: PLC0415  # only Windows needs it: the system's name for the machine may be the host's

    machine = {"win-amd64": "AMD64", "win-arm64": "ARM64", "win32": "x86"}.get(sysconfig.get_platform(), "")
    codes = tables.WINDOWS_ARM if machine == "ARM64" else tables.WINDOWS_X86
    leaves, xcr0 = _cpuid(wanted=wanted and machine in ("AMD64", "x86"))
    return HostEvidence(
        system="Windows",
        machine=machine,
        pointer_bits=_pointer_bits(),
        cpuid=leaves,
        xcr0=xcr0,
        windows=native.windows_answers(codes) if HAS_CTYPES else None,
    )
