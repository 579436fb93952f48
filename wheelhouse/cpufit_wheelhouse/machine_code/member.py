"""A member of a wheel in memory, straight from the zip."""

from __future__ import annotations

import numpy as np

from cpufit_wheelhouse.archive import CheckedArchive

from .errors import UnreadableLibrary
from .image import Bytes


def load_member(archive: CheckedArchive, name: str, max_bytes: int) -> Bytes:
    """Return a member's bytes, unpacked into one buffer of the size that the zip states.

    :param max_bytes: the largest member to read
    :raises UnreadableLibrary: it is larger
    :raises WheelError: its bytes are not what the zip says, by :func:`cpufit_wheelhouse.framing.unpacked`
    """
    size = archive.files[name].file_size
    if size > max_bytes:
        raise UnreadableLibrary(f"{size} bytes, and at most {max_bytes} are read", where=name)
    buffer = np.empty(size, np.uint8)
    done = 0
    for piece in archive.pieces(name):
        buffer[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)
    return buffer
