"""x86-64: finding code that neither unwind data nor symbols tell of, by decoding what lies between known functions."""

from __future__ import annotations

import numpy as np

from cpufit_wheelhouse.machine_code.errors import UnreadableLibrary
from cpufit_wheelhouse.machine_code.gaps import as_functions, unread
from cpufit_wheelhouse.machine_code.image import MOST_FUNCTIONS, Addresses, Functions, Image, Scan

from .scanning import kernels, offsets_of, tail_of

SMALLEST_PIECE = 4
"""Bytes; what is shorter holds nothing but a jump."""


def recover(image: Image, scan: Scan) -> Functions:
    """Return the pieces of code outside the functions that a scan found reliable.

    Each decodes without fault up to an instruction that control never passes. Data nearly never does: one of ten
    random instructions is none, and only one of forty ends a piece.

    :raises UnreadableLibrary: there are more than any library has
    """
    begins, stops = unread(image, scan)
    starts, ends = offsets_of(image.code, begins, stops)
    tail = tail_of(image.data)
    found: tuple[Addresses, Addresses] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
    for _ in range(2):  # how many there are is told by a first time
        count = int(kernels().pieces(image.data, tail, starts, ends, begins - starts, SMALLEST_PIECE, *found))
        if count > MOST_FUNCTIONS:
            raise UnreadableLibrary(f"{count} functions, and at most {MOST_FUNCTIONS} are read")
        if count > len(found[0]):
            found = np.zeros(count, np.int64), np.zeros(count, np.int64)
    return as_functions(*found)
