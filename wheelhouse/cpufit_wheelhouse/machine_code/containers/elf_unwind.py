"""Function boundaries from unwind data: LSB Core, "Exception Frames" and ``.eh_frame_hdr``; DWARF 5, section 6.4.1.

Every FDE names the address and the length of one function. The header's sorted table leads to all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .elf_parts import Section, Segment
from .functions import NOTHING, Found
from .reader import Reader

_DATAREL_SDATA4 = 0x3B
_UDATA4, _PCREL_SDATA4 = 0x03, 0x1B
_MOST_WALKED = 1 << 19
_PT_LOAD = 1


def unwind_functions(
    reader: Reader, frame: Segment | None, section: Section | None, segments: Sequence[Segment]
) -> Found:
    """Return the functions that unwind data tell of; nothing where they are encoded in a way that no compiler uses."""
    if frame is not None and reader.holds(frame.offset, frame.size) and frame.size >= 12:
        found = _by_header(reader, frame, segments)
        if found is not NOTHING:
            return found
    if section is not None and reader.holds(section.offset, section.size):
        return _walked(reader, section)
    return NOTHING


def _by_header(reader: Reader, frame: Segment, segments: Sequence[Segment]) -> Found:
    version, pointer, count_as, table_as = reader.data[frame.offset : frame.offset + 4].tolist()
    if version != 1 or count_as != _UDATA4 or table_as != _DATAREL_SDATA4 or pointer & 0x0F not in (0x0B, 0x03):
        return NOTHING
    count = reader.number(frame.offset + 8, 4, ".eh_frame_hdr")
    if not count or frame.address >= 1 << 62 or not reader.holds(frame.offset + 12, count * 8):
        return NOTHING
    rows = reader.table(frame.offset + 12, count, np.dtype([("start", "<i4"), ("entry", "<i4")]), ".eh_frame_hdr")
    starts = rows["start"].astype(np.int64) + frame.address
    entries = rows["entry"].astype(np.int64) + frame.address
    offsets = np.full(count, -1, np.int64)
    for one in segments:
        if one.type == _PT_LOAD and one.address < 1 << 62:
            inside = (entries >= one.address) & (entries < one.address + one.size - 16)
            offsets[inside] = entries[inside] - one.address + one.offset
    known = offsets >= 0
    starts, entries, offsets = starts[known], entries[known], offsets[known]
    # an FDE: length, pointer to its CIE, then the function's address relative to the field, and its length
    told = entries + 8 + reader.s32_at(offsets + 8)
    sizes = reader.u32_at(offsets + 12)
    right = (told == starts) & (sizes > 0) & (starts >= 0)
    return Found(starts=starts[right], ends=starts[right] + sizes[right]) if right.any() else NOTHING


def _walked(reader: Reader, section: Section) -> Found:
    """Go through ``.eh_frame`` record by record, where no header leads to them."""
    starts, ends = [], []
    position, end = section.offset, section.offset + section.size
    for _ in range(_MOST_WALKED):
        if position + 16 > end:
            break
        length = reader.number(position, 4, ".eh_frame")
        if length in (0, 0xFFFFFFFF):
            position += 4
            continue
        if reader.number(position + 4, 4, ".eh_frame") != 0 and length >= 12:
            field = section.address + position + 8 - section.offset
            relative = reader.number(position + 8, 4, ".eh_frame")
            start = field + (relative ^ 1 << 31) - (1 << 31)
            size = reader.number(position + 12, 4, ".eh_frame")
            if size and 0 <= start < 1 << 62:
                starts.append(start)
                ends.append(start + size)
        position += 4 + length
    return Found(starts=np.array(starts, np.int64), ends=np.array(ends, np.int64))
