"""ELF: the System V gABI ("ELF Header", "Program Header", "Sections", "Dynamic Section"), 64-bit little-endian.

What the loader looks at are segments; sections are only a linker's notes. They are believed about where code lies only
as far as they agree with the segments.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.image import CodeRange, Entry, Functions, Image

from .elf_symbols import Symbols, read_symbols
from .elf_unwind import unwind_functions
from .executable import executable_ranges
from .functions import merged
from .reader import Reader, sound_ranges

MACHINES = {
    3: "i686", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "armv7l", 62: "x86_64", 183: "aarch64", 243: "riscv64",
    258: "loongarch64",
}  # fmt: skip
"""``e_machine`` by the names of :mod:`cpufit_resolver.features`."""

PT_LOAD, PT_DYNAMIC, PT_NOTE = 1, 2, 4
PT_GNU_EH_FRAME, PT_GNU_PROPERTY = 0x6474E550, 0x6474E553
DT_NEEDED, DT_STRTAB, DT_RELA, DT_RELASZ, DT_STRSZ, DT_INIT = 1, 5, 7, 8, 10, 12
DT_INIT_ARRAY, DT_INIT_ARRAYSZ = 25, 27
_SHF_ALLOC, _SHF_EXECINSTR, _SHT_NOBITS = 2, 4, 8
_RELATIVE = {"x86_64": 8, "aarch64": 1027}
_MOST_SECTIONS = 1 << 16
_MOST_SEGMENTS = 512
_SECTION_NAME = 64
"""Bytes of a section's name that are read: all may share one string, each as long as the file."""
_MOST_NOTES = 64
_MOST_NEEDED = 10_000
_MOST_INITIALISERS = 1 << 16

_SEGMENT = np.dtype(
    [("type", "<u4"), ("flags", "<u4"), ("offset", "<u8"), ("address", "<u8"), ("physical", "<u8"),
     ("file_size", "<u8"), ("memory_size", "<u8"), ("align", "<u8")]
)  # fmt: skip
_SECTION = np.dtype(
    [("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8"), ("size", "<u8"),
     ("link", "<u4"), ("info", "<u4"), ("align", "<u8"), ("entry_size", "<u8")]
)  # fmt: skip
_DYNAMIC = np.dtype([("tag", "<i8"), ("value", "<u8")])
_RELOCATION = np.dtype([("offset", "<u8"), ("info", "<u8"), ("addend", "<i8")])


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


def read_elf(reader: Reader) -> Image:
    """Return the image in an ELF file.

    :raises UnreadableLibrary: it breaks a rule of the format
    """
    head = reader.piece(0, 52, "the ELF header").tobytes()
    little = head[5] == 1
    machine = int.from_bytes(head[18:20], "little" if little else "big")
    arch = MACHINES.get(machine)
    if arch is None:
        raise reader.fail(f"ELF machine {machine} is not known")
    if arch == "ppc64" and little:
        arch = "ppc64le"
    if head[4] != 2 or not little or arch not in _RELATIVE:
        return _not_decoded(reader, arch)
    segments = _segments(reader)
    sections = _sections(reader)
    symbols = read_symbols(reader, segments, sections)
    frame = next((one for one in segments if one.type == PT_GNU_EH_FRAME), None)
    section = next((one for one in sections if one.name == ".eh_frame"), None)
    sources = [unwind_functions(reader, frame, section, segments), symbols.functions()]
    dynamic = _dynamic(reader, segments)
    entries = _entries(reader, arch, segments, dynamic, symbols)
    claims = np.concatenate([*(one.starts for one in sources), np.array([one.address for one in entries], np.int64)])
    code = sound_ranges(reader, _code(reader, segments, sections, claims))
    return Image(
        kind="elf",
        arch=arch,
        data=reader.data,
        code=code,
        functions=merged(code, sources),
        imports=symbols.imports(),
        exports=symbols.exports(),
        needed=_needed(reader, segments, dynamic),
        entries=entries,
        isa_needed=_isa_needed(reader, segments) if arch == "x86_64" else None,
        name_at=symbols.name_at,
        exported_functions=symbols.exported_functions,
        resolved=symbols.resolved(),
    )


def _not_decoded(reader: Reader, arch: str) -> Image:
    empty = np.zeros(0, np.int64)
    functions = Functions(starts=empty, ends=empty, weak=np.zeros(0, np.bool_))
    return Image(
        kind="elf", arch=arch, data=reader.data, code=(), functions=functions, imports=frozenset(), exports=frozenset(),
        needed=(), entries=(),
    )  # fmt: skip


def _segments(reader: Reader) -> list[Segment]:
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


def _sections(reader: Reader) -> list[Section]:
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
            name=reader.text(strings + row[0], strings + row[0] + _SECTION_NAME) if row[2] & _SHF_ALLOC else "",
            type=row[1],
            flags=row[2],
            address=row[3],
            offset=row[4],
            size=row[5],
            link=row[6],
        )
        for row in rows
    ]


