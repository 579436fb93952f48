"""Reading numbers and tables out of bytes that nobody can trust."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.image import Bytes, CodeRange

MAX_NAME = 4096
"""The longest symbol name read, in bytes."""
MAX_NAMES = 1 << 28
"""How many characters the names of one table may have together: many names can be the end of one long string."""
MAX_RANGES = 1024
"""The most code ranges of one image: whoever looks for the range of an address looks at each."""
_MOST_NAMES_ARE_SHORTER = 128


@dataclass(frozen=True, slots=True)
class Reader:
    """Bytes of which each piece is checked before it is looked at. All numbers are Python's, which do not overflow."""

    data: Bytes
    where: str
    order: str = "<"

    def __len__(self) -> int:
        return len(self.data)

    def fail(self, message: str) -> UnreadableLibrary:
        """Return the error to raise."""
        return UnreadableLibrary(message, where=self.where)

    def holds(self, offset: int, size: int) -> bool:
        """Tell whether a piece lies inside."""
        return offset >= 0 and size >= 0 and offset + size <= len(self.data)

    def piece(self, offset: int, size: int, what: str) -> Bytes:
        """Return a view of some bytes.

        :raises UnreadableLibrary: they do not lie inside
        """
        if not self.holds(offset, size):
            raise self.fail(f"{what} ends outside the file")
        return self.data[offset : offset + size]

    def number(self, offset: int, size: int, what: str) -> int:
        """Return an unsigned number of that many bytes."""
        order = "little" if self.order == "<" else "big"
        return int.from_bytes(self.piece(offset, size, what).tobytes(), "little" if order == "little" else "big")

    def table(self, offset: int, count: int, dtype: np.dtype[np.void], what: str) -> npt.NDArray[np.void]:
        """Return a table of records, as a view where it can be."""
        return np.frombuffer(self.piece(offset, count * dtype.itemsize, what), dtype=dtype)

    def text(self, offset: int, end: int | None = None) -> str:
        """Return the string at an offset, up to its zero byte; what is no UTF-8 is escaped, what is outside empty."""
        stop = min(len(self.data) if end is None else end, offset + MAX_NAME)
        if not 0 <= offset < stop:
            return ""
        raw, zero, _ = self.data[offset : min(stop, offset + _MOST_NAMES_ARE_SHORTER)].tobytes().partition(b"\0")
        if not zero:
            raw = self.data[offset:stop].tobytes().partition(b"\0")[0]
        return raw.decode("utf-8", "backslashreplace")

    def texts(self, offsets: Iterable[int], end: int | None = None) -> Iterator[str]:
        """Yield the strings at many offsets.

        :raises UnreadableLibrary: together they are longer than :data:`MAX_NAMES`
        """
        size = 0
        for offset in offsets:
            text = self.text(offset, end)
            size += len(text)
            if size > MAX_NAMES:
                raise self.fail(f"its names have more than {MAX_NAMES} characters")
            yield text

    def u32_at(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the unsigned 32-bit little-endian numbers at many offsets, all of which lie inside."""
        result = np.zeros(len(offsets), np.int64)
        for k in range(4):
            result |= self.data[offsets + k].astype(np.int64) << (8 * k)
        return result

    def s32_at(self, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the signed ones."""
        return (self.u32_at(offsets) ^ (1 << 31)) - (1 << 31)


def sound_ranges(reader: Reader, ranges: list[CodeRange]) -> tuple[CodeRange, ...]:
    """Return code ranges by address, after checking that they lie inside and do not overlap.

    :raises UnreadableLibrary: they do not, or are too many, which no linker writes
    """
    if len(ranges) > MAX_RANGES:
        raise reader.fail(f"{len(ranges)} code sections, and at most {MAX_RANGES} are read")
    ordered = sorted(ranges, key=lambda one: one.address)
    for one in ordered:
        if not reader.holds(one.offset, one.size) or one.address + one.size > 1 << 62:
            raise reader.fail(f"{one.name} ends outside the file")
    for before, after in pairwise(ordered):
        if before.address + before.size > after.address:
            raise reader.fail(f"{before.name} and {after.name} overlap in memory")
    by_offset = sorted(ordered, key=lambda one: one.offset)
    for before, after in pairwise(by_offset):
        if before.offset + before.size > after.offset:
            raise reader.fail(f"{before.name} and {after.name} overlap in the file")
    return tuple(ordered)
