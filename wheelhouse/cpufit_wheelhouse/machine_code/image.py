"""An image: one architecture's part of a native library, as the container readers found it.

Addresses are the image's own virtual addresses, offsets count from the first byte of ``data``. Whatever stands here was
checked against the file's bounds: a scanner may use it without looking again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Addresses = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_FUNCTIONS = 1 << 22
"""The most functions that one source may tell of; the largest libraries there are have one million."""

ImageKind = Literal["elf", "pe", "macho"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRange:
    """Bytes that the loader makes executable: one section, or one segment where there are no sections."""

    name: str
    """``.text``, ``__text``; for messages."""
    offset: int
    size: int
    """Bytes."""
    address: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Functions:
    """Known functions, sorted by address, none overlapping the next, each inside one code range.

    What no function covers is a gap: perhaps code without unwind data, perhaps data; nobody knows.
    """

    starts: Addresses
    ends: Addresses
    """One past the last byte."""
    weak: Flags
    """Weak or COMDAT: the linker kept one copy of many, perhaps one compiled with other flags."""

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Where running begins when the library is loaded or imported."""

    name: str
    """``PyInit_x``, ``.init_array``, ``DllMain``."""
    address: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Image:
    """One architecture's part of a native library."""

    kind: ImageKind
    arch: str
    """As :mod:`cpufit_resolver.features` names it: ``x86_64``, ``aarch64``, ``i686``, …"""
    data: Bytes
    code: tuple[CodeRange, ...]
    """Sorted by address, none overlapping the next, in address or in offset."""
    functions: Functions
    imports: frozenset[str]
    """Names of the functions and objects it takes from elsewhere, as the loader sees them (without Mach-O's ``_``)."""
    exports: frozenset[str]
    needed: tuple[str, ...]
    """File names of the libraries it asks the loader for (``DT_NEEDED``, import directory, ``LC_LOAD_DYLIB``)."""
    entries: tuple[Entry, ...]
    resolved: int = 0
    """How many of its functions the loader has chosen by a resolver of the library's own (``STT_GNU_IFUNC``)."""
    isa_needed: str | None = None
    """The level that a note of the file declares (``x86_64_v3``), or None."""
    name_at: Callable[[int], str | None] = field(default=lambda _: None)
    """The name of the function at (or containing) an address, from whatever symbols are left. Slow."""
    exported_functions: Callable[[], Mapping[int, str]] = field(default=dict)
    """The functions that others may call by name, by address; weak ones left out. Slow."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """What the instructions of an image tell; masks are of :mod:`.bits`."""

    masks: npt.NDArray[np.uint64]
    """For each of the image's functions the union of its instructions' masks."""
    faults: npt.NDArray[np.uint32]
    """For each function how many places in it could not be decoded, or ran past its end: 0 means reliable."""
    vectors: npt.NDArray[np.uint32]
    """x86-64: for each function how many vector instructions it has, whatever their encoding; else zeros."""
    counts: npt.NDArray[np.int64]
    """64 counts: in how many instructions of functions each bit is set."""
    first: npt.NDArray[np.int64]
    """64 addresses: the first instruction of a reliable function with that bit; -1 for none."""
    gap_counts: npt.NDArray[np.int64]
    """As ``counts``, over the bytes that no function covers."""
    gap_faults: int
    gap_bytes: int
    code_bytes: int
    instructions: int
    """In functions and gaps together."""