def _code(
    reader: Reader, segments: list[Segment], sections: list[Section], claims: npt.NDArray[np.int64]
) -> list[CodeRange]:
    executable = [
        CodeRange(name="an executable segment", offset=one.offset, size=one.size, address=one.address)
        for one in segments
        if one.type == PT_LOAD and one.flags & 1 and one.size
    ]
    filled = [one for one in sections if one.flags & _SHF_ALLOC and one.type != _SHT_NOBITS and one.size]
    code, others = (
        [
            CodeRange(name=one.name or "an executable section", offset=one.offset, size=one.size, address=one.address)
            for one in filled
            if bool(one.flags & _SHF_EXECINSTR) is instructions
        ]
        for instructions in (True, False)
    )
    if not executable and reader.number(16, 2, "the ELF header") == 1:
        return code  # an object file, which has no segments
    return executable_ranges(reader, executable, code, others, claims)


def offset_of(segments: list[Segment], address: int) -> int | None:
    """Return where in the file an address lies, or None."""
    for one in segments:
        if one.type == PT_LOAD and one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    return None


def _dynamic(reader: Reader, segments: list[Segment]) -> npt.NDArray[np.void]:
    # the loader takes the last one, and where it is mapped, whatever its offset says
    segment = next((one for one in reversed(segments) if one.type == PT_DYNAMIC), None)
    if segment is None:
        return np.zeros(0, _DYNAMIC)
    mapped = offset_of(segments, segment.address)
    offset = segment.offset if mapped is None else mapped
    table = reader.table(offset, segment.size // 16, _DYNAMIC, "the dynamic section")
    ends = np.flatnonzero(table["tag"] == 0)
    return table[: int(ends[0])] if len(ends) else table


def _value(dynamic: npt.NDArray[np.void], tag: int) -> int:
    found = dynamic["value"][dynamic["tag"] == tag]
    return int(found[0]) if len(found) else 0


def _needed(reader: Reader, segments: list[Segment], dynamic: npt.NDArray[np.void]) -> tuple[str, ...]:
    strings = offset_of(segments, _value(dynamic, DT_STRTAB))
    if strings is None:
        return ()
    end = min(len(reader), strings + _value(dynamic, DT_STRSZ))
    offsets = dynamic["value"][dynamic["tag"] == DT_NEEDED][:_MOST_NEEDED]
    return tuple(name for offset in offsets if (name := reader.text(strings + int(offset), end)))


def _entries(
    reader: Reader, arch: str, segments: list[Segment], dynamic: npt.NDArray[np.void], symbols: Symbols
) -> tuple[Entry, ...]:
    found = [Entry(name=name, address=address) for name, address in symbols.module_inits()]
    if (start := reader.number(24, 8, "the ELF header")) != 0:
        found.append(Entry(name="the entry point", address=start))
    if (init := _value(dynamic, DT_INIT)) != 0:
        found.append(Entry(name=".init", address=init))
    array, size = _value(dynamic, DT_INIT_ARRAY), _value(dynamic, DT_INIT_ARRAYSZ)
    targets = set()
    offset = offset_of(segments, array)
    if offset is not None and reader.holds(offset, size):
        count = min(size // 8, _MOST_INITIALISERS)
        targets |= set(reader.table(offset, count, np.dtype([("at", "<u8")]), ".init_array")["at"].tolist())
    relocations, length = offset_of(segments, _value(dynamic, DT_RELA)), _value(dynamic, DT_RELASZ)
    if relocations is not None and reader.holds(relocations, length):
        rows = reader.table(relocations, length // 24, _RELOCATION, "the relocations")
        inside = (rows["offset"] >= array) & (rows["offset"] - array < size)
        relative = rows["info"] & np.uint64(0xFFFFFFFF) == _RELATIVE[arch]
        targets |= set(rows["addend"][inside & relative][:_MOST_INITIALISERS].tolist())
    found += [Entry(name=".init_array", address=one) for one in sorted(targets)]
    return tuple(one for one in found if 0 < one.address < 1 << 62)


def _isa_needed(reader: Reader, segments: list[Segment]) -> str | None:
    """Return the level that the note demands: x86-64 psABI, "Program Property", GNU_PROPERTY_X86_ISA_1_NEEDED."""
    noted = [one for one in segments if one.type in (PT_NOTE, PT_GNU_PROPERTY) and reader.holds(one.offset, one.size)]
    for one in noted[:_MOST_NOTES]:
        notes = reader.data[one.offset : one.offset + min(one.size, 1 << 16)].tobytes()
        position = 0
        while position + 12 <= len(notes):
            words = (notes[position + k : position + k + 4] for k in (0, 4, 8))
            name_size, size, kind = (int.from_bytes(word, "little") for word in words)
            body = position + 12 + (name_size + 3 & ~3)
            if kind == 5 and notes[position + 12 : position + 16] == b"GNU\0":
                level = _level_of(notes[body : body + size])
                if level is not None:
                    return level
            position = body + (size + 7 & ~7)
    return None


def _level_of(properties: bytes) -> str | None:
    position = 0
    while position + 8 <= len(properties):
        kind = int.from_bytes(properties[position : position + 4], "little")
        size = int.from_bytes(properties[position + 4 : position + 8], "little")
        if kind == 0xC0008002 and size == 4:
            bits = int.from_bytes(properties[position + 8 : position + 12], "little") & 0xF
            return f"x86_64_v{bits.bit_length()}" if bits else None
        position += 8 + (size + 7 & ~7)
    return None
