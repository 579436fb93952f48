"""arm64: finding code that neither unwind data nor symbols tell of, in what lies between known functions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.gaps import as_functions, unread
from cpufit_wheelhouse.machine_code.image import Addresses, Functions, Image, Scan

from .encodings import is_unallocated

CLEAN_WORDS = 256
"""How many words in a row must be instructions: of random ones a fifth is none, so data has no such run, even where
every other word is the upper half of a number."""
_JUMPS = ((0xFFFFFC1F, 0xD65F0000), (0xFFFFFC1F, 0xD61F0000), (0xFC000000, 0x14000000))
"""Mask and value of RET, BR and B, which control never passes."""


def recover(image: Image, scan: Scan) -> Functions:
    """Return the pieces of code outside the functions that a scan found reliable.

    Each ends with an instruction that control never passes, in a run of words that all are instructions.
    """
    starts, ends = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    begins, stops = unread(image, scan)
    for one in image.code:
        low, high = np.searchsorted(begins, (one.address, one.address + one.size))
        words = np.frombuffer(image.data[one.offset : one.offset + one.size // 4 * 4], np.dtype("<u4"))
        first = np.minimum((begins[low:high] - one.address + 3) // 4, len(words))
        last = np.minimum((stops[low:high] - one.address) // 4, len(words))
        piece_starts, piece_ends = _pieces(words, first, last)
        starts.append(one.address + 4 * piece_starts)
        ends.append(one.address + 4 * piece_ends)
    return as_functions(np.concatenate(starts), np.concatenate(ends))


def _pieces(words: npt.NDArray[np.uint32], first: Addresses, last: Addresses) -> tuple[Addresses, Addresses]:
    """Return begin and end of the pieces in spans from ``first`` to ``last``, all as indices of words."""
    depth = np.zeros(len(words) + 1, np.int8)
    np.add.at(depth, first, 1)
    np.add.at(depth, last, -1)
    open_to_us = np.cumsum(depth[:-1], dtype=np.int8) > 0
    # with group 0, in which there is nothing but SME: nobody writes that without unwind data
    free = np.array([is_unallocated(top) or top == 0 for top in range(16)])
    bad = np.flatnonzero(free[words >> np.uint32(25) & np.uint32(15)] & open_to_us)
    jumps = np.zeros(len(words), np.bool_)
    for mask, value in _JUMPS:
        jumps |= words & np.uint32(mask) == np.uint32(value)
    ends = np.flatnonzero(jumps & open_to_us) + 1
    if not len(ends):
        return ends, ends
    runs = np.unique(np.concatenate((first, bad + 1)))  # where a run of instructions begins
    begins = np.unique(np.concatenate((runs, ends)))
    starts = begins[np.searchsorted(begins, ends, side="left") - 1]
    stops = np.unique(np.concatenate((last, bad)))  # and where one ends
    begin = runs[np.searchsorted(runs, starts, side="right") - 1]
    stop = stops[np.searchsorted(stops, ends, side="left")]
    whole = np.isin(begin, first) & np.isin(stop, last)
    kept = (stop - begin >= CLEAN_WORDS) | whole
    return starts[kept], ends[kept]
