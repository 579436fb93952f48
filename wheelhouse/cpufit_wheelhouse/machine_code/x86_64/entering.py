"""What is entered for sure: the functions that run whenever a library is loaded, whatever the CPU.

From an entry point on, every instruction before the first conditional jump is executed, and so are the functions that
direct calls among them enter. No test of the CPU can stand before those.
"""

# ruff: noqa: PLR0913, PLR0917, PLR0915, PLR1714, SIM114, C901, PLR0912  # as in kernels.py
# mypy: disable-error-code="untyped-decorator,assignment,arg-type"
from __future__ import annotations

from typing import Any

import numpy as np

from .kernels import KINDS, MASKS, PADDING, Code, _compiled, _relative, decode

KERNELS_VERSION = 1
"""Numba's cache goes by the date of this file: grows with the decoder in kernels.py."""


@_compiled()
def enter(
    c: Code, tail: Code, work: Any, todo: int, range_starts: Any, range_ends: Any, range_shifts: Any, visited: Any,
    visited_base: Any, entered: Any, first: Any, limit: int
) -> int:  # fmt: skip
    """Follow the ``todo`` offsets in ``work`` up to their conditional jumps; return how many offsets are entered.

    Those are written to ``entered``; ``first`` takes the first offset of each of 64 bits among the instructions that
    are executed for sure. The other arguments are those of :func:`.kernels.descend`.
    """
    safe = len(c) - 32
    shift = len(c) - PADDING
    count = 0
    met = 0
    while todo > 0 and met < limit:
        todo -= 1
        p = np.int64(work[todo])
        r = -1
        for i in range(len(range_starts)):
            if range_starts[i] <= p < range_ends[i]:
                r = i
        if r < 0 or count >= len(entered):
            continue
        begin = True
        while p < range_ends[r] and met < limit:
            v = np.int64(visited_base[r]) + p - np.int64(range_starts[r])
            if visited[v >> 3] >> (v & 7) & 1:
                break
            visited[v >> 3] |= np.uint8(1 << (v & 7))
            if begin:
                entered[count] = p
                count += 1
                begin = False
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
            o = at
            while KINDS[d[o]] == 2 or KINDS[d[o]] == 3:
                o += 1
            b = np.int64(d[o])
            target = np.int64(-1)
            if b == 0xE8 or b == 0xE9:
                target = p + size + _relative(d, o + 1)
            elif b == 0xEB:
                target = p + size + np.int64(d[o + 1]) - (256 if d[o + 1] >= 128 else 0)
            elif 0x70 <= b < 0x80 or 0xE0 <= b < 0xE4 or (b == 0x0F and 0x80 <= d[o + 1] < 0x90):
                break  # from here on it depends
            elif b == 0xC3 or b == 0xC2 or b == 0xF4 or b == 0xCC or (b == 0x0F and d[o + 1] == 0x0B):
                break
            elif b == 0xFF and (d[o + 1] >> 3 & 7 == 4 or d[o + 1] >> 3 & 7 == 5):
                break
            if target != -1:
                address = target + np.int64(range_shifts[r])
                for i in range(len(range_starts)):
                    offset = address - np.int64(range_shifts[i])
                    if range_starts[i] <= offset < range_ends[i] and todo < len(work):
                        work[todo] = offset
                        todo += 1
                        break
                if b != 0xE8:
                    break
            p += size
    return count
