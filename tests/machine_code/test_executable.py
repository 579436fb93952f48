"""What counts as code is what the loader maps executable, whatever the sections say."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from tests.machine_code.made_images import BASE, CODE, elf
from tests.machine_code.made_tables import PAGE, elf_of, macho_of, macho_segment, pe_of

from cpufit_wheelhouse.machine_code.containers import read_images
from cpufit_wheelhouse.machine_code.image import Image

TEXT = (CODE + b"\xcc" * 7) * 16
INSTRUCTIONS = 0x8000_0400


def read(data: bytes) -> Image:
    (image,) = read_images(np.frombuffer(data, np.uint8), "made.so")
    return image


def ranges(data: bytes) -> list[tuple[str, int, int, int]]:
    return [(one.name, one.offset, one.size, one.address) for one in read(data).code]


def text_header(data: bytearray) -> int:
    """Return where the header of ``.text``, the second one, stands in a made ELF file."""
    return int(struct.unpack_from("<Q", data, 40)[0]) + 64


def test_sections_that_agree_with_the_segments_are_believed() -> None:
    assert ranges(elf()) == [(".text", BASE, len(CODE), BASE)]


def test_a_code_section_that_says_it_is_none_is_found_by_the_functions_in_it() -> None:
    data = bytearray(elf())
    struct.pack_into("<Q", data, text_header(data) + 8, 2)
    (found,) = ranges(bytes(data))
    assert found[0] == "an executable segment"
    assert found[1] + found[2] >= BASE + len(CODE)


def test_a_section_that_stands_elsewhere_than_its_segment_is_not_believed() -> None:
    data = bytearray(elf())
    struct.pack_into("<Q", data, text_header(data) + 24, 0x40)
    assert [name for name, *_ in ranges(bytes(data))] == ["an executable segment"]


def _shortened(size: int) -> bytes:
    data = bytearray(elf(TEXT, symbol=b"nothing"))
    struct.pack_into("<Q", data, text_header(data) + 32, size)
    return bytes(data)


def test_what_a_segment_has_behind_its_sections_is_code_too() -> None:
    assert ("code of no section", BASE + 16, len(TEXT) - 16, BASE + 16) in ranges(_shortened(16))


def test_padding_between_sections_is_not() -> None:
    body = b"\xc3".ljust(0x400, b"\x90") + b"\xc3"
    sections = [(0,) * 7, (0, 1, 6, PAGE, PAGE, 1, 0), (0, 1, 6, PAGE + 0x400, PAGE + 0x400, 1, 0)]
    made = elf_of([(1, 5, PAGE, PAGE, len(body))], sections, body)
    assert [size for _, _, size, _ in ranges(made)] == [1, 1]


def test_a_segment_that_can_be_written_and_run_is_code() -> None:
    made = elf_of([(1, 7, PAGE, PAGE, len(TEXT))], [], TEXT)
    assert ranges(made) == [("an executable segment", PAGE, len(TEXT), PAGE)]


def test_the_dynamic_section_is_where_it_is_mapped() -> None:
    """What the loader reads is at the address of the last one; its offset is for other tools."""
    strings = b"\0libtrue.so\0libfalse.so\0".ljust(64, b"\0")

    def table(name: int) -> bytes:
        return struct.pack("<qQqQqQqQ", 5, PAGE, 10, 64, 1, name, 0, 0)

    body = strings + table(1) + table(12)
    true, false, size = PAGE + 64, PAGE + 128, 64
    segments = [(1, 5, 0, 0, PAGE + len(body)), (2, 6, true, false, size), (2, 6, false, true, size)]
    assert read(elf_of(segments, [], body)).needed == ("libtrue.so",)


@pytest.mark.parametrize(("flags", "code"), [(0x60000020, True), (0xE0000080, True), (0x40000040, False)])
def test_a_section_of_a_pe_file_is_code_where_it_can_be_run(flags: int, code: bool) -> None:
    made = pe_of({}, [(PAGE, len(TEXT), PAGE, len(TEXT), flags)], TEXT)
    assert bool(ranges(made)) is code


def test_windows_reads_a_section_from_a_whole_sector_on() -> None:
    made = pe_of({}, [(PAGE, len(TEXT), PAGE + 0x1FF, len(TEXT), 0x60000020)], TEXT.ljust(0x400, b"\0"))
    assert ranges(made) == [(".made", PAGE, len(TEXT), PAGE)]


def test_with_less_than_a_page_between_sections_windows_lets_all_of_them_run() -> None:
    made = pe_of({}, [(PAGE, len(TEXT), PAGE, len(TEXT), 0x40000040)], TEXT, alignment=0x10)
    assert ranges(made) == [(".made", PAGE, len(TEXT), PAGE)]


def _bundle(offset: int, flags: int, *more: bytes) -> bytes:
    segment = macho_segment(0, 0, PAGE + 2 * len(TEXT), [(PAGE, offset, 2 * len(TEXT), flags)])
    return macho_of([segment, *more], TEXT + TEXT)


def test_sections_of_a_mach_o_file_are_believed_where_they_agree_with_its_segments() -> None:
    size = 2 * len(TEXT)
    assert ranges(_bundle(PAGE, INSTRUCTIONS)) == [("__made", PAGE, size, PAGE)]
    elsewhere = ranges(_bundle(PAGE + 16, INSTRUCTIONS))
    hidden = ranges(_bundle(PAGE, 0))
    assert elsewhere == hidden == [("an executable segment", 0, PAGE + size, 0)]


def test_function_starts_outside_every_code_section_give_the_sections_the_lie() -> None:
    rows = [(PAGE, PAGE, len(TEXT), INSTRUCTIONS), (PAGE + len(TEXT), PAGE + len(TEXT), len(TEXT), 0)]
    starts = b"\x80\x22\0"  # 0x1100, the beginning of the second
    assert PAGE + len(TEXT) == 0x1100
    segment = macho_segment(0, 0, PAGE + 2 * len(TEXT), rows)
    honest = macho_of([segment], TEXT + TEXT)
    command = struct.pack("<IIII", 0x26, 16, PAGE + 2 * len(TEXT), len(starts))
    lying = macho_of([segment, command], TEXT + TEXT + starts)
    assert [name for name, *_ in ranges(honest)] == ["__made"]
    assert [name for name, *_ in ranges(lying)] == ["an executable segment"]


def test_initialisers_told_as_offsets_are_entries() -> None:
    rows = [(PAGE, PAGE, len(TEXT), INSTRUCTIONS), (PAGE + len(TEXT), PAGE + len(TEXT), 4, 0x16)]
    body = TEXT + struct.pack("<I", PAGE)
    made = macho_of([macho_segment(0, 0, PAGE + len(body), rows)], body)
    assert [(one.name, one.address) for one in read(made).entries] == [("an initialiser", PAGE)]
