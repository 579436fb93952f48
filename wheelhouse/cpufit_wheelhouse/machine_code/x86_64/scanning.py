"""Scanning an x86-64 image: which functions hold which instructions, and what its entry points reach."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.bits import EVEX_VECTOR, LEGACY_VECTOR, VEX_VECTOR, X86_64_BITS, mask_of
from cpufit_wheelhouse.machine_code.gaps import uncovered
from cpufit_wheelhouse.machine_code.image import Addresses, Bytes, CodeRange, Entry, Image, Scan

from .tables import load_tables

MAX_DESCENT = 20_000_000
"""How many instructions a descent looks at before it gives up."""
_MAX_WORK = 1 << 20
_MAX_HITS = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """What direct jumps and calls reach from some entry points."""

    mask: int
    first: npt.NDArray[np.int64]
    """64 addresses: an instruction with that bit, -1 for none."""
    functions: npt.NDArray[np.uint64]
    """For each of the image's functions the union of the masks of its reached instructions, features alone."""
    instructions: int
    truncated: bool
    """Whether it gave up before the end."""


def kernels() -> Any:
    """Return the module of compiled kernels."""
    from . import kernels as compiled  # noqa: PLC0415  # numba takes a second to import: only who scans pays for it

    return compiled


def tail_of(data: Bytes) -> Bytes:
    """Return the end of some bytes with padding behind, which kernels read there."""
    padding = kernels().PADDING
    tail = np.zeros(2 * padding, np.uint8)
    part = data[-padding:]
    tail[padding - len(part) : padding] = part
    return tail


def histogram(data: Bytes, start: int, end: int) -> tuple[npt.NDArray[np.int64], int]:
    """Return how many instructions have each bit, over bytes swept from ``start`` to ``end``, and the faults met.

    :param start: an offset into ``data``
    """
    start, end = max(0, start), min(end, len(data))
    masks = load_tables().masks
    counts = np.zeros(256, np.int64)
    faults = kernels().histogram(data, start, end, tail_of(data), counts)
    return _by_bit(counts, masks), int(faults)


def scan(image: Image, threads: int = 1) -> Scan:
    """Decode every function of an image, and sweep the gaps between them.

    :param threads: how many threads may decode at the same time
    """
    masks = load_tables().masks
    starts, ends = offsets_of(image.code, image.functions.starts, image.functions.ends)
    count = len(starts)
    functions = _Functions(count)
    slices = _slices(starts, ends, threads)
    vector = mask_of("x86_64", (LEGACY_VECTOR, VEX_VECTOR, EVEX_VECTOR))
    tail = tail_of(image.data)

    def work(part: slice) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        counts, first = np.zeros(256, np.int64), np.full(256, -1, np.int64)
        kernels().scan_functions(
            image.data, tail, starts[part], ends[part], functions.masks[part], functions.faults[part],
            functions.vectors[part], counts, first, vector,
        )  # fmt: skip
        return counts, first

    kernels()
    if len(slices) == 1:
        parts = [work(slices[0])]
    else:
        with ThreadPoolExecutor(max_workers=len(slices), thread_name_prefix="decode") as pool:
            parts = list(pool.map(work, slices))
    counts = sum((part[0] for part in parts), np.zeros(256, np.int64))
    firsts = [part[1] for part in parts]
    first = np.array([next((int(one[k]) for one in firsts if one[k] >= 0), -1) for k in range(256)], np.int64)
    gap_counts, gap_faults, gap_bytes, gap_instructions = _gaps(image, tail)
    return Scan(
        masks=functions.masks,
        faults=functions.faults,
        vectors=functions.vectors,
        counts=_by_bit(counts, masks),
        first=_first_by_bit(image.code, first, masks),
        gap_counts=gap_counts,
        gap_faults=gap_faults,
        gap_bytes=gap_bytes,
        code_bytes=sum(one.size for one in image.code),
        instructions=int(counts.sum()) + gap_instructions,
    )


class _Functions:
    def __init__(self, count: int) -> None:
        self.masks = np.zeros(count, np.uint64)
        self.faults = np.zeros(count, np.uint32)
        self.vectors = np.zeros(count, np.uint32)


