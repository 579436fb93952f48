"""PE: Microsoft's "PE Format" ("COFF File Header", "Optional Header", "Section Table", "The .pdata Section").

Addresses are relative to the image base (RVAs).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.image import CodeRange, Entry, Functions, Image

from .functions import NOTHING, Found, merged
from .reader import Reader, sound_ranges

MACHINES = {0x14C: "i686", 0x8664: "x86_64", 0xAA64: "aarch64", 0xA641: "aarch64", 0xA64E: "aarch64", 0x1C4: "armv7l"}
"""``Machine``; the two between are ARM64EC and ARM64X, whose own code is arm64."""

_EXPORT, _IMPORT, _EXCEPTION, _DELAY_IMPORT = 0, 1, 3, 13
_EXECUTABLE = 0x2000_0000
_PAGE, _SECTOR = 0x1000, 0x200
_MOST_SECTIONS = 96
_MOST_IMPORTS = 4_096
_MOST_NAMES = 200_000
_COFF_SYMBOL = np.dtype(
    [("name", "V8"), ("value", "<u4"), ("section", "<i2"), ("type", "<u2"), ("class", "u1"), ("more", "u1")]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    name: str
    address: int
    memory_size: int
    offset: int
    size: int
    executable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    reader: Reader
    sections: tuple[_Section, ...]
    directories: tuple[tuple[int, int], ...]
    thunk_size: int

    def text(self, address: int) -> str:
        """Return the string at an RVA."""
        offset = self.offset(address)
        return "" if offset is None else self.reader.text(offset)

    def texts(self, addresses: Iterable[int]) -> Iterator[str]:
        """Yield the strings at many.

        :raises UnreadableLibrary: there is more of them than any library has
        """
        offsets = (self.offset(address) for address in addresses)
        return self.reader.texts(len(self.reader) if offset is None else offset for offset in offsets)

    def offset(self, address: int) -> int | None:
        """Return where in the file an RVA lies."""
        for one in self.sections:
            if one.address <= address < one.address + one.size:
                return address - one.address + one.offset
        return None

    def directory(self, number: int) -> tuple[int, int] | None:
        """Return file offset and size of a data directory, where it lies whole in the file."""
        if number >= len(self.directories):
            return None
        address, size = self.directories[number]
        offset = self.offset(address) if address and size else None
        return (offset, size) if offset is not None and self.reader.holds(offset, size) else None


def read_pe(reader: Reader) -> Image:
    """Return the image in a PE file.

    :raises UnreadableLibrary: it breaks a rule of the format
    """
    start = reader.number(0x3C, 4, "the MS-DOS header")
    if reader.piece(start, 24, "the PE header")[:4].tobytes() != b"PE\0\0":
        raise reader.fail("there is no PE signature")
    machine = reader.number(start + 4, 2, "the PE header")
    arch = MACHINES.get(machine)
    if arch is None:
        raise reader.fail(f"PE machine {machine:#x} is not known")
    optional, optional_size = start + 24, reader.number(start + 20, 2, "the PE header")
    magic = reader.number(optional, 2, "the optional header")
    if magic not in (0x10B, 0x20B):
        raise reader.fail(f"optional header of kind {magic:#x}")
    wide = magic == 0x20B
    layout = _Layout(
        reader=reader,
        sections=_sections(reader, start),
        directories=_directories(reader, optional + (108 if wide else 92), optional + optional_size),
        thunk_size=8 if wide else 4,
    )
    code = sound_ranges(
        reader,
        [
            CodeRange(
                name=one.name, offset=one.offset, size=min(one.size, one.memory_size or one.size), address=one.address
            )
            for one in layout.sections
            if one.executable and one.size
        ],
    )
    exports = _exports(layout)
    functions = merged(code, [_exception_table(layout, arch), _coff_symbols(layout, start)])
    needed, imports = _imports(layout)
    entries = [Entry(name=name, address=address) for name, address in exports.items() if name.startswith("PyInit_")]
    if (entry := reader.number(optional + 16, 4, "the optional header")) != 0:
        entries.append(Entry(name="DllMain", address=entry))
    named = {address: name for name, address in sorted(exports.items(), reverse=True)}
    return Image(
        kind="pe",
        arch=arch,
        data=reader.data,
        code=code,
        functions=functions,
        imports=frozenset(imports),
        exports=frozenset(exports),
        needed=tuple(needed),
        entries=tuple(entries),
        name_at=lambda address: _export_at(named, functions, address),
        exported_functions=lambda: dict(named),
    )


def _sections(reader: Reader, start: int) -> tuple[_Section, ...]:
    """Return the section table of the PE header at ``start``, as the loader of Windows reads it."""
    count = reader.number(start + 6, 2, "the PE header")
    offset = start + 24 + reader.number(start + 20, 2, "the PE header")
    if count > _MOST_SECTIONS:
        raise reader.fail(f"{count} sections, and the loader takes {_MOST_SECTIONS}")
    # below the size of a page it maps the file as it is, all of it executable; else from whole sectors
    flat = reader.number(start + 24 + 32, 4, "the optional header") < _PAGE
    found = []
    for k in range(count):
        row = reader.piece(offset + 40 * k, 40, "the section table").tobytes()
        numbers = [int.from_bytes(row[at : at + 4], "little") for at in (8, 12, 16, 20, 36)]
        memory_size, address, size, begin, flags = numbers
        begin = begin if flat else begin & ~(_SECTOR - 1)
        if not reader.holds(begin, size):
            raise reader.fail("a section ends outside the file")
        name = row[:8].rstrip(b"\0").decode("ascii", "backslashreplace")
        found.append(
            _Section(
                name=name, address=address, memory_size=memory_size, offset=begin, size=size,
                executable=flat or bool(flags & _EXECUTABLE),
            )
        )  # fmt: skip
    return tuple(found)


def _directories(reader: Reader, offset: int, end: int) -> tuple[tuple[int, int], ...]:
    count = min(reader.number(offset, 4, "the optional header"), 16, max(0, end - offset - 4) // 8)
    rows = reader.piece(offset + 4, 8 * count, "the data directories").tobytes()
    return tuple(
        (int.from_bytes(rows[8 * k : 8 * k + 4], "little"), int.from_bytes(rows[8 * k + 4 : 8 * k + 8], "little"))
        for k in range(count)
    )


def _exception_table(layout: _Layout, arch: str) -> Found:
    found = layout.directory(_EXCEPTION)
    if found is None:
        return NOTHING
    offset, size = found
    if arch == "x86_64":
        rows = layout.reader.table(
            offset, size // 12, np.dtype([("start", "<u4"), ("end", "<u4"), ("unwind", "<u4")]), ".pdata"
        )
        starts, ends = rows["start"].astype(np.int64), rows["end"].astype(np.int64)
        right = ends > starts
        return Found(starts=starts[right], ends=ends[right])
    if arch != "aarch64":
        return NOTHING
    # Microsoft, "ARM64 exception handling": packed entries tell the length, the others begin a record that does
    rows = layout.reader.table(offset, size // 8, np.dtype([("start", "<u4"), ("data", "<u4")]), ".pdata")
    starts, data = rows["start"].astype(np.int64), rows["data"].astype(np.int64)
    packed = data & 3 != 0
    ends = np.where(packed, starts + 4 * (data >> 2 & 0x7FF), starts)
    return Found(starts=starts, ends=ends)


def _coff_symbols(layout: _Layout, start: int) -> Found:
    """MinGW leaves the object files' symbols in; they tell where functions begin."""
    reader = layout.reader
    offset, count = reader.number(start + 8, 4, "the PE header"), reader.number(start + 12, 4, "the PE header")
    if not offset or not reader.holds(offset, count * 18):
        return NOTHING
    rows = reader.table(offset, count, _COFF_SYMBOL, "the COFF symbols")
    # type 0x20 is a function; what an auxiliary record holds there is taken for one now and then
    functions = rows[(rows["type"] == 0x20) & (rows["section"] > 0) & (rows["section"] <= len(layout.sections))]
    bases = np.array([0, *(one.address for one in layout.sections)], np.int64)
    starts = np.unique(bases[functions["section"].astype(np.int64)] + functions["value"].astype(np.int64))
    return Found(starts=starts, ends=starts)


