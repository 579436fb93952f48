"""Following instructions from where running begins: what direct jumps and calls reach, and what is entered for sure.

From an entry point on, every instruction before the first conditional jump is executed, and so are the functions that
direct calls among them enter. No test of the CPU can stand before those. Behind such a jump it depends.
"""

# ruff: noqa: PLR0913, PLR0917, PLR1714, SIM109, SIM114, C901  # as in kernels.py
# mypy: disable-error-code="untyped-decorator,assignment,return-value,arg-type"
from __future__ import annotations

from typing import Any

import numpy as np

from .kernels import KINDS, MASKS, PADDING, Code, _compiled, decode

TABLES_SHA256 = "d6fde9ccd976075b3c3722b416b7ce29489bf0c8696cdfc96dc73935ed2f1f4f"
"""As in :mod:`.kernels`."""

GOES_ON, CALLS, MAY_JUMP, JUMPS, ENDS = 0, 1, 2, 3, 4
"""What an instruction does to the flow."""


@_compiled(inline="always")
def _relative(d: Code, at: int) -> int:
    """Return the signed 32-bit number at ``d[at]``."""
    number = np.int64(d[at]) | np.int64(d[at + 1]) << 8 | np.int64(d[at + 2]) << 16 | np.int64(d[at + 3]) << 24
    return number - (1 << 32 if number >= 1 << 31 else 0)


@_compiled(inline="always")
def _flow(d: Code, at: int) -> tuple[int, int]:
    """Return what the instruction at ``d[at]`` does, and how far from its end a direct jump or call goes."""
    o = at
    while KINDS[d[o]] == 2 or KINDS[d[o]] == 3:  # the opcode stands behind the legacy prefixes and REX
        o += 1
    b = np.int64(d[o])
    does = GOES_ON
    distance = np.int64(0)
    if b == 0xE8 or b == 0xE9:
        does = CALLS if b == 0xE8 else JUMPS
        distance = _relative(d, o + 1)
    elif b == 0xEB or 0x70 <= b < 0x80 or 0xE0 <= b < 0xE4:
        does = JUMPS if b == 0xEB else MAY_JUMP
        distance = np.int64(d[o + 1])
        distance -= 256 if distance >= 128 else 0
    elif b == 0x0F and 0x80 <= d[o + 1] < 0x90:
        does = MAY_JUMP
        distance = _relative(d, o + 2)
    elif b == 0xC3 or b == 0xC2 or b == 0xF4 or b == 0xCC or (b == 0x0F and d[o + 1] == 0x0B):
        does = ENDS
    elif b == 0xFF and (d[o + 1] >> 3 & 7 == 4 or d[o + 1] >> 3 & 7 == 5):
        does = ENDS
    return does, distance


@_compiled(inline="always")
def _range_of(p: int, starts: Any, ends: Any) -> int:
    """Return the number of the range that an offset lies in, -1 for none."""
    r = -1
    for i in range(len(starts)):
        if starts[i] <= p < ends[i]:
            r = i
    return r


@_compiled(inline="always")
def _pushed(work: Any, todo: int, address: int, starts: Any, ends: Any, shifts: Any) -> int:
    """Put the offset of an address on top of ``work``, where it lies in a range and there is room."""
    for i in range(len(starts)):
        offset = address - np.int64(shifts[i])
        if starts[i] <= offset < ends[i] and todo < len(work):
            work[todo] = offset
            todo += 1
            break
    return todo


@_compiled()
def descend(
    c: Code, tail: Code, work: Any, todo: int, range_starts: Any, range_ends: Any, range_shifts: Any, visited: Any,
    visited_base: Any, first: Any, hits: Any, hit_classes: Any, interest: int, limit: int
) -> tuple[int, int]:  # fmt: skip
    """Follow direct jumps and calls from the ``todo`` offsets in ``work``; return how many instructions were met.

    Those that have a bit of ``interest`` are noted in ``hits``, with their class, as far as there is room; how many is
    the second number returned.

    ``range_shifts`` are address minus offset of each range, ``visited`` is a bit per byte of all ranges together.
    Branches go from range to range by address. What does not fit into ``work`` is left.
    """
    safe = len(c) - 32
    shift = len(c) - PADDING
    met = 0
    noted = 0
    while todo > 0 and met < limit:
        todo -= 1
        p = np.int64(work[todo])
        r = _range_of(p, range_starts, range_ends)
        while r >= 0 and p < range_ends[r] and met < limit:
            v = np.int64(visited_base[r]) + p - np.int64(range_starts[r])
            if visited[v >> 3] >> (v & 7) & 1:
                break
            visited[v >> 3] |= np.uint8(1 << (v & 7))
            at = p if p < safe else p - shift
            d = c if p < safe else tail
            found = decode(d, at)
            size = found & 0xFF
            if size == 0 or p + size > range_ends[r]:
                break
            met += 1
            k = found >> 8
            if k and first[k] < 0:
                first[k] = p
            if k and noted < len(hits) and MASKS[k] & np.uint64(interest):
                hits[noted] = p
                hit_classes[noted] = k
                noted += 1
            does, distance = _flow(d, at)
            if does == CALLS or does == MAY_JUMP or does == JUMPS:
                address = p + size + distance + np.int64(range_shifts[r])
                todo = _pushed(work, todo, address, range_starts, range_ends, range_shifts)
            if does >= JUMPS:
                break
            p += size
    return met, noted


@_compiled()
def enter(
    c: Code, tail: Code, work: Any, todo: int, range_starts: Any, range_ends: Any, range_shifts: Any, visited: Any,
    visited_base: Any, entered: Any, first: Any, limit: int
) -> int:  # fmt: skip
    """Follow the ``todo`` offsets in ``work`` up to their conditional jumps; return how many offsets are entered.

    Those are written to ``entered``; ``first`` takes the first offset of each of 64 bits among the instructions that
    are executed for sure. The other arguments are those of :func:`descend`.
    """
    safe = len(c) - 32
    shift = len(c) - PADDING
    count = 0
    met = 0
    while todo > 0 and met < limit and count < len(entered):
        todo -= 1
        p = np.int64(work[todo])
        r = _range_of(p, range_starts, range_ends)
        begins = True
        while r >= 0 and p < range_ends[r] and met < limit:
            v = np.int64(visited_base[r]) + p - np.int64(range_starts[r])
            if visited[v >> 3] >> (v & 7) & 1:
                break
            visited[v >> 3] |= np.uint8(1 << (v & 7))
            if begins:
                entered[count] = p
                count += 1
                begins = False
            at = p if p < safe else p - shift
            d = c if p < safe else tail
            found = decode(d, at)
            size = found & 0xFF
            if size == 0 or p + size > range_ends[r]:
                break
            met += 1
            mask = MASKS[found >> 8]
            if mask:
                for k in range(64):
                    if mask >> np.uint64(k) & np.uint64(1) and first[k] < 0:
                        first[k] = p
            does, distance = _flow(d, at)
            if does == MAY_JUMP or does == ENDS:
                break
            if does == CALLS or does == JUMPS:
                address = p + size + distance + np.int64(range_shifts[r])
                todo = _pushed(work, todo, address, range_starts, range_ends, range_shifts)
            if does == JUMPS:
                break
            p += size
    return count