def descend(image: Image, entries: Iterable[Entry]) -> Descent:
    """Follow direct jumps and calls from entry points, instruction by instruction.

    Indirect ones (through a table, the procedure linkage table, a register) are not followed.
    """
    from . import following  # noqa: PLC0415  # numba, as in `kernels`

    masks = load_tables().masks
    ranges = image.code
    starts = np.array([one.offset for one in ranges], np.int64)
    sizes = np.array([one.size for one in ranges], np.int64)
    shifts = np.array([one.address - one.offset for one in ranges], np.int64)
    bases = np.concatenate(([0], np.cumsum(sizes)))[:-1].astype(np.int64) if len(ranges) else np.zeros(0, np.int64)
    offsets = _inside(ranges, np.array([entry.address for entry in entries], np.int64))[:_MAX_WORK]
    work = np.zeros(_MAX_WORK, np.int64)
    work[: len(offsets)] = offsets
    first = np.full(256, -1, np.int64)
    visited = np.zeros(int(sizes.sum()) // 8 + 1, np.uint8)
    hits, classes = np.zeros(_MAX_HITS, np.int64), np.zeros(_MAX_HITS, np.uint8)
    features = sum(1 << number for number, name in enumerate(X86_64_BITS) if not name.startswith(":"))
    met, noted = following.descend(
        image.data, tail_of(image.data), work, len(offsets), starts, starts + sizes, shifts, visited,
        bases, first, hits, classes, features, MAX_DESCENT,
    )  # fmt: skip
    functions = np.zeros(len(image.functions), np.uint64)
    if noted and len(functions):
        function_starts, function_ends = offsets_of(ranges, image.functions.starts, image.functions.ends)
        order = np.argsort(function_starts)
        owner = order[np.maximum(np.searchsorted(function_starts[order], hits[:noted], side="right") - 1, 0)]
        inside = (hits[:noted] >= function_starts[owner]) & (hits[:noted] < function_ends[owner])
        np.bitwise_or.at(functions, owner[inside], masks[classes[:noted][inside]])
    by_bit = _first_by_bit(ranges, first, masks)
    mask = sum(1 << number for number in range(len(X86_64_BITS)) if by_bit[number] >= 0)
    return Descent(
        mask=mask, first=by_bit, functions=functions, instructions=int(met), truncated=int(met) >= MAX_DESCENT
    )


def instruction_mask(data: bytes) -> tuple[int, int]:
    """Return length and mask of the instruction at the beginning of some bytes; length 0 for none.

    :param data: at least 15 bytes where there are as many
    """
    masks = load_tables().masks
    padded = np.zeros(64, np.uint8)
    padded[: min(len(data), 32)] = np.frombuffer(data[:32], np.uint8)
    found = int(kernels().decode(padded, 0))
    length = found & 0xFF
    return (length, int(masks[found >> 8])) if 0 < length <= len(data) else (0, 0)


def instruction_at(image: Image, address: int) -> str | None:
    """Return the mnemonic of the instruction at an address, in lower case; None where there is none."""
    from iced_x86 import Decoder, Mnemonic  # noqa: PLC0415  # only evidence is spelled

    offset = _offset_of(image.code, address)
    if offset is None:
        return None
    instruction = Decoder(64, image.data[offset : offset + 15].tobytes(), ip=0).decode()
    if instruction.is_invalid:
        return None
    names = _mnemonics(Mnemonic)
    return names.get(instruction.mnemonic)


@lru_cache(maxsize=1)
def _mnemonics(table: object) -> dict[int, str]:
    return {value: name.lower() for name, value in vars(table).items() if isinstance(value, int)}


def _offset_of(ranges: tuple[CodeRange, ...], address: int) -> int | None:
    for one in ranges:
        if one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    return None


def offsets_of(ranges: tuple[CodeRange, ...], starts: Addresses, ends: Addresses) -> tuple[Addresses, Addresses]:
    """Return the offsets of spans that are given by address, each inside one range."""
    if not ranges:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    addresses = np.array([one.address for one in ranges], np.int64)
    shifts = np.array([one.offset - one.address for one in ranges], np.int64)
    shift = shifts[np.searchsorted(addresses, starts, side="right") - 1]
    return starts + shift, ends + shift


def _inside(ranges: tuple[CodeRange, ...], addresses: Addresses) -> Addresses:
    """Return the offsets of those addresses that lie in a range."""
    known = np.zeros(len(addresses), np.bool_)
    for one in ranges:
        known |= (addresses >= one.address) & (addresses < one.address + one.size)
    return offsets_of(ranges, addresses[known], addresses[known])[0]


def _slices(starts: Addresses, ends: Addresses, threads: int) -> list[slice]:
    """Cut the functions into parts of about equally many bytes."""
    if threads <= 1 or len(starts) < 1000:
        return [slice(0, len(starts))]
    done = np.cumsum(ends - starts)
    cuts = [0, *(int(np.searchsorted(done, done[-1] * i / threads)) for i in range(1, threads)), len(starts)]
    return [slice(a, b) for a, b in pairwise(cuts) if a < b]


def _gaps(image: Image, tail: Bytes) -> tuple[npt.NDArray[np.int64], int, int, int]:
    """Sweep what no function covers."""
    masks = load_tables().masks
    counts = np.zeros(256, np.int64)
    begins, stops = uncovered(image.code, image.functions.starts, image.functions.ends)
    begins, stops = offsets_of(image.code, begins, stops)
    faults = int(kernels().histograms(image.data, begins, stops, tail, counts))
    return _by_bit(counts, masks), faults, int((stops - begins).sum()), int(counts.sum())


def _by_bit(counts: npt.NDArray[np.int64], masks: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    result = np.zeros(64, np.int64)
    for number in range(len(X86_64_BITS)):
        result[number] = counts[(masks >> np.uint64(number)) & np.uint64(1) == 1].sum()
    return result


def _first_by_bit(
    ranges: tuple[CodeRange, ...], first: npt.NDArray[np.int64], masks: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64]:
    result = np.full(64, -1, np.int64)
    for number in range(len(X86_64_BITS)):
        found = first[((masks >> np.uint64(number)) & np.uint64(1) == 1) & (first >= 0)]
        if len(found):
            result[number] = _address_of(ranges, int(found.min()))
    return result


def _address_of(ranges: tuple[CodeRange, ...], offset: int) -> int:
    return next(one.address + offset - one.offset for one in ranges if one.offset <= offset < one.offset + one.size)
