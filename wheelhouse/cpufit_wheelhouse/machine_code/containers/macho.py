"""Mach-O and universal binaries: Apple's ``mach-o/loader.h``, ``mach-o/fat.h`` and ``mach-o/nlist.h``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.image import CodeRange, Entry, Functions, Image

from .executable import executable_ranges
from .functions import NOTHING, Found, merged
from .reader import MAX_RANGES, Reader, sound_ranges

CPU_TYPES = {7: "i686", 12: "armv7l", 18: "ppc", 0x0100_0007: "x86_64", 0x0100_000C: "aarch64", 0x0100_0012: "ppc64"}
_X86_64_HASWELL = 8
_THIN_64 = b"\xcf\xfa\xed\xfe"
_FAT = {b"\xca\xfe\xba\xbe": 4, b"\xca\xfe\xba\xbf": 8}

_LC_SEGMENT_64, _LC_SYMTAB, _LC_FUNCTION_STARTS, _LC_MAIN = 0x19, 0x2, 0x26, 0x80000028
_LC_LOAD = {0xC, 0x80000018, 0x8000001F, 0x80000023}
_MOST_PARTS = 43
"""As :func:`cpufit_wheelhouse.native.native_kind` takes: more would be a Java class file."""
_MOST_COMMANDS = 4_096
_MOST_INITIALISERS = 1 << 16
_MOST_STARTS = 1 << 23
"""Bytes of ``LC_FUNCTION_STARTS``, of which a function has one or two."""
_MOST_SECTIONS = 255
_INSTRUCTIONS = 0x8000_0400
"""S_ATTR_PURE_INSTRUCTIONS and S_ATTR_SOME_INSTRUCTIONS."""
_INITIALISERS, _INITIALISER_OFFSETS, _ZERO_FILLED = 9, 0x16, {1, 0xC, 0x12}
"""Types of sections: S_MOD_INIT_FUNC_POINTERS, S_INIT_FUNC_OFFSETS, and those that have no bytes in the file."""
_NLIST = np.dtype([("name", "<u4"), ("type", "u1"), ("section", "u1"), ("desc", "<u2"), ("value", "<u8")])
_MOST_NAMES = 300_000


@dataclass(slots=True, kw_only=True)
class _Commands:
    """What the load commands say, gathered in one walk."""

    executable: list[CodeRange] = field(default_factory=list)
    """Segments."""
    code: list[CodeRange] = field(default_factory=list)
    others: list[CodeRange] = field(default_factory=list)
    """The other sections of executable segments."""
    sections: int = 0
    text_address: int = 0
    initialisers: list[tuple[int, int, int]] = field(default_factory=list)
    """Type of the section, its offset and its size."""
    symbols: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(0, _NLIST))
    strings: tuple[int, int] = (0, 0)
    starts: tuple[int, int] | None = None
    main: int | None = None
    needed: list[str] = field(default_factory=list)


def read_macho(reader: Reader) -> tuple[Image, ...]:
    """Return the images in a Mach-O file, one for each architecture of a universal binary.

    :raises UnreadableLibrary: it breaks a rule of the format
    """
    magic = reader.piece(0, 8, "the Mach-O header")[:4].tobytes()
    size = _FAT.get(magic)
    if size is None:
        return (_read_thin(reader),)
    count = int.from_bytes(reader.piece(4, 4, "the universal header").tobytes(), "big")
    if count > _MOST_PARTS:
        raise reader.fail(f"parts for {count} architectures")
    slices = []
    for k in range(count):
        row = reader.piece(8 + k * (20 if size == 4 else 32), 8 + 2 * size, "the universal header").tobytes()
        begin, length = (int.from_bytes(row[8 + j * size : 8 + (j + 1) * size], "big") for j in (0, 1))
        slices.append((begin, length))
    for (begin, length), (following, _) in zip(sorted(slices), sorted(slices)[1:], strict=False):
        if begin + length > following:
            raise reader.fail("parts for two architectures overlap")
    return tuple(
        _read_thin(Reader(reader.piece(begin, length, "a part for one architecture"), reader.where))
        for begin, length in slices
    )


def _read_thin(reader: Reader) -> Image:
    magic = reader.piece(0, 28, "the Mach-O header")[:4].tobytes()
    big = magic[:1] == b"\xfe"
    cpu = int.from_bytes(reader.data[4:8].tobytes(), "big" if big else "little")
    arch = CPU_TYPES.get(cpu)
    if arch is None:
        raise reader.fail(f"Mach-O CPU type {cpu:#x} is not known")
    if magic != _THIN_64 or arch not in ("x86_64", "aarch64"):
        commands = _Commands()
        code: tuple[CodeRange, ...] = ()
    else:
        commands = _walk(reader)
        code = sound_ranges(reader, _code(reader, commands))
    functions = merged(code, [_function_starts(reader, commands), _symbol_functions(commands)])
    subtype = reader.number(8, 4, "the Mach-O header") & 0xFF_FFFF
    names = _Names(reader, commands)
    return Image(
        kind="macho",
        arch=arch,
        data=reader.data,
        code=code,
        functions=functions,
        imports=names.imports(),
        exports=names.exports(),
        needed=tuple(commands.needed),
        entries=_entries(reader, commands, names),
        isa_needed="x86_64_v3" if arch == "x86_64" and subtype == _X86_64_HASWELL else None,
        name_at=lambda address: names.name_at(functions, address),
    )


def _walk(reader: Reader) -> _Commands:
    found = _Commands()
    count = reader.number(16, 4, "the Mach-O header")
    if count > _MOST_COMMANDS:
        raise reader.fail(f"{count} load commands")
    position = 32
    for _ in range(count):
        kind, size = (reader.number(position + k, 4, "a load command") for k in (0, 4))
        if size < 8:
            raise reader.fail(f"a load command of {size} bytes")
        body = reader.piece(position, size, "a load command").tobytes()
        _take(reader, found, kind, body)
        position += size
    return found


def _take(reader: Reader, found: _Commands, kind: int, body: bytes) -> None:
    def number(at: int, size: int = 4) -> int:
        return int.from_bytes(body[at : at + size], "little")

    if kind == _LC_SEGMENT_64 and len(body) >= 72:
        if body[8:24].rstrip(b"\0") == b"__TEXT":
            found.text_address = number(24, 8)
        _take_sections(reader, found, body, number(64))
    elif kind == _LC_SYMTAB and len(body) >= 24:
        offset, count, strings, size = number(8), number(12), number(16), number(20)
        if reader.holds(offset, count * _NLIST.itemsize) and reader.holds(strings, size):
            found.symbols = reader.table(offset, count, _NLIST, "the symbol table")
            found.strings = (strings, strings + size)
    elif kind == _LC_FUNCTION_STARTS and reader.holds(number(8), number(12)):
        found.starts = (number(8), number(12))
    elif kind == _LC_MAIN and len(body) >= 16:
        found.main = number(8, 8)
    elif kind in _LC_LOAD and 24 <= number(8) < len(body):
        found.needed.append(body[number(8) :].partition(b"\0")[0].decode("utf-8", "backslashreplace"))


def _take_sections(reader: Reader, found: _Commands, segment: bytes, count: int) -> None:
    found.sections += count
    if found.sections > _MOST_SECTIONS:
        raise reader.fail(f"{found.sections} sections, and a symbol can be in one of {_MOST_SECTIONS}")
    if len(segment) < 72 + 80 * count:
        raise reader.fail("a segment's sections end outside its command")
    executable = bool(int.from_bytes(segment[60:64], "little") & 4)
    offset, size = (int.from_bytes(segment[at : at + 8], "little") for at in (40, 48))
    if executable and size:
        address = int.from_bytes(segment[24:32], "little")
        found.executable.append(CodeRange(name="an executable segment", offset=offset, size=size, address=address))
    for k in range(count):
        row = segment[72 + 80 * k : 152 + 80 * k]
        address, size = (int.from_bytes(row[at : at + 8], "little") for at in (32, 40))
        offset, flags = (int.from_bytes(row[at : at + 4], "little") for at in (48, 64))
        kind = flags & 0xFF
        name = row[:16].rstrip(b"\0").decode("ascii", "backslashreplace")
        if executable and size and kind not in _ZERO_FILLED:
            listed = found.code if flags & _INSTRUCTIONS else found.others
            listed.append(CodeRange(name=name, offset=offset, size=size, address=address))
        if kind in (_INITIALISERS, _INITIALISER_OFFSETS) and reader.holds(offset, size):
            found.initialisers.append((kind, offset, size))


def _code(reader: Reader, commands: _Commands) -> list[CodeRange]:
    if len(commands.executable) > MAX_RANGES:
        raise reader.fail(f"{len(commands.executable)} executable segments")
    starts = _function_starts(reader, commands).starts
    return executable_ranges(reader, commands.executable, commands.code, commands.others, starts)


def _function_starts(reader: Reader, commands: _Commands) -> Found:
    """Decode the ULEB128 differences of ``LC_FUNCTION_STARTS``; the first is relative to ``__TEXT``."""
    if commands.starts is None:
        return NOTHING
    raw = reader.data[commands.starts[0] : sum(commands.starts)][:_MOST_STARTS]
    last = np.flatnonzero(raw < 0x80)
    if not len(last):
        return NOTHING
    begins = np.concatenate(([0], last[:-1] + 1))
    lengths = last - begins + 1
    keep = lengths <= 5
    deltas = np.zeros(len(last), np.int64)
    for k in range(5):
        longer = lengths > k
        deltas[longer] |= (raw[begins[longer] + k].astype(np.int64) & 0x7F) << (7 * k)
    deltas[~keep] = 0
    zero = np.flatnonzero(deltas == 0)  # a zero ends the list
    deltas = deltas[: int(zero[0])] if len(zero) else deltas
    starts = commands.text_address % (1 << 62) + np.cumsum(deltas)
    return Found(starts=starts, ends=starts)


def _symbol_functions(commands: _Commands) -> Found:
    rows = commands.symbols
    # defined in a section, and no debugger's note
    defined = (rows["type"] & 0xE0 == 0) & (rows["type"] & 0x0E == 0x0E) & (rows["value"] < 1 << 62)
    starts = rows["value"][defined].astype(np.int64)
    return Found(starts=starts, ends=starts, weak=(rows["desc"][defined] & 0x80) != 0)


@dataclass(frozen=True, slots=True)
class _Names:
    reader: Reader
    commands: _Commands

    def _name(self, offset: int) -> str:
        name = self.reader.text(self.commands.strings[0] + offset, self.commands.strings[1])
        return name.removeprefix("_")

    def _some(self, wanted: npt.NDArray[np.bool_]) -> frozenset[str]:
        return frozenset(self._all_names(self.commands.symbols["name"][wanted][:_MOST_NAMES]))

    def _all_names(self, offsets: npt.NDArray[np.uint32]) -> Iterator[str]:
        begin, end = self.commands.strings
        names = self.reader.texts((begin + int(offset) for offset in offsets), end)
        return (name.removeprefix("_") for name in names)

    def imports(self) -> frozenset[str]:
        """Return undefined external names."""
        return self._some((self.commands.symbols["type"] & 0xEF) == 0x01)

    def exports(self) -> frozenset[str]:
        """Return defined external names."""
        return self._some((self.commands.symbols["type"] & 0xFF) == 0x0F)

    def addresses(self, prefix: str) -> list[tuple[str, int]]:
        """Return name and address of the defined external symbols whose name begins so."""
        rows = self.commands.symbols[(self.commands.symbols["type"] & 0xFF) == 0x0F][:_MOST_NAMES]
        named = zip(self._all_names(rows["name"]), rows["value"].tolist(), strict=True)
        return sorted(pair for pair in named if pair[0].startswith(prefix))[:_MOST_INITIALISERS]

    def name_at(self, functions: Functions, address: int) -> str | None:
        """Return the name of the function that an address lies in."""
        index = int(np.searchsorted(functions.starts, address, side="right")) - 1
        if index < 0 or address >= functions.ends[index]:
            return None
        rows = self.commands.symbols
        found = rows[(rows["value"] == functions.starts[index].astype(np.uint64)) & (rows["type"] & 0xE0 == 0)]
        return (self._name(int(found[0]["name"])) or None) if len(found) else None


def _entries(reader: Reader, commands: _Commands, names: _Names) -> tuple[Entry, ...]:
    found = [Entry(name=name, address=address) for name, address in names.addresses("PyInit_")]
    if commands.main is not None:
        found.append(Entry(name="the entry point", address=commands.text_address + commands.main))
    left = _MOST_INITIALISERS
    for kind, offset, size in commands.initialisers:
        width = 8 if kind == _INITIALISERS else 4
        count = min(size // width, left)
        left -= count
        table = reader.table(offset, count, np.dtype([("at", f"<u{width}")]), "the initialisers")
        # chained fix-ups keep the target's low bits in place; offsets count from the beginning of __TEXT
        base = 0 if kind == _INITIALISERS else commands.text_address
        targets = (table["at"].astype(np.uint64) & np.uint64(0xF_FFFF_FFFF)).tolist()
        found += [Entry(name="an initialiser", address=base + one) for one in targets]
    return tuple(one for one in found if 0 <= one.address < 1 << 62)
