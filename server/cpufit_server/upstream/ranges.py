"""Which bytes of a file a request asks for (RFC 9110, section 14). Values in, values out."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ONE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)", re.IGNORECASE | re.ASCII)
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``start`` up to but not including ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """A range without a byte in it: 416."""


def part_of(header: str | None, if_range: str | None, *, etag: str, size: int) -> Part | Unsatisfiable | None:
    """Return the one range that is asked for, or None for the whole file.

    Several ranges at once, other units and what cannot be read count as not said, as the specification allows.

    :param if_range: the ``If-Range`` header: a range counts only for the version that it names
    :param etag: of the file, in its quotes
    :param size: of the file, in bytes
    """
    if header is None or len(header) > _LONGEST or (if_range is not None and if_range.strip() != etag):
        return None
    match = _ONE.fullmatch(header.strip())
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":
        length = int(match[2])
        return Part(max(0, size - length), size) if length and size else Unsatisfiable()
    start = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < start:
        return None
    return Part(start, min(last + 1, size)) if start < size else Unsatisfiable()
