"""What of an image runs whenever it is loaded: :mod:`.following` with its arguments made and its answer read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.image import Entry, Image

from .scanning import MAX_DESCENT, _inside, tail_of

_MAX_ENTERED = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What is executed for sure when an image is loaded."""

    first: npt.NDArray[np.int64]
    """64 addresses: an instruction with that bit that is executed for sure, -1 for none."""
    functions: npt.NDArray[np.int64]
    """Numbers of the image's functions that are entered at their beginning, sorted."""


def entered(image: Image, entries: Iterable[Entry]) -> Entered:
    """Follow entry points up to their first conditional jumps, through direct jumps and calls."""
    from .following import enter  # noqa: PLC0415  # compiled: only who scans pays for it

    ranges = image.code
    starts = np.array([one.offset for one in ranges], np.int64)
    sizes = np.array([one.size for one in ranges], np.int64)
    shifts = np.array([one.address - one.offset for one in ranges], np.int64)
    bases = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))[:-1]
    offsets = _inside(ranges, np.array([entry.address for entry in entries], np.int64))[:_MAX_ENTERED]
    work = np.zeros(_MAX_ENTERED, np.int64)
    work[: len(offsets)] = offsets
    found, first = np.zeros(_MAX_ENTERED, np.int64), np.full(64, -1, np.int64)
    count = enter(
        image.data, tail_of(image.data), work, len(offsets), starts, starts + sizes, shifts,
        np.zeros(int(sizes.sum()) // 8 + 1, np.uint8), bases, found, first, MAX_DESCENT,
    )  # fmt: skip
    order = np.argsort(starts)

    def addresses(at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return at + shifts[order[np.searchsorted(starts[order], at, side="right") - 1]] if len(at) else at

    functions = addresses(found[:count])
    index = np.searchsorted(image.functions.starts, functions)
    inside = index < len(image.functions)
    inside[inside] = image.functions.starts[index[inside]] == functions[inside]
    first[first >= 0] = addresses(first[first >= 0])
    return Entered(first=first, functions=np.unique(index[inside]))
