"""The symbol tables of an ELF file: gABI, "Symbol Table"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .elf_parts import DT_STRSZ, DT_STRTAB, Section, Segment, offset_of, read_dynamic, value_of
from .functions import NOTHING, Found
from .reader import Reader

MOST_EXPORTS = 300_000
"""A library with more is no sibling that others ask; only the names of its module initialisers are kept then."""

_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)
_MOST_SYMBOLS = 1 << 24
_MOST_INITS = 10_000
_FUNCTION, _INDIRECT_FUNCTION, _GLOBAL, _WEAK, _LOCAL = 2, 10, 1, 2, 0
_SHT_SYMTAB, _SHT_DYNSYM = 2, 11
_LAST_ADDRESS = 1 << 62


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    rows: npt.NDArray[np.void]
    strings: int
    strings_end: int
    dynamic: bool

    def functions(self) -> npt.NDArray[np.bool_]:
        kind = self.rows["info"] & 15
        defined = self.rows["section"] != 0
        named: npt.NDArray[np.bool_] = (kind == _FUNCTION) | (kind == _INDIRECT_FUNCTION)
        result: npt.NDArray[np.bool_] = defined & named & (self.rows["value"] < _LAST_ADDRESS)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Symbols:
    """Both symbol tables; names are read when they are asked for."""

    reader: Reader
    tables: tuple[_Table, ...]

    def functions(self) -> Found:
        """Return the functions whose size the tables tell."""
        starts, ends, weak = [], [], []
        for table in self.tables:
            rows = table.rows[table.functions()]
            sized = (rows["size"] > 0) & (rows["size"] < _LAST_ADDRESS)
            rows = rows[sized]
            starts.append(rows["value"].astype(np.int64))
            ends.append(rows["value"].astype(np.int64) + rows["size"].astype(np.int64))
            weak.append(rows["info"] >> 4 == _WEAK)
        if not starts:
            return NOTHING
        return Found(starts=np.concatenate(starts), ends=np.concatenate(ends), weak=np.concatenate(weak))

    def imports(self) -> frozenset[str]:
        """Return the names that it takes from elsewhere."""
        names: set[str] = set()
        for table in self.tables:
            taken = (table.rows["section"] == 0) & (table.rows["name"] != 0)
            if table.dynamic:
                names.update(self._names(table, table.rows["name"][taken][:MOST_EXPORTS]))
        return frozenset(names)

    def exports(self) -> frozenset[str]:
        """Return the names that others may take from it."""
        names: set[str] = set()
        for table in self.tables:
            given = (table.rows["section"] != 0) & (table.rows["info"] >> 4 != _LOCAL)
            if table.dynamic and np.count_nonzero(given) <= MOST_EXPORTS:
                names.update(self._names(table, table.rows["name"][given]))
        return frozenset(names | {name for name, _ in self.module_inits()})

    def exported_functions(self) -> dict[int, str]:
        """Return the functions that others may call by name, by address, the weak ones left out."""
        found: dict[int, str] = {}
        for table in self.tables:
            rows = table.rows[table.functions()]
            rows = rows[rows["info"] >> 4 == _GLOBAL]
            if table.dynamic and len(rows) <= MOST_EXPORTS:
                found.update(zip(rows["value"].tolist(), self._names(table, rows["name"]), strict=False))
        return found

    def resolved(self) -> int:
        """Return how many functions it leaves to a resolver of its own (System V gABI, GNU extension STT_GNU_IFUNC)."""
        return sum(
            int(np.count_nonzero((table.rows["info"] & 15 == _INDIRECT_FUNCTION) & (table.rows["section"] != 0)))
            for table in self.tables
        )

    def module_inits(self) -> list[tuple[str, int]]:
        """Return name and address of every exported ``PyInit_…``."""
        found: dict[str, int] = {}
        prefix = np.frombuffer(b"PyInit_", np.uint8)
        for table in self.tables:
            rows = table.rows[table.functions()]
            offsets = table.strings + rows["name"].astype(np.int64)
            rows, offsets = rows[offsets + 8 < table.strings_end], offsets[offsets + 8 < table.strings_end]
            matches = np.ones(len(rows), np.bool_)
            for k, byte in enumerate(prefix):
                matches &= self.reader.data[offsets + k] == byte
            for row in rows[matches][:_MOST_INITS]:
                found.setdefault(self._name(table, int(row["name"])), int(row["value"]))
        return sorted(found.items())

    def name_at(self, address: int) -> str | None:
        """Return the name of the function that an address lies in."""
        for table in self.tables:
            rows = table.rows[table.functions()]
            size = np.maximum(rows["size"], 1)
            value = np.uint64(address)
            found = rows[(rows["value"] <= value) & (value - rows["value"] < size)]
            if len(found):
                return self._name(table, int(found[0]["name"])) or None
        return None

    def _names(self, table: _Table, offsets: npt.NDArray[np.uint32]) -> Iterator[str]:
        return self.reader.texts((table.strings + int(offset) for offset in offsets), table.strings_end)

    def _name(self, table: _Table, offset: int) -> str:
        return self.reader.text(table.strings + offset, table.strings_end)


def read_symbols(reader: Reader, segments: Sequence[Segment], sections: Sequence[Section]) -> Symbols:
    """Return the symbol tables that the section headers tell, one of a kind; one that is not whole is left out.

    Without section headers the dynamic one is found by the dynamic section and its hash table.
    """
    tables: list[_Table] = []
    wanted = [next((one for one in sections if one.type == kind), None) for kind in (_SHT_DYNSYM, _SHT_SYMTAB)]
    for one in wanted:
        if one is None or one.link >= len(sections):
            continue
        strings = sections[one.link]
        if not reader.holds(one.offset, one.size) or not reader.holds(strings.offset, strings.size):
            continue
        count = min(one.size // _SYMBOL.itemsize, _MOST_SYMBOLS)
        rows = reader.table(one.offset, count, _SYMBOL, "a symbol table")
        tables.append(_Table(rows, strings.offset, strings.offset + strings.size, one.type == _SHT_DYNSYM))
    if not any(table.dynamic for table in tables):
        tables += _by_dynamic_section(reader, segments)
    return Symbols(reader, tuple(tables))


def _by_dynamic_section(reader: Reader, segments: Sequence[Segment]) -> list[_Table]:
    dynamic = read_dynamic(reader, segments)
    symbols, strings = (offset_of(segments, value_of(dynamic, tag)) for tag in (6, DT_STRTAB))
    size = value_of(dynamic, DT_STRSZ)
    if symbols is None or strings is None or not reader.holds(strings, size):
        return []
    hashed = offset_of(segments, value_of(dynamic, 4))
    if hashed is not None and reader.holds(hashed, 8):
        count = reader.number(hashed + 4, 4, "the hash table")
    else:
        count = max(0, strings - symbols) // _SYMBOL.itemsize  # linkers put the strings directly behind
    count = min(count, _MOST_SYMBOLS)
    if not reader.holds(symbols, count * _SYMBOL.itemsize):
        return []
    return [_Table(reader.table(symbols, count, _SYMBOL, "a symbol table"), strings, strings + size, True)]
