"""CPUID and XGETBV as we make them: here, as 32-bit code on emulated CPUs, in the way that Windows wants."""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from cpufit_resolver.detection import CpuidLeaf, HostEvidence, decide, machine_code

ON_X86_LINUX = sys.platform == "linux" and os.uname().machine == "x86_64"
HASWELL_WITHOUT_SSE = "i686+abm+aes+avx+avx2+bmi1+bmi2+f16c+fma+fxsr+mmx+movbe+pclmulqdq+popcnt"
BASE, REGISTERS, XCR0 = 0x08048000, 0x0804A000, 0x0804AFF0

needs_x86_linux = pytest.mark.skipif(not ON_X86_LINUX, reason="executes x86-64 code: needs Linux on x86-64")


def program_32(functions: list[bytes]) -> bytes:
    """Return an ELF executable for Linux on i386: it calls each function and writes the page of their answers."""
    calls = b""
    body = b"".join(functions)
    written = 0x1000
    tail = b"".join(
        (
            b"\xb8\x04\0\0\0\xbb\x01\0\0\0",  # mov eax, 4 (write); mov ebx, 1
            b"\xb9" + struct.pack("<I", REGISTERS) + b"\xba" + struct.pack("<I", written),  # mov ecx, …; mov edx, …
            b"\xcd\x80\xb8\x01\0\0\0\x31\xdb\xcd\x80",  # int 0x80; mov eax, 1 (exit); xor ebx, ebx; int 0x80
        )
    )
    length_of_start = 5 * len(functions) + len(tail)
    offset = 0
    for number, function in enumerate(functions):
        calls += b"\xe8" + struct.pack("<i", length_of_start + offset - 5 * (number + 1))
        offset += len(function)
    code = calls + tail + body
    entry = BASE + 84
    size = REGISTERS + written - BASE
    header = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    header += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, entry, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    segment = struct.pack("<IIIIIIII", 1, 0, BASE, BASE, 84 + len(code), size, 7, 0x1000)
    return header + segment + code


def asked_32(model: str, folder: Path, *, with_xcr0: bool) -> tuple[tuple[CpuidLeaf, ...], int]:
    functions = [machine_code.cpuid_code(machine_code.QUERIES, REGISTERS, 32)]
    functions += [machine_code.xgetbv_code(XCR0, 32)] if with_xcr0 else []
    program = folder / "asks"
    program.write_bytes(program_32(functions))
    program.chmod(0o755)
    page = subprocess.run(["qemu-i386", "-cpu", model, program], stdout=subprocess.PIPE, check=True, timeout=60).stdout
    words = struct.unpack("<1024I", page)
    leaves = tuple(
        CpuidLeaf(leaf, subleaf, (words[at], words[at + 1], words[at + 2], words[at + 3]))
        for at, (leaf, subleaf) in zip(range(0, 1024, 4), machine_code.QUERIES, strict=False)
    )
    return leaves, words[(XCR0 - REGISTERS) // 4]


@pytest.mark.emulated
@pytest.mark.skipif(shutil.which("qemu-i386") is None, reason="qemu-i386 is not installed (Debian: qemu-user)")
@pytest.mark.parametrize(
    ("model", "with_xcr0", "token"),
    [
        ("pentium3-v1", False, "i686+fxsr+mmx+sse"),
        ("coreduo-v1", False, "i686+fxsr+mmx+sse+sse2+sse3"),
        ("Nehalem-v1", False, "i686+fxsr+mmx+popcnt+sse+sse2+sse3+sse4_1+sse4_2+ssse3"),
        (
            "Haswell-v1",
            True,
            f"{HASWELL_WITHOUT_SSE}+sse+sse2+sse3+sse4_1+sse4_2+ssse3+xsave",
        ),
    ],
)
def test_a_32_bit_process_asks_its_cpu_too(model: str, with_xcr0: bool, token: str, tmp_path: Path) -> None:
    leaves, xcr0 = asked_32(model, tmp_path, with_xcr0=with_xcr0)
    found = decide(HostEvidence(system="Linux", machine="i686", pointer_bits=32, cpuid=leaves, xcr0=xcr0))
    assert (found.profile.token, found.source) == (token, "cpuid")


class Kernel32:
    """The functions of ``memoryapi.h`` that are used, on Linux's memory."""

    class Function:
        restype: object = None
        argtypes: object = None

        def __init__(self, answer: object) -> None:
            self.answer = answer

        def __call__(self, *arguments: object) -> object:
            return self.answer(*arguments) if callable(self.answer) else self.answer

    def __init__(self, *, gives: bool = True, lets: bool = True) -> None:
        self.page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        self.protections: list[int] = []
        self.freed = 0
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.page))
        self.VirtualAlloc = self.Function(self.start if gives else None)
        self.VirtualProtect = self.Function(self.protect if lets else 0)
        self.VirtualFree = self.Function(self.free)

    def protect(self, start: int, _size: int, protection: int, _before: object) -> int:
        self.protections.append(protection)
        libc = ctypes.CDLL(None)
        return int(libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(4096), 5) == 0)  # read and execute

    def free(self, _start: int, _size: int, _how: int) -> int:
        self.freed += 1
        return 1


@needs_x86_linux
def test_windows_gives_memory_that_is_first_written_and_then_executed() -> None:
    kernel32, answer = Kernel32(), ctypes.c_uint32()
    code = (
        b"\x49\xb8" + struct.pack("<Q", ctypes.addressof(answer)) + b"\x41\xc7\x00\x2a\0\0\0\xc3"
    )  # mov dword [r8], 42
    machine_code.run_on_windows(code, kernel32)
    assert answer.value == 42
    assert (kernel32.protections, kernel32.freed) == ([0x20], 1)


@needs_x86_linux
def test_a_windows_that_gives_no_such_memory_is_an_error_and_nothing_is_lost() -> None:
    with pytest.raises(OSError, match="gives no memory"):
        machine_code.run_on_windows(b"\xc3", Kernel32(gives=False))
    hardened = Kernel32(lets=False)
    with pytest.raises(OSError, match="executed"):
        machine_code.run_on_windows(b"\xc3", hardened)
    assert hardened.freed == 1


@needs_x86_linux
def test_this_machine_answers_and_keeps_its_registers() -> None:
    once, again = machine_code.execute_cpuid(), machine_code.execute_cpuid()
    if once == ((), 0):
        pytest.skip("this system lets no process make executable memory")
    assert once == again
    assert once[0][0].cpuid[0] >= 1
