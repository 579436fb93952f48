"""Ask this machine: I/O alone, no judgement. Every source that is missing leaves its field of the evidence empty."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

from . import tables
from .evidence import CpuidLeaf, HostEvidence, Registers

_AT_HWCAP, _AT_HWCAP2 = 16, 26
"""Linux, ``include/uapi/linux/auxvec.h``."""

_CPUID_QUERIES = (
    (0x0, 0),
    (0x80000000, 0),
    *tables.GLIBC_INDEX,
    (0x80000002, 0),
    (0x80000003, 0),
    (0x80000004, 0),
)


def probe(*, cpuid: bool | None = None) -> HostEvidence:
    """Return what this machine shows of its CPU; costs a few milliseconds.

    :param cpuid: execute the CPUID instruction where the CPU is x86-64. None: only where no better source is there.
    """
    if sys.platform == "win32":
        return _probe_windows(wanted=cpuid is not False)
    if sys.platform == "darwin":
        return _probe_macos(wanted=bool(cpuid))
    uname = os.uname()
    pointer_bits = struct.calcsize("P") * 8
    is_x86 = uname.machine.lower() in ("x86_64", "amd64", "i386", "i486", "i586", "i686")
    glibc = read_glibc_leaves() if is_x86 else ()
    wanted = cpuid if cpuid is not None else not glibc
    leaves, xcr0 = execute_cpuid() if wanted and is_x86 and pointer_bits == 64 else ((), 0)
    hwcap, hwcap2 = _read_hwcaps()
    return HostEvidence(
        system=uname.sysname,
        machine=uname.machine,
        pointer_bits=pointer_bits,
        glibc=glibc,
        cpuid=leaves,
        xcr0=xcr0,
        cpuinfo=_read_cpuinfo(),
        hwcap=hwcap,
        hwcap2=hwcap2,
        glibc_tunables=os.environ.get("GLIBC_TUNABLES", ""),
    )


class _GlibcLeaf(ctypes.Structure):
    # glibc <bits/platform/x86.h>, struct cpuid_feature
    _fields_ = (("cpuid", ctypes.c_uint32 * 4), ("active", ctypes.c_uint32 * 4))


def _registers(array: ctypes.Array[ctypes.c_uint32]) -> Registers:
    return (array[0], array[1], array[2], array[3])


def read_glibc_leaves() -> tuple[CpuidLeaf, ...]:
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
    # a library that answers with zeros has not looked at the CPU
    return tuple(leaves) if any(leaf.cpuid[tables.EDX] for leaf in leaves) else ()


def execute_cpuid() -> tuple[tuple[CpuidLeaf, ...], int]:
    """Return what the CPUID instruction gives, and XCR0; empty and 0 where it cannot be executed.

    The code is ours even where py-cpuinfo makes the memory for it: py-cpuinfo's own does not keep RBX for its caller,
    as both x86-64 ABIs ask, and does not read XCR0.
    """
    registers = (ctypes.c_uint32 * (4 * len(_CPUID_QUERIES)))()
    code = b"\x53" + b"\x49\xb8" + struct.pack("<Q", ctypes.addressof(registers))  # push rbx; mov r8, address
    for number, (leaf, subleaf) in enumerate(_CPUID_QUERIES):
        code += b"\xb8" + struct.pack("<I", leaf) + b"\xb9" + struct.pack("<I", subleaf)  # mov eax, …; mov ecx, …
        code += b"\x0f\xa2"  # cpuid
        for index, operand in enumerate((0x80, 0x98, 0x88, 0x90)):  # mov [r8 + offset], eax | ebx | ecx | edx
            code += bytes((0x41, 0x89, operand)) + struct.pack("<I", 16 * number + 4 * index)
    if not _run_machine_code(code + b"\x5b\xc3"):  # pop rbx; ret
        return (), 0
    leaves = tuple(
        CpuidLeaf(leaf, subleaf, (registers[at], registers[at + 1], registers[at + 2], registers[at + 3]))
        for at, (leaf, subleaf) in zip(range(0, len(registers), 4), _CPUID_QUERIES)
    )
    features = next(row for row in leaves if row.leaf == 1)
    return leaves, _read_xcr0() if features.cpuid[tables.ECX] & tables.OSXSAVE else 0


def _read_xcr0() -> int:
    low = ctypes.c_uint32()
    # mov r8, address; xor ecx, ecx; xgetbv; mov [r8], eax; ret
    code = b"\x49\xb8" + struct.pack("<Q", ctypes.addressof(low)) + b"\x31\xc9\x0f\x01\xd0\x41\x89\x00\xc3"
    return low.value if _run_machine_code(code) else 0


def _run_machine_code(code: bytes) -> bool:
    try:
        if os.name == "posix":
            _run_in_own_page(code)
        else:
            _run_by_py_cpuinfo(code)
    except Exception:  # noqa: BLE001  # a hardened system forbids it in many ways; py-cpuinfo raises bare Exception
        return False
    return True


def _run_in_own_page(code: bytes) -> None:
    import mmap  # noqa: PLC0415  # only where there is no better source

    readable_writable_executable = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, mmap.PAGESIZE, flags=private, prot=readable_writable_executable) as page:
        page.write(code)
        start = ctypes.c_char.from_buffer(page)
        ctypes.CFUNCTYPE(None)(ctypes.addressof(start))()
        del start  # a page that something points into cannot be given back


def _run_by_py_cpuinfo(code: bytes) -> None:
    from cpuinfo.cpuinfo import ASM  # noqa: PLC0415  # 20 ms, and the selector has no py-cpuinfo

    # a whole page: on Windows py-cpuinfo copies one, whatever the length
    function = ASM(None, (), [code.ljust(4096, b"\xcc")])
    function.compile()
    function.run()
    function.free()


def _read_cpuinfo() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as stream:
            # one block of a big x86 machine is 2 KB; other architectures keep model names at the end
            return stream.read(65536).split("\n\n")[0]
    except OSError:
        return ""


def _read_hwcaps() -> tuple[int, int]:
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except (OSError, AttributeError):
        return 0, 0
    getauxval.restype = ctypes.c_ulong
    getauxval.argtypes = [ctypes.c_ulong]
    return getauxval(_AT_HWCAP), getauxval(_AT_HWCAP2)


def _probe_macos(*, wanted: bool) -> HostEvidence:
    machine = os.uname().machine
    names = ["machdep.cpu.brand_string", "sysctl.proc_translated"]
    if machine == "arm64":
        names += [f"hw.optional.arm.{name}" for name in tables.MACOS_ARM]
    else:
        names += [*tables.MACOS_X86_NAMES, *tables.MACOS_X86_STATE.values()]
    leaves, xcr0 = execute_cpuid() if wanted and machine == "x86_64" else ((), 0)
    found = _read_sysctls(names)
    return HostEvidence(
        system="Darwin",
        machine=machine,
        pointer_bits=struct.calcsize("P") * 8,
        cpuid=leaves,
        xcr0=xcr0,
        sysctl=found or None,
    )


def _read_sysctls(names: list[str]) -> dict[str, str]:
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


def _probe_windows(*, wanted: bool) -> HostEvidence:
    import sysconfig  # noqa: PLC0415  # only Windows needs it: the system's name for the machine may be the host's

    machine = {"win-amd64": "AMD64", "win-arm64": "ARM64", "win32": "x86"}.get(sysconfig.get_platform(), "")
    library: type[ctypes.CDLL] | None = getattr(ctypes, "WinDLL", None)  # by name: type checkers elsewhere lack it
    present = None if library is None else library("kernel32").IsProcessorFeaturePresent
    codes = tables.WINDOWS_ARM if machine == "ARM64" else tables.WINDOWS_X86
    leaves, xcr0 = execute_cpuid() if wanted and machine == "AMD64" else ((), 0)
    return HostEvidence(
        system="Windows",
        machine=machine,
        pointer_bits=struct.calcsize("P") * 8,
        cpuid=leaves,
        xcr0=xcr0,
        windows=None if present is None else {code: bool(present(code)) for code in codes},
    )
