"""What comes out of the sandbox: through pipes alone, never by files, which its code could replace.

Each pipe is read as it fills, in a thread of its own, into something that keeps no more than it was told to.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

_PIECE = 1 << 16
_PATIENCE = 10.0


class Head:
    """Keeps the beginning of what it is fed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take a piece."""
        self._kept += piece[: self._size - len(self._kept)]

    @property
    def text(self) -> str:
        """Return what was kept."""
        return self._kept.decode("utf-8", "replace")


class Tail:
    """Keeps the end of what it is fed."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept = bytearray()

    def feed(self, piece: bytes) -> None:
        """Take a piece."""
        self._kept += piece
        if len(self._kept) > 2 * self._size:
            del self._kept[: -self._size]

    @property
    def text(self) -> str:
        """Return what was kept."""
        return self._kept[-self._size :].decode("utf-8", "replace")


class Pipe:
    """One pipe out of a process."""

    def __init__(self, feed: Callable[[bytes], None], owner: int | None = None) -> None:
        """Make one.

        :param feed: called with each piece, in another thread
        :param owner: the user who may open it by its name, where that is not this process's
        """
        self._feed = feed
        self._read, self.write = os.pipe()
        self._writable = True
        if owner is not None:
            os.fchown(self.write, owner, owner)
        self._thread = threading.Thread(target=self._drain, name="probe-pipe", daemon=True)

    @property
    def inside(self) -> str:
        """Return the path under which a process that has it can open it."""
        return f"/proc/self/fd/{self.write}"

    def given(self) -> None:
        """Begin to read: the process has its own end now."""
        self._close_write()
        self._thread.start()

    def close(self) -> None:
        """Wait until all was read; without :meth:`given`, forget it."""
        self._close_write()
        if self._thread.ident is None:
            os.close(self._read)
        else:
            self._thread.join(_PATIENCE)

    def _close_write(self) -> None:
        if self._writable:
            self._writable = False
            os.close(self.write)

    def _drain(self) -> None:
        try:
            while piece := os.read(self._read, _PIECE):
                self._feed(piece)
        finally:
            os.close(self._read)