def _imports(layout: _Layout) -> tuple[list[str], set[str]]:
    needed: list[str] = []
    addresses: list[int] = []
    left = _MOST_NAMES
    for directory, size, name_at, thunks_at in ((_IMPORT, 20, 12, 0), (_DELAY_IMPORT, 32, 4, 16)):
        found = layout.directory(directory)
        if found is None:
            continue
        for k in range(min(found[1] // size, _MOST_IMPORTS)):
            row = layout.reader.data[found[0] + k * size : found[0] + (k + 1) * size].tobytes()
            library = layout.text(int.from_bytes(row[name_at : name_at + 4], "little"))
            if not any(row) or not library:
                break
            needed.append(library)
            thunks = int.from_bytes(row[thunks_at : thunks_at + 4], "little")
            table = _thunks(layout, thunks or int.from_bytes(row[16:20], "little"), left)
            left -= len(table)  # many tables may be the end of one
            by_name = table[table >> np.uint64(layout.thunk_size * 8 - 1) == 0]  # else by ordinal
            addresses += ((by_name & np.uint64(0x7FFF_FFFF)).astype(np.int64) + 2).tolist()
    return needed, set(layout.texts(addresses))


def _thunks(layout: _Layout, address: int, most: int) -> npt.NDArray[np.uint64]:
    """Return the thunks from an RVA on, up to the zero that ends them."""
    offset = layout.offset(address)
    size = layout.thunk_size
    if offset is None:
        return np.zeros(0, np.uint64)
    count = min(most, (len(layout.reader) - offset) // size)
    rows = layout.reader.table(offset, count, np.dtype([("thunk", f"<u{size}")]), "the import table")["thunk"]
    ends = np.flatnonzero(rows == 0)
    return rows[: int(ends[0]) if len(ends) else None].astype(np.uint64)


def _exports(layout: _Layout) -> dict[str, int]:
    found = layout.directory(_EXPORT)
    if found is None or found[1] < 40:
        return {}
    row = layout.reader.data[found[0] : found[0] + 40].tobytes()
    functions, count, table, names, ordinals = (
        int.from_bytes(row[at : at + 4], "little") for at in (20, 24, 28, 32, 36)
    )
    reader = layout.reader
    table_at, names_at, ordinals_at = (layout.offset(address) for address in (table, names, ordinals))
    if table_at is None or names_at is None or ordinals_at is None:
        return {}
    count = min(count, _MOST_NAMES)
    if not (reader.holds(names_at, 4 * count) and reader.holds(ordinals_at, 2 * count)):
        return {}
    named = reader.table(names_at, count, np.dtype([("at", "<u4")]), "the export table")["at"].tolist()
    ordinal = reader.table(ordinals_at, count, np.dtype([("at", "<u2")]), "the export table")["at"].tolist()
    result = {}
    for name, k in zip(layout.texts(named), ordinal, strict=True):
        if k < functions and reader.holds(table_at + 4 * k, 4):
            result[name] = reader.number(table_at + 4 * k, 4, "the export table")
    return result


def _export_at(named: Mapping[int, str], functions: Functions, address: int) -> str | None:
    index = int(np.searchsorted(functions.starts, address, side="right")) - 1
    if index < 0 or address >= functions.ends[index]:
        return None
    return named.get(int(functions.starts[index]))
