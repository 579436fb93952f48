"""What only a C library tells, asked through ctypes: glibc's leaf, the auxiliary vector, sysctl, Windows."""

from __future__ import annotations

import ctypes
import sys
from typing import Iterable

from . import tables
from .evidence import CpuidLeaf, Registers


class _GlibcLeaf(ctypes.Structure):
    # glibc <bits/platform/x86.h>, struct cpuid_feature
    _fields_ = (("cpuid", ctypes.c_uint32 * 4), ("active", ctypes.c_uint32 * 4))


def _registers(array: ctypes.Array[ctypes.c_uint32]) -> Registers:
    return (array[0], array[1], array[2], array[3])


def glibc_leaves() -> tuple[CpuidLeaf, ...]:
    """Return what glibc knows of an x86 CPU; empty before glibc 2.33 and on any other C library."""
    try:
        read = ctypes.CDLL("libc.so.6")["__x86_get_cpuid_feature_leaf"]
    except (OSError, AttributeError):
        return ()
    read.restype = ctypes.POINTER(_GlibcLeaf)
    read.argtypes = [ctypes.c_uint]
    leaves = []
    for (leaf, subleaf), index in tables.GLIBC_INDEX.items():
        found = read(index)
        if found:
            both = found.contents
            leaves.append(CpuidLeaf(leaf, subleaf, _registers(both.cpuid), _registers(both.active)))
    # glibc reads no leaf 1 of a vendor that it does not know: then it has not looked at the CPU
    return tuple(leaves) if any(row.leaf == 1 and row.cpuid[tables.EDX] for row in leaves) else ()


def auxiliary_values(*entries: int) -> tuple[int, ...]:
    """Return entries of the auxiliary vector (``getauxval(3)``); 0 for each that is not there."""
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except (OSError, AttributeError):
        return tuple(0 for _ in entries)
    getauxval.restype = ctypes.c_ulong
    getauxval.argtypes = [ctypes.c_ulong]
    return tuple(getauxval(entry) for entry in entries)


def sysctls(names: Iterable[str]) -> dict[str, str]:
    """Return those of some macOS ``sysctl`` values that are there."""
    try:
        by_name = ctypes.CDLL(None).sysctlbyname
    except (OSError, AttributeError):
        return {}
    values = {}
    for name in names:
        size = ctypes.c_size_t(4096)
        buffer = ctypes.create_string_buffer(size.value)
        if by_name(name.encode(), buffer, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
            continue
        raw = buffer.raw[: size.value]
        # texts end with a NUL; hw.optional values are integers of 4 or 8 bytes
        is_text = name.startswith("machdep.")
        values[name] = (
            raw.split(b"\0")[0].decode("utf-8", "replace") if is_text else str(int.from_bytes(raw, sys.byteorder))
        )
    return values


def windows_answers(codes: Iterable[int]) -> dict[int, bool] | None:
    """Return what ``IsProcessorFeaturePresent`` says to each code; None where there is no such function."""
    library: type[ctypes.CDLL] | None = getattr(ctypes, "WinDLL", None)  # by name: type checkers elsewhere lack it
    if library is None:
        return None
    present = library("kernel32").IsProcessorFeaturePresent
    return {code: bool(present(code)) for code in codes}
