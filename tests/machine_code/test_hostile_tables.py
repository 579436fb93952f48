"""Tables made to cost much, by their number or by all of them being the same bytes: read or refused, in little time."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
from tests.fuzz.feeding import feed
from tests.machine_code.made_images import CODE, MADE
from tests.machine_code.made_tables import PAGE, body_offset, elf_of, macho_of, macho_segment, pe_of, symbols_of

SECONDS = 10
"""Far more than any of these takes; what is quadratic takes minutes."""
MEMORY = 700 << 20


def _text(size: int = 0x1000) -> bytes:
    return (CODE + b"\xcc" * 7) * (size // 16)


def _a_string_that_every_symbol_ends() -> bytes:
    string = b"a" * 300_000 + b"\0"
    symbols = symbols_of([(name, 1, PAGE, 1) for name in range(250_000)])
    sections = [(0,) * 7, (0, 11, 2, 0, PAGE, len(symbols), 2), (0, 3, 2, 0, PAGE + len(symbols), len(string), 0)]
    return elf_of([(1, 5, 0, 0, PAGE)], sections, symbols + string)


def _sixty_thousand_symbol_tables() -> bytes:
    symbols = symbols_of([(1, 1, PAGE, 1)] * 10_000)
    table = (0, 11, 2, 0, PAGE, len(symbols), 2)
    strings = (0, 3, 2, 0, PAGE, len(symbols), 0)
    return elf_of([(1, 5, 0, 0, PAGE)], [(0,) * 7, table, strings, *[table] * 60_000], symbols)


def _sixty_thousand_section_names() -> bytes:
    string = b"\xff" * 1_000_000
    rows = [(k, 1, 6, PAGE + k, PAGE + k, 1, 0) for k in range(60_000)]
    sections = [(0,) * 7, (0, 3, 2, 0, PAGE, len(string), 0), *rows]
    return elf_of([(1, 5, 0, 0, PAGE + len(string))], sections, string, names=1)


def _sixty_thousand_code_sections() -> bytes:
    text = _text(60_000 * 16)
    rows = [(0, 1, 6, PAGE + 16 * k, PAGE + 16 * k, 16, 0) for k in range(60_000)]
    return elf_of([(1, 5, 0, 0, PAGE + len(text))], [(0,) * 7, *rows], text)


def _sixty_thousand_segments_and_unwind_data() -> bytes:
    begin = body_offset(60_000)
    rows = b"".join(struct.pack("<ii", 0, 0) for _ in range(200_000))
    table = struct.pack("<BBBBiI", 1, 0x1B, 3, 0x3B, 0, 200_000) + rows
    loads = [(1, 4, begin, begin + k, 64) for k in range(59_998)]
    return elf_of([(1, 5, 0, 0, PAGE), (0x6474E550, 4, begin, begin, len(table)), *loads], [], table)


def _functions_of_one_byte() -> bytes:
    count = 300_000
    text = (b"\xc3" + b"\x90" * 23) * count
    symbols = symbols_of([(0, 1, PAGE + 24 * k, 1) for k in range(count)])
    sections = [
        (0,) * 7, (0, 1, 6, PAGE, PAGE, len(text), 0), (0, 11, 2, 0, PAGE + len(text), len(symbols), 3),
        (0, 3, 2, 0, PAGE, 16, 0),
    ]  # fmt: skip
    return elf_of([(1, 5, 0, 0, PAGE + len(text))], sections, text + symbols)


def _unwind_header_at(address: int) -> bytes:
    table = struct.pack("<BBBBiIii", 1, 0x1B, 3, 0x3B, 0, 1, -1, -1)
    return elf_of([(1, 5, 0, 0, PAGE), (0x6474E550, 4, PAGE, address, len(table))], [], table.ljust(64, b"\0"))


def _initialisers_by_the_thousand() -> bytes:
    rows = [(0, PAGE, 0x8000, 9)] * 200
    segments = [macho_segment(0, 0, 0, rows, 1) for _ in range(2000)]
    size = len(macho_of(segments))
    rows = [(0, size, 0x8000, 9)] * 200
    return macho_of([macho_segment(0, 0, 0, rows, 1) for _ in range(2000)], bytes(0x8000))


def _executable_segments_by_the_thousand() -> bytes:
    return macho_of([macho_segment(PAGE * k, 0x60000 + k, 1, []) for k in range(4000)], bytes(0x10000))


def _starts_by_the_million() -> bytes:
    body = b"\x01" * 20_000_000
    command = struct.pack("<IIII", 0x26, 16, PAGE, len(body))
    return macho_of([macho_segment(0, PAGE, len(body), []), command], body)


def _imports_all_of_one_table() -> bytes:
    rows = struct.pack("<IIIII", 0x30000, 0, 0, 0x20000, 0x30000) * 4000
    body = rows.ljust(0x20000 - PAGE, b"\0") + b"a.dll".ljust(0x10000, b"\0") + struct.pack("<Q", 0x20000) * 200_000
    sections = [(PAGE, len(body), PAGE, len(body), 0x40000040)]
    return pe_of({1: (PAGE, len(rows))}, sections, body)


def _exports_that_end_one_string() -> bytes:
    count = 200_000
    names = b"".join(struct.pack("<I", 0x400000 + k) for k in range(count))
    head = struct.pack("<IIIIIIIIII", 0, 0, 0, 0, 0, 1, count, PAGE, 0x2000, 0x200000)
    body = head.ljust(PAGE, b"\0") + names.ljust(0x1FE000, b"\0") + bytes(0x200000) + b"a" * 300_000
    return pe_of({0: (PAGE, 40)}, [(PAGE, len(body), PAGE, len(body), 0x60000020)], body)


def _a_universal_binary_of_nothing() -> bytes:
    return struct.pack(">II", 0xCAFEBABE, 42) + struct.pack(">IIIII", 0x0100_0007, 3, 0, 0, 12) * 42


@pytest.mark.parametrize(
    ("make", "end"),
    [
        pytest.param(_a_string_that_every_symbol_ends, "refused", id="symbol names that end one long string"),
        pytest.param(_sixty_thousand_symbol_tables, "known", id="the same symbol table again and again"),
        pytest.param(_sixty_thousand_section_names, "refused", id="section names that end one long string"),
        pytest.param(_sixty_thousand_code_sections, "known", id="code sections"),
        pytest.param(_sixty_thousand_segments_and_unwind_data, "refused", id="segments, and unwind data to find there"),
        pytest.param(_functions_of_one_byte, "known", id="functions of one byte"),
        pytest.param(lambda: _unwind_header_at(1 << 63), "known", id="an unwind header beyond every address"),
        pytest.param(lambda: _unwind_header_at((1 << 64) - 1), "known", id="an unwind header at the last address"),
        pytest.param(_initialisers_by_the_thousand, "refused", id="tables of initialisers, all the same"),
        pytest.param(_executable_segments_by_the_thousand, "refused", id="executable segments"),
        pytest.param(_starts_by_the_million, "refused", id="function starts"),
        pytest.param(_imports_all_of_one_table, "known", id="import tables, all the same"),
        pytest.param(_exports_that_end_one_string, "refused", id="export names that end one long string"),
        pytest.param(_a_universal_binary_of_nothing, "refused", id="parts of no bytes"),
    ],
)
def test_it_costs_little(make: Callable[[], bytes], end: str) -> None:
    for name in ("elf", "elf-stripped"):
        feed(MADE[name])  # compiles the kernels
    data = make()
    began = time.monotonic()
    assert feed(data) == end
    assert time.monotonic() - began < SECONDS


def test_an_executable_segment_that_ends_outside_the_file_is_refused() -> None:
    text = _text()
    segment = macho_segment(0, 0x10_0000, PAGE, [(0, 0x10_0000, 16, 0x8000_0400)])
    assert feed(macho_of([segment], text)) == "refused"


def test_names_are_refused_before_they_fill_the_memory() -> None:
    data = _exports_that_end_one_string()
    tracemalloc.start()
    try:
        assert feed(data) == "refused"
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_every_tables_helper_makes_what_is_read() -> None:
    """The refusals above are of what is wrong in them: the same files with one of each are read."""
    text = _text()
    assert feed(elf_of([(1, 5, 0, 0, PAGE + len(text))], [], text)) == "known"
    assert feed(pe_of({}, [(PAGE, len(text), PAGE, len(text), 0x60000020)], text)) == "known"
    segment = macho_segment(0, 0, PAGE + len(text), [(PAGE, PAGE, len(text), 0x80000400)])
    assert feed(macho_of([segment], text)) == "known"
