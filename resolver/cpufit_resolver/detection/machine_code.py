"""CPUID and XGETBV, executed: for where no library tells what the CPU has.

The bytes are made by functions of values; running them is apart, because each system has its own way to memory that
may be executed, and its own reasons to refuse it.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any, Sequence, Tuple

from . import tables
from .evidence import CpuidLeaf

Query = Tuple[int, int]
"""Leaf and subleaf: what CPUID finds in EAX and ECX."""

QUERIES: Sequence[Query] = (
    (0x0, 0),
    (0x80000000, 0),
    *tables.GLIBC_INDEX,
    (0x80000002, 0),
    (0x80000003, 0),
    (0x80000004, 0),
)

_MEM_COMMIT_AND_RESERVE, _MEM_RELEASE, _PAGE_READWRITE, _PAGE_EXECUTE_READ = 0x3000, 0x8000, 0x04, 0x20
"""Windows, ``winnt.h``."""


def cpuid_code(queries: Sequence[Query], address: int, pointer_bits: int) -> bytes:
    """Return a function that writes EAX, EBX, ECX and EDX of each query to an address, one after the other.

    It keeps what its caller may rely on: RBX in both x86-64 calling conventions, EBX and EDI in the 32-bit one.
    """
    wide = pointer_bits == 64
    code = b"\x53\x49\xb8" + struct.pack("<Q", address) if wide else b"\x53\x57\xbf" + struct.pack("<I", address)
    # each stores one register where R8, or EDI, points, plus an offset
    stores = (b"\x41\x89\x80", b"\x41\x89\x98", b"\x41\x89\x88", b"\x41\x89\x90") if wide else (
        b"\x89\x87", b"\x89\x9f", b"\x89\x8f", b"\x89\x97"
    )  # fmt: skip  # the two sets below each other
    for number, (leaf, subleaf) in enumerate(queries):
        code += b"\xb8" + struct.pack("<I", leaf) + b"\xb9" + struct.pack("<I", subleaf) + b"\x0f\xa2"
        for index, store in enumerate(stores):
            code += store + struct.pack("<I", 16 * number + 4 * index)
    return code + (b"\x5b\xc3" if wide else b"\x5f\x5b\xc3")


def xgetbv_code(address: int, pointer_bits: int) -> bytes:
    """Return a function that writes the low half of XCR0 to an address; it may be called where OSXSAVE is set."""
    if pointer_bits == 64:  # mov r8, address; xor ecx, ecx; xgetbv; mov [r8], eax; ret
        return b"\x49\xb8" + struct.pack("<Q", address) + b"\x31\xc9\x0f\x01\xd0\x41\x89\x00\xc3"
    # push edi; mov edi, address; xor ecx, ecx; xgetbv; mov [edi], eax; pop edi; ret
    return b"\x57\xbf" + struct.pack("<I", address) + b"\x31\xc9\x0f\x01\xd0\x89\x07\x5f\xc3"


def execute_cpuid() -> tuple[tuple[CpuidLeaf, ...], int]:
    """Return what the CPUID instruction gives, and XCR0; empty and 0 where this process may execute no own code."""
    bits = struct.calcsize("P") * 8
    registers = (ctypes.c_uint32 * (4 * len(QUERIES)))()
    if not _run(cpuid_code(QUERIES, ctypes.addressof(registers), bits)):
        return (), 0
    leaves = tuple(
        CpuidLeaf(leaf, subleaf, (registers[at], registers[at + 1], registers[at + 2], registers[at + 3]))
        for at, (leaf, subleaf) in zip(range(0, len(registers), 4), QUERIES)
    )
    low = ctypes.c_uint32()
    features = next(row for row in leaves if row.leaf == 1)
    if features.cpuid[tables.ECX] & tables.OSXSAVE:
        _run(xgetbv_code(ctypes.addressof(low), bits))
    return leaves, low.value


def _run(code: bytes) -> bool:
    try:
        if os.name == "nt":
            # by name: type checkers elsewhere lack it
            run_on_windows(code, getattr(ctypes, "WinDLL")("kernel32"))  # noqa: B009
        else:
            _run_on_posix(code)
    except Exception:  # noqa: BLE001  # a hardened system forbids it in many ways, and none is an error here
        return False
    return True


def _run_on_posix(code: bytes) -> None:
    import mmap  # noqa: PLC0415  # only where there is no better source

    readable_writable_executable = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, mmap.PAGESIZE, flags=private, prot=readable_writable_executable) as page:
        page.write(code)
        start = ctypes.c_char.from_buffer(page)
        ctypes.CFUNCTYPE(None)(ctypes.addressof(start))()
        del start  # a page that something points into cannot be given back


def run_on_windows(code: bytes, kernel32: Any) -> None:
    """Run a function from memory of its own, which is never writable and executable at once.

    :param kernel32: the library, whose functions are those of ``memoryapi.h``
    :raises OSError: the system gives no such memory (Arbitrary Code Guard and the like)
    """
    kernel32.VirtualAlloc.restype = ctypes.c_void_p
    kernel32.VirtualAlloc.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, ctypes.c_uint32)
    pointer_to_word = ctypes.POINTER(ctypes.c_uint32)
    kernel32.VirtualProtect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32, pointer_to_word)
    kernel32.VirtualFree.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint32)
    start = kernel32.VirtualAlloc(None, len(code), _MEM_COMMIT_AND_RESERVE, _PAGE_READWRITE)
    if not start:
        raise OSError("VirtualAlloc gives no memory")
    try:
        ctypes.memmove(start, code, len(code))
        before = ctypes.c_uint32()
        # x86 keeps instructions and data coherent: nothing need be flushed
        if not kernel32.VirtualProtect(start, len(code), _PAGE_EXECUTE_READ, ctypes.byref(before)):
            raise OSError("VirtualProtect lets no memory be executed")
        ctypes.CFUNCTYPE(None)(start)()
    finally:
        kernel32.VirtualFree(start, 0, _MEM_RELEASE)
