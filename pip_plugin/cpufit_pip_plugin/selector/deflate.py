"""A gzip file put together from pieces, some of which were compressed before.

Deflate (RFC 1951) lets compressed pieces follow one another when each ends on a byte and looks back at nothing before
itself, which is what zlib's full flush makes. So what is the same in all selectors is compressed once, and the result
is still one ordinary gzip member (RFC 1952) that every reader takes.
"""

from __future__ import annotations

import zlib

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
"""Deflate, no name, no time, compressed as well as can be, on an unknown system (RFC 1952, section 2.3.1)."""

_LAST_BLOCK = b"\x03\x00"
"""An empty block that says it is the last one."""


def compressed_piece(data: bytes) -> bytes:
    """Return bytes as a piece for :meth:`GzipPieces.add_compressed`."""
    compressor = _compressor()
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)


class GzipPieces:
    """Takes pieces one after the other and returns them as one gzip file; the same bytes for the same pieces."""

    def __init__(self) -> None:
        self._compressor = _compressor()
        self._pieces = [_HEADER]
        self._checksum = self._size = 0
        self._waiting = False

    def add(self, data: bytes) -> None:
        """Append bytes that are still to be compressed."""
        self._count(data)
        self._pieces.append(self._compressor.compress(data))
        self._waiting = True

    def add_compressed(self, data: bytes, piece: bytes) -> None:
        """Append bytes whose compressed form is known.

        :param piece: what :func:`compressed_piece` made of ``data``
        """
        self._count(data)
        self._flush()
        self._pieces.append(piece)

    def finish(self) -> bytes:
        """Return the whole file."""
        self._flush()
        end = self._checksum.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        return b"".join((*self._pieces, _LAST_BLOCK, end))

    def _count(self, data: bytes) -> None:
        self._checksum = zlib.crc32(data, self._checksum)
        self._size += len(data)

    def _flush(self) -> None:
        if self._waiting:
            self._pieces.append(self._compressor.flush(zlib.Z_FULL_FLUSH))
            self._waiting = False


def _compressor() -> zlib._Compress:
    return zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
