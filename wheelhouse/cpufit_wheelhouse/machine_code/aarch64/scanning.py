"""Scanning an arm64 image: instructions are words of four bytes, so masks over whole arrays do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.bits import AARCH64_BITS, mask_of
from cpufit_wheelhouse.machine_code.image import CodeRange, Image, Scan

from .encodings import ROWS, is_unallocated

BLOCK = 1 << 18
"""Words looked at together: what a block needs stays in the processor's cache."""


@dataclass(slots=True)
class _Totals:
    masks: npt.NDArray[np.uint64]
    faults: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class _Hits:
    """Words that say something, by their index in a range."""

    index: npt.NDArray[np.int64]
    bits: npt.NDArray[np.uint64]
    unallocated: npt.NDArray[np.int64]


@lru_cache(maxsize=1)
def _groups() -> tuple[dict[int, list[tuple[int, int, int]]], npt.NDArray[np.bool_]]:
    """Return the rows by the top byte that they can stand under, and which top bytes are unallocated."""
    groups: dict[int, list[tuple[int, int, int]]] = {}
    for mask, value, names, _ in ROWS:
        bits = mask_of("aarch64", names)
        for top in range(256):
            if (top ^ value >> 24) & mask >> 24 == 0:
                groups.setdefault(top, []).append((mask, value, bits))
    unallocated = np.array([is_unallocated(top >> 1 & 15) for top in range(256)])
    return groups, unallocated


def scan(image: Image, threads: int = 1) -> Scan:
    """Look at every word of an image's code.

    :param threads: how many threads may look at the same time
    """
    count = len(image.functions)
    totals = _Totals(np.zeros(count, np.uint64), np.zeros(count, np.uint32))
    counts, gap_counts = np.zeros(64, np.int64), np.zeros(64, np.int64)
    first = np.full(64, -1, np.int64)
    gap_faults = words = 0
    found: list[tuple[CodeRange, npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.uint64]]] = []
    for one in image.code:
        hits = _range_hits(image, one, threads)
        words += one.size // 4
        owner = _owners(image, one.address + 4 * hits.index)
        for number in range(len(AARCH64_BITS)):
            having = hits.bits >> np.uint64(number) & np.uint64(1) == 1
            counts[number] += np.count_nonzero(having & (owner >= 0))
            gap_counts[number] += np.count_nonzero(having & (owner < 0))
        np.bitwise_or.at(totals.masks, owner[owner >= 0], hits.bits[owner >= 0])
        unknown = _owners(image, one.address + 4 * hits.unallocated)
        np.add.at(totals.faults, unknown[unknown >= 0], np.uint32(1))
        gap_faults += int(np.count_nonzero(unknown < 0))
        found.append((one, hits.index, owner, hits.bits))
    for one, index, owner, bits in found:
        sound = owner >= 0
        sound[sound] = totals.faults[owner[sound]] == 0
        for number in range(len(AARCH64_BITS)):
            at = np.flatnonzero(sound & (bits >> np.uint64(number) & np.uint64(1) == 1))
            if len(at) and first[number] < 0:
                first[number] = one.address + 4 * int(index[at[0]])
    covered = int((image.functions.ends - image.functions.starts).sum())
    size = sum(one.size for one in image.code)
    return Scan(
        masks=totals.masks,
        faults=totals.faults,
        vectors=np.zeros(count, np.uint32),
        counts=counts,
        first=first,
        gap_counts=gap_counts,
        gap_faults=gap_faults,
        gap_bytes=size - covered,
        code_bytes=size,
        instructions=words,
    )


def instruction_at(image: Image, address: int) -> str | None:
    """Return what kind of instruction stands at an address, as the encoding tables name it; None for a plain one."""
    for one in image.code:
        if one.address <= address < one.address + one.size - 3:
            offset = one.offset + address - one.address
            word = int.from_bytes(image.data[offset : offset + 4].tobytes(), "little")
            return next((name for mask, value, _, name in ROWS if word & mask == value), None)
    return None


def _range_hits(image: Image, one: CodeRange, threads: int) -> _Hits:
    words = np.frombuffer(image.data[one.offset : one.offset + one.size // 4 * 4], np.dtype("<u4"))
    blocks = range(0, len(words), BLOCK)
    if threads > 1 and len(blocks) > 1:
        with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode") as pool:
            parts = list(pool.map(lambda at: _block_hits(words[at : at + BLOCK], at), blocks))
    else:
        parts = [_block_hits(words[at : at + BLOCK], at) for at in blocks]
    if not parts:
        return _Hits(np.zeros(0, np.int64), np.zeros(0, np.uint64), np.zeros(0, np.int64))
    return _Hits(
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.bits for part in parts]),
        np.concatenate([part.unallocated for part in parts]),
    )


def _block_hits(words: npt.NDArray[np.uint32], at: int) -> _Hits:
    groups, unallocated = _groups()
    tops = (words >> np.uint32(24)).astype(np.uint8)
    present = np.flatnonzero(np.bincount(tops, minlength=256))
    interesting = np.zeros(256, np.bool_)
    interesting[[top for top in present if int(top) in groups]] = True
    index = np.flatnonzero(interesting[tops])
    some, their_tops = words[index], tops[index]
    bits = np.zeros(len(index), np.uint64)
    order = np.argsort(their_tops, kind="stable")
    edges = np.searchsorted(their_tops[order], np.arange(257))
    for top in present:
        chosen = order[edges[top] : edges[top + 1]]
        for mask, value, bit in groups.get(int(top), ()):
            matched = chosen[some[chosen] & np.uint32(mask) == np.uint32(value)]
            bits[matched] |= np.uint64(bit)
    told = bits != 0
    bad = np.flatnonzero(unallocated[tops] | (words < 0x10000))
    return _Hits(index[told] + at, bits[told], bad + at)


def _owners(image: Image, addresses: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the number of the function that each address lies in, -1 for none."""
    starts, ends = image.functions.starts, image.functions.ends
    if not len(starts):
        return np.full(len(addresses), -1, np.int64)
    index = np.searchsorted(starts, addresses, side="right") - 1
    inside = (index >= 0) & (addresses < ends[np.maximum(index, 0)])
    return np.where(inside, index, -1)
