"""What there is to import in a wheel, and what qemu's trace tells; the lines are as qemu 7.2 writes them."""

from __future__ import annotations

import pytest

from cpufit_wheelhouse.probe.modules import MAX_MODULES, extension_module, importable_modules, installed_members
from cpufit_wheelhouse.probe.trace import TraceReader, read_trace

TRACE = """\
77 openat(AT_FDCWD,"/probe/site/pkg/_core.so",O_RDONLY|O_CLOEXEC) = 3
77 mmap(NULL,16432,PROT_READ,MAP_PRIVATE|MAP_DENYWRITE,3,0) = 0x0000004002a00000
77 mmap(0x0000004002a01000,4096,PROT_READ|PROT_EXEC,MAP_PRIVATE|MAP_DENYWRITE|MAP_FIXED,3,0x1000) = 0x0000004002a01000
77 close(3) = 0
77 openat(AT_FDCWD,"/usr/lib/python3.11/x.py",O_RDONLY) = 3
torn 77 mmap(li
--- SIGILL {si_signo=SIGILL, si_code=2, si_addr = 0x0000004002a01119} ---
--- SIGILL {si_signo=SIGILL, si_code=0} ---
"""


@pytest.mark.parametrize(
    ("members", "modules"),
    [
        (["pkg/__init__.py", "pkg/a.py", "pkg-1.dist-info/RECORD"], ("pkg",)),
        (["one.py", "_two.cpython-311-x86_64-linux-gnu.so", "three.abi3.so"], ("one", "_two", "three")),
        (["google/protobuf/__init__.py"], ("google.protobuf",)),
        (["pkg/__init__.py", "tests/__init__.py", "docs/conf.py"], ("pkg",)),
        (["pkg-1.data/scripts/tool"], ()),
    ],
)
def test_what_can_be_imported(members: list[str], modules: tuple[str, ...]) -> None:
    assert set(importable_modules(members)) == set(modules)


def test_not_more_than_some() -> None:
    assert len(importable_modules([f"m{k}.py" for k in range(50)])) == MAX_MODULES


@pytest.mark.parametrize(
    ("member", "module"),
    [
        ("lxml/etree.cpython-311-x86_64-linux-gnu.so", "lxml.etree"),
        ("pkg/_x.abi3.so", "pkg._x"),
        ("pkg/libplain.so", None),
        ("pkg.libs/libz-1.so.1", None),
        ("a-b/x.abi3.so", None),
    ],
)
def test_extension_modules_are_told_from_plain_libraries(member: str, module: str | None) -> None:
    assert extension_module(member) == module


def test_a_trace_tells_what_was_mapped_and_where_it_died() -> None:
    trace = read_trace(TRACE)
    assert trace.libraries == ("/probe/site/pkg/_core.so",)
    assert trace.signal == "SIGILL"
    assert trace.address == 0x4002A01119
    assert trace.at(trace.address) == ("/probe/site/pkg/_core.so", 0x1119)
    assert trace.at(0x10) is None


def test_a_torn_trace_tells_nothing() -> None:
    assert read_trace("\0\0 77 mmap(\n--- SIG").libraries == ()


def test_what_lies_in_a_data_folder_is_installed_beside_the_rest() -> None:
    members = ["pkg/__init__.py", "pkg-1.data/platlib/pkg/_core.so", "pkg-1.data/scripts/tool", "a.data/platlib/one.py"]
    installed = installed_members(members)
    assert installed["pkg/_core.so"] == "pkg-1.data/platlib/pkg/_core.so"
    assert installed["pkg-1.data/scripts/tool"] == "pkg-1.data/scripts/tool"
    assert set(importable_modules(installed)) == {"pkg", "one"}


def test_a_trace_is_read_in_pieces_of_any_size() -> None:
    whole = read_trace(TRACE)
    for size in (1, 7, 64):
        reader = TraceReader()
        for place in range(0, len(TRACE), size):
            reader.feed(TRACE[place : place + size].encode())
        assert reader.trace() == whole


@pytest.mark.parametrize(
    "line",
    [
        "77 mmap(NULL,%s,PROT_READ|PROT_EXEC,MAP_PRIVATE,3,0) = 0x0000004002a00000" % ("9" * 5000),
        '77 openat(AT_FDCWD,"/x.so",O_RDONLY) = %s' % ("9" * 5000),
        "--- SIGILL {si_signo=SIGILL, si_addr = 0x%s} ---" % ("f" * 5000),
        "77 close(%s" % ("x" * (1 << 20)),
    ],
)
def test_a_forged_trace_does_no_harm(line: str) -> None:
    reader = TraceReader()
    reader.feed(TRACE.encode() + line.encode() + b"\n" + b"y" * (1 << 20))
    trace = reader.trace()
    assert trace.libraries == ("/probe/site/pkg/_core.so",)
    assert len(reader._rest) <= 1 << 16


def test_mappings_without_number_are_not_kept() -> None:
    reader = TraceReader()
    opened = '1 openat(AT_FDCWD,"/x.so",O_RDONLY) = 3\n'
    mapped = "1 mmap(NULL,4096,PROT_EXEC,MAP_PRIVATE,3,0) = 0x1000\n"
    reader.feed((opened + mapped * 100_000).encode())
    assert len(reader.trace().mappings) <= 1 << 16


def test_code_from_elsewhere_is_told() -> None:
    lines = [
        '1 openat(AT_FDCWD,"/tmp/copied.so",O_RDONLY) = 3',
        "1 mmap(NULL,4096,PROT_READ|PROT_EXEC,MAP_PRIVATE,3,0) = 0x1000",
        '1 openat(AT_FDCWD,"relative.so",O_RDONLY) = 4',
        "1 mmap(NULL,4096,PROT_READ|PROT_EXEC,MAP_PRIVATE,4,0) = 0x2000",
        "1 mmap(NULL,4096,PROT_READ|PROT_EXEC,MAP_PRIVATE,9,0) = 0x3000",
        '1 openat(AT_FDCWD,"/usr/lib/libc.so.6",O_RDONLY) = 5',
        "1 mmap(NULL,4096,PROT_READ|PROT_EXEC,MAP_PRIVATE,5,0) = 0x4000",
        "1 mmap(NULL,4096,PROT_READ|PROT_EXEC,MAP_PRIVATE|MAP_ANONYMOUS,-1,0) = 0x5000",
    ]
    trace = read_trace("\n".join(lines))
    assert trace.elsewhere(["/usr", "/probe/site"]) == ("/tmp/copied.so", "relative.so", "a file without a name")


def test_descriptors_belong_to_their_process() -> None:
    lines = [
        '1 openat(AT_FDCWD,"/probe/site/a.so",O_RDONLY) = 3',
        '2 openat(AT_FDCWD,"/probe/site/b.so",O_RDONLY) = 3',
        "1 mmap(NULL,4096,PROT_READ|PROT_EXEC,MAP_PRIVATE,3,0) = 0x1000",
    ]
    assert read_trace("\n".join(lines)).libraries == ("/probe/site/a.so",)
