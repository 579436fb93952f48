"""The same as :mod:`.splicing` for zstd: a frame of blocks, with the word in raw blocks of their own.

RFC 8878, sections 3.1.1.2 (blocks) and 3.1.1.2.2 (raw blocks). A raw block changes nothing that later blocks rest on
but the window, and there the word keeps its length. The compressor sees random bytes in its place, of which it makes a
raw block by itself; whether it did, and found them nowhere else, is tried out before a frame is used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import zstandard

from .gaps import parts_between, same_length, that_works

_HEAD = 3
"""Bytes before the contents of a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplicedZstd:
    """A compressed text with a gap wherever the word stood."""

    pieces: tuple[bytes, ...]
    length: int
    """Bytes of the word."""

    def with_word(self, word: bytes) -> bytes:
        """Return the zstd frame of the text with this word.

        :raises ValueError: it is not as long as the one that it replaces
        """
        head = (self.length << 3).to_bytes(_HEAD, "little")
        return (head + same_length(word, self.length)).join(self.pieces)


def splice_zstd(text: bytes, word: bytes, *, level: int = 6) -> SplicedZstd | None:
    """Return a text compressed, with gaps where the word stands; None where it does not work out.

    :param level: zstd's
    """
    parts = parts_between(text, word)
    if not parts:
        return None
    return that_works(
        lambda: SplicedZstd(pieces=_compressed(parts, len(word), level), length=len(word)), parts, word, _unpacked
    )


def _compressed(parts: list[bytes], length: int, level: int) -> tuple[bytes, ...]:
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=False).compressobj()
    pieces = []
    for part in parts[:-1]:
        piece = compressor.compress(part) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        # goes through the compressor, so that its distances count these bytes; its block, the last thing that comes,
        # goes to nobody, and what comes before it is the head of a frame that has nothing in it yet
        gap = compressor.compress(os.urandom(length)) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
        pieces.append(piece + gap[: -(_HEAD + length)])
    pieces.append(compressor.compress(parts[-1]) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH))
    return tuple(pieces)


def _unpacked(packed: bytes) -> bytes | None:
    try:
        return bytes(zstandard.ZstdDecompressor().decompressobj().decompress(packed))
    except zstandard.ZstdError:
        return None
