"""The same as :mod:`.splicing` for zstd: a frame of blocks, with the word in raw blocks of their own.

RFC 8878, sections 3.1.1.2 (blocks) and 3.1.1.2.2 (raw blocks). A raw block changes nothing that later blocks rest on
but the window, and there the word keeps its length. The compressor sees random bytes in its place, of which it makes a
raw block by itself; whether it did, and found them nowhere else, is tried out before a frame is used.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import zstandard

_TRIES = 8
_LONGEST_BLOCK = 0xFFFF
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
        if len(word) != self.length:
            raise ValueError(f"a word of {len(word)} bytes where {self.length} are left out")
        return ((self.length << 3).to_bytes(_HEAD, "little") + word).join(self.pieces)


def splice_zstd(text: bytes, word: bytes, *, level: int = 6) -> SplicedZstd | None:
    """Return a text compressed, with gaps where the word stands; None where it does not work out.

    :param level: zstd's
    """
    parts = text.split(word) if 0 < len(word) <= _LONGEST_BLOCK else []
    if len(parts) < 2:
        return None
    for _ in range(_TRIES):
        made = SplicedZstd(pieces=_compressed(parts, len(word), level), length=len(word))
        if all(_unpacks_to(made.with_word(other), other.join(parts)) for other in (word, os.urandom(len(word)))):
            return made
    return None


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


def _unpacks_to(packed: bytes, text: bytes) -> bool:
    try:
        return bool(zstandard.ZstdDecompressor().decompressobj().decompress(packed) == text)
    except zstandard.ZstdError:
        return False
