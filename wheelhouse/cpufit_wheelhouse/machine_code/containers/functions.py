"""Function boundaries from several sources made into one table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.image import MOST_FUNCTIONS, Addresses, CodeRange, Flags, Functions

NO_ADDRESSES: Addresses = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What one source says, in any order."""

    starts: Addresses
    ends: Addresses
    """Equal to the start where the source does not say: then the next start, or the end of the code, ends it."""
    weak: Flags | None = None


NOTHING = Found(starts=NO_ADDRESSES, ends=NO_ADDRESSES)


def merged(code: tuple[CodeRange, ...], sources: list[Found]) -> Functions:
    """Return the functions of all sources; an earlier source stands where a later one says otherwise.

    :raises UnreadableLibrary: there are more than any library has
    """
    most = max((len(source.starts) for source in sources), default=0)
    if most > MOST_FUNCTIONS:
        raise UnreadableLibrary(f"{most} functions, and at most {MOST_FUNCTIONS} are read")
    starts, ends = NO_ADDRESSES, NO_ADDRESSES
    for source in sources:
        new_starts, new_ends = _inside(code, source.starts, source.ends)
        free = ~_covered(starts, ends, new_starts)
        starts = np.concatenate((starts, new_starts[free]))
        ends = np.concatenate((ends, new_ends[free]))
        order = np.lexsort((-ends, starts))
        starts, ends = starts[order], ends[order]
        first = np.concatenate(([True], starts[1:] != starts[:-1])) if len(starts) else np.zeros(0, np.bool_)
        starts, ends = _closed(code, starts[first], ends[first])
    weak = np.zeros(len(starts), np.bool_)
    for source in sources:
        if source.weak is not None and len(starts):
            marked = source.starts[source.weak]
            weak |= np.isin(starts, marked)
    return Functions(starts=starts, ends=ends, weak=weak)


def _range_ends(code: tuple[CodeRange, ...], starts: Addresses) -> tuple[npt.NDArray[np.bool_], Addresses]:
    """Return which starts lie in a code range, and where that range ends."""
    if not code:
        return np.zeros(len(starts), np.bool_), starts
    begins = np.array([one.address for one in code], np.int64)
    stops = np.array([one.address + one.size for one in code], np.int64)
    index = np.searchsorted(begins, starts, side="right") - 1
    known = index >= 0
    index = np.maximum(index, 0)
    return known & (starts < stops[index]), stops[index]


def _inside(code: tuple[CodeRange, ...], starts: Addresses, ends: Addresses) -> tuple[Addresses, Addresses]:
    inside, stops = _range_ends(code, starts)
    return starts[inside], np.minimum(ends, stops)[inside]


def _covered(starts: Addresses, ends: Addresses, points: Addresses) -> npt.NDArray[np.bool_]:
    if not len(starts):
        return np.zeros(len(points), np.bool_)
    index = np.searchsorted(starts, points, side="right") - 1
    return (index >= 0) & (points < ends[np.maximum(index, 0)])


def _closed(code: tuple[CodeRange, ...], starts: Addresses, ends: Addresses) -> tuple[Addresses, Addresses]:
    """Give functions without an end one, and cut those that reach into the next."""
    if not len(starts):
        return starts, ends
    _, stops = _range_ends(code, starts)
    following = np.minimum(np.concatenate((starts[1:], stops[-1:])), stops)
    ends = np.where(ends <= starts, following, np.minimum(ends, following))
    kept = ends > starts
    return starts[kept], ends[kept]
