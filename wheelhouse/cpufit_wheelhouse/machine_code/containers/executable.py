"""Which bytes run: what the loader maps executable decides, and sections only say which part of it is code.

A library can be loaded without any section, or with sections that say nothing of its code. So a segment's sections are
believed only as far as the rest of the file agrees with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from cpufit_wheelhouse.machine_code.image import Addresses, CodeRange

from .reader import MAX_RANGES, Reader

_SMALLEST_LEFT_OVER = 64
"""Bytes; what lies between two sections and is shorter is alignment."""


def executable_ranges(
    reader: Reader,
    segments: Sequence[CodeRange],
    code: Sequence[CodeRange],
    others: Iterable[CodeRange],
    claims: Addresses,
) -> list[CodeRange]:
    """Return the code of executable segments: their code sections, or all of a segment where those cannot be all.

    :param segments: what the loader maps executable
    :param code: the sections that say they hold instructions
    :param others: the other sections with bytes in the file
    :param claims: where functions begin, says the rest of the file; one outside every code section gives them the lie
    :raises UnreadableLibrary: a segment ends outside the file
    """
    if not all(reader.holds(held.offset, held.size) for held in segments):
        raise reader.fail("an executable segment ends outside the file")
    filled = [*code, *others]
    if len(filled) > MAX_RANGES or not all(any(_within(one, held) for held in segments) for one in code):
        return list(segments)
    found: list[CodeRange] = []
    for held in segments:
        inner = [one for one in code if _within(one, held)]
        if not inner or _claimed_outside(held, inner, claims):
            found.append(held)
        else:
            found += [*inner, *_left_over(reader, held, filled)]
    return found


def _within(one: CodeRange, held: CodeRange) -> bool:
    shift = one.address - held.address
    return one.offset - held.offset == shift and shift >= 0 and shift + one.size <= held.size


def _claimed_outside(held: CodeRange, inner: Sequence[CodeRange], claims: Addresses) -> bool:
    # functions that a linker dropped are left at address 0
    outside = (claims >= max(held.address, 1)) & (claims < min(held.address + held.size, 1 << 62))
    for one in inner:
        outside &= (claims < one.address) | (claims >= min(one.address + one.size, 1 << 62))
    return bool(outside.any())


def _left_over(reader: Reader, held: CodeRange, filled: Sequence[CodeRange]) -> list[CodeRange]:
    """Return the parts of a segment that no section has, but for headers and padding."""
    found = []
    position, stop = held.offset, held.offset + held.size
    if position == 0:
        inside = [one.offset for one in filled if one.offset > 0 and one.size]
        position = min(inside, default=stop)  # the file's own headers stand before the first section
    for one in sorted(filled, key=lambda one: one.offset):
        if one.offset + one.size <= position:
            continue
        if one.offset >= stop:
            break
        found.append((position, one.offset))
        position = one.offset + one.size
    found.append((position, stop))
    return [
        CodeRange(name="code of no section", offset=begin, size=end - begin, address=held.address + begin - held.offset)
        for begin, end in found
        if end - begin >= _SMALLEST_LEFT_OVER and not _padding(reader, begin, end)
    ]


def _padding(reader: Reader, begin: int, end: int) -> bool:
    part = reader.data[begin:end]
    return bool(np.all(part == part[0]))
