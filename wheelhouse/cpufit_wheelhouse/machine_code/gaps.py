"""What no function covers: code without unwind data and symbols, or data; nobody says which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .image import Addresses, CodeRange, Functions, Image, Scan

SMALLEST = 16
"""Bytes; what is shorter is padding between functions."""


def uncovered(code: Sequence[CodeRange], starts: Addresses, ends: Addresses) -> tuple[Addresses, Addresses]:
    """Return begin and end, by address, of what the functions leave free in code ranges."""
    begins, stops = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for one in code:
        low, high = np.searchsorted(starts, (one.address, one.address + one.size))
        begin = np.concatenate(([one.address], ends[low:high]))
        stop = np.concatenate((starts[low:high], [one.address + one.size]))
        wide = stop - begin >= SMALLEST
        begins.append(begin[wide])
        stops.append(stop[wide])
    return np.concatenate(begins), np.concatenate(stops)


def unread(image: Image, scan: Scan) -> tuple[Addresses, Addresses]:
    """Return begin and end of what no function covers that decodes to its end."""
    reliable = scan.faults == 0
    return uncovered(image.code, image.functions.starts[reliable], image.functions.ends[reliable])


def as_functions(starts: Addresses, ends: Addresses) -> Functions:
    """Return pieces of code as the functions that they presumably are."""
    return Functions(starts=starts, ends=ends, weak=np.zeros(len(starts), np.bool_))
