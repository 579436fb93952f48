"""ELF: the System V gABI ("ELF Header", "Program Header", "Sections", "Dynamic Section"), 64-bit little-endian.

What the loader looks at are segments; sections are only a linker's notes. They are believed about where code lies only
as far as they agree with the segments.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.image import CodeRange, Entry, Functions, Image

from .elf_parts import (
    DT_INIT,
    DT_INIT_ARRAY,
    DT_INIT_ARRAYSZ,
    DT_NEEDED,
    DT_RELA,
    DT_RELASZ,
    DT_STRSZ,
    DT_STRTAB,
    PT_GNU_EH_FRAME,
    PT_GNU_PROPERTY,
    PT_LOAD,
    PT_NOTE,
    SHF_ALLOC,
    SHF_EXECINSTR,
    SHT_NOBITS,
    Section,
    Segment,
    offset_of,
    read_dynamic,
    read_sections,
    read_segments,
    value_of,
)
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

_RELATIVE = {"x86_64": 8, "aarch64": 1027}
_MOST_NOTES = 64
_MOST_NEEDED = 10_000
_MOST_INITIALISERS = 1 << 16

_RELOCATION = np.dtype([("offset", "<u8"), ("info", "<u8"), ("addend", "<i8")])


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
    segments = read_segments(reader)
    sections = read_sections(reader)
    symbols = read_symbols(reader, segments, sections)
    frame = next((one for one in segments if one.type == PT_GNU_EH_FRAME), None)
    section = next((one for one in sections if one.name == ".eh_frame"), None)
    sources = [unwind_functions(reader, frame, section, segments), symbols.functions()]
    dynamic = read_dynamic(reader, segments)
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


def _code(
    reader: Reader, segments: list[Segment], sections: list[Section], claims: npt.NDArray[np.int64]
) -> list[CodeRange]:
    executable = [
        CodeRange(name="an executable segment", offset=one.offset, size=one.size, address=one.address)
        for one in segments
        if one.type == PT_LOAD and one.flags & 1 and one.size
    ]
    filled = [one for one in sections if one.flags & SHF_ALLOC and one.type != SHT_NOBITS and one.size]
    code, others = (
        [
            CodeRange(name=one.name or "an executable section", offset=one.offset, size=one.size, address=one.address)
            for one in filled
            if bool(one.flags & SHF_EXECINSTR) is instructions
        ]
        for instructions in (True, False)
    )
    if not executable and reader.number(16, 2, "the ELF header") == 1:
        return code  # an object file, which has no segments
    return executable_ranges(reader, executable, code, others, claims)


def _needed(reader: Reader, segments: list[Segment], dynamic: npt.NDArray[np.void]) -> tuple[str, ...]:
    strings = offset_of(segments, value_of(dynamic, DT_STRTAB))
    if strings is None:
        return ()
    end = min(len(reader), strings + value_of(dynamic, DT_STRSZ))
    offsets = dynamic["value"][dynamic["tag"] == DT_NEEDED][:_MOST_NEEDED]
    return tuple(name for offset in offsets if (name := reader.text(strings + int(offset), end)))


def _entries(
    reader: Reader, arch: str, segments: list[Segment], dynamic: npt.NDArray[np.void], symbols: Symbols
) -> tuple[Entry, ...]:
    found = [Entry(name=name, address=address) for name, address in symbols.module_inits()]
    if (start := reader.number(24, 8, "the ELF header")) != 0:
        found.append(Entry(name="the entry point", address=start))
    if (init := value_of(dynamic, DT_INIT)) != 0:
        found.append(Entry(name=".init", address=init))
    array, size = value_of(dynamic, DT_INIT_ARRAY), value_of(dynamic, DT_INIT_ARRAYSZ)
    targets = set()
    offset = offset_of(segments, array)
    if offset is not None and reader.holds(offset, size):
        count = min(size // 8, _MOST_INITIALISERS)
        targets |= set(reader.table(offset, count, np.dtype([("at", "<u8")]), ".init_array")["at"].tolist())
    relocations, length = offset_of(segments, value_of(dynamic, DT_RELA)), value_of(dynamic, DT_RELASZ)
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
