"""The parts of an ELF file that its readers share: System V gABI, "Program Header", "Sections", "Dynamic Section"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .reader import Reader

PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
PT_GNU_EH_FRAME, PT_GNU_PROPERTY = 0x6474E550, 0x6474E553
DT_NEEDED, DT_STRTAB, DT_RELA, DT_RELASZ, DT_STRSZ, DT_INIT = 1, 5, 7, 8, 10, 12
DT_INIT_ARRAY, DT_INIT_ARRAYSZ = 25, 27
SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS = 2, 4, 8
_MOST_SECTIONS = 1 << 16
_MOST_SEGMENTS = 512
_SECTION_NAME = 64
"""Bytes of a section's name that are read: all may share one string, each as long as the file."""

_SEGMENT = np.dtype(
    [("type", "<u4"), ("flags", "<u4"), ("offset", "<u8"), ("address", "<u8"), ("physical", "<u8"),
     ("file_size", "<u8"), ("memory_size", "<u8"), ("align", "<u8")]
)  # fmt: skip
_SECTION = np.dtype(
    [("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8"), ("size", "<u8"),
     ("link", "<u4"), ("info", "<u4"), ("align", "<u8"), ("entry_size", "<u8")]
)  # fmt: skip
_DYNAMIC = np.dtype([("tag", "<i8"), ("value", "<u8")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A program header."""

    type: int
    flags: int
    offset: int
    address: int
    size: int
    """Bytes in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section header; ``name`` is read when it is wanted."""

    name: str
    type: int
    flags: int
    address: int
    offset: int
    size: int
    link: int


def read_segments(reader: Reader) -> list[Segment]:
    """Return the program headers of the kinds that are looked at.

    :raises UnreadableLibrary: one of the loaded ones does not lie in the file, or there are too many
    """
    offset = reader.number(32, 8, "the ELF header")
    size, count = reader.number(54, 2, "the ELF header"), reader.number(56, 2, "the ELF header")
    if count and size != _SEGMENT.itemsize:
        raise reader.fail(f"program headers of {size} bytes")
    rows = reader.table(offset, count, _SEGMENT, "the program header table").tolist()
    found = [
        Segment(type=row[0], flags=row[1], offset=row[2], address=row[3], size=row[5])
        for row in rows
        if row[0] in (PT_LOAD, PT_DYNAMIC, PT_NOTE, PT_GNU_EH_FRAME, PT_GNU_PROPERTY)
    ]
    if len(found) > _MOST_SEGMENTS:
        raise reader.fail(f"{len(found)} segments, and at most {_MOST_SEGMENTS} are read")
    for one in found:
        if one.type == PT_LOAD and not reader.holds(one.offset, one.size):
            raise reader.fail("a segment ends outside the file")
    return found


def read_sections(reader: Reader) -> list[Section]:
    """Return the section headers; none where the table is not there or not whole, as after ``strip`` and worse."""
    offset, size = reader.number(40, 8, "the ELF header"), reader.number(58, 2, "the ELF header")
    count, names = reader.number(60, 2, "the ELF header"), reader.number(62, 2, "the ELF header")
    if not offset or size != _SECTION.itemsize or not reader.holds(offset, size):
        return []
    first = reader.table(offset, 1, _SECTION, "the section table")[0]
    count = count or int(first["size"])
    names = int(first["link"]) if names == 0xFFFF else names
    if not 0 < count <= _MOST_SECTIONS or not reader.holds(offset, count * size):
        return []
    rows = reader.table(offset, count, _SECTION, "the section table").tolist()
    strings = rows[names][4] if names < count else len(reader)
    return [
        Section(
            name=reader.text(strings + row[0], strings + row[0] + _SECTION_NAME) if row[2] & SHF_ALLOC else "",
            type=row[1],
            flags=row[2],
            address=row[3],
            offset=row[4],
            size=row[5],
            link=row[6],
        )
        for row in rows
    ]


def offset_of(segments: Sequence[Segment], address: int) -> int | None:
    """Return where in the file an address lies, or None."""
    for one in segments:
        if one.type == PT_LOAD and one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    return None


def read_dynamic(reader: Reader, segments: Sequence[Segment]) -> npt.NDArray[np.void]:
    """Return the dynamic section's rows of ``tag`` and ``value``, up to the one that ends it."""
    # the loader takes the last one, and where it is mapped, whatever its offset says
    segment = next((one for one in reversed(segments) if one.type == PT_DYNAMIC), None)
    if segment is None:
        return np.zeros(0, _DYNAMIC)
    mapped = offset_of(segments, segment.address)
    offset = segment.offset if mapped is None else mapped
    table = reader.table(offset, segment.size // 16, _DYNAMIC, "the dynamic section")
    ends = np.flatnonzero(table["tag"] == 0)
    return table[: int(ends[0])] if len(ends) else table


def value_of(dynamic: npt.NDArray[np.void], tag: int) -> int:
    """Return the first value of a tag, 0 for none."""
    found = dynamic["value"][dynamic["tag"] == tag]
    return int(found[0]) if len(found) else 0
