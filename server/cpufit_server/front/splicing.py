"""A gzip body in which one word can be exchanged without compressing anything again.

A page that lists selectors needs a new random path segment in each response. To compress it each time would cost a
thousand times what sending it costs. So the page is compressed once, with each occurrence of the segment left out;
a response joins the pieces with the segment of its own in between, in stored blocks (RFC 1951, section 3.2.4), and adds
the checksum (RFC 1952, section 2.3.1).

Back references count bytes backwards, so they stay right as long as the segment keeps its length and no reference
reaches into it. The compressor sees random bytes in its place, which it finds nowhere else; whether that held is tried
out before a body is used.

The checksum is linear over GF(2): exchanging a byte changes it by that byte's own contribution, whatever stands
elsewhere. The contributions of all occurrences of one position are added up once, in a table.
"""

from __future__ import annotations

import os
import struct
import zlib
from array import array
from dataclasses import dataclass

from .gaps import LONGEST_WORD, parts_between, same_length, that_works

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
_ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class SplicedGzip:
    """A compressed text with a gap wherever the word stood."""

    pieces: tuple[bytes, ...]
    """What goes between the words; the first one begins with the header."""
    length: int
    """Bytes of the word."""
    size: int
    """Bytes of the whole text."""
    checksum: int
    """Of the text with a word of zero bytes."""
    contributions: tuple[array[int], ...]
    """For each position of the word and each value of a byte, what it adds to the checksum."""

    def with_word(self, word: bytes) -> bytes:
        """Return the gzip file of the text with this word.

        :raises ValueError: it is not as long as the one that it replaces
        """
        same_length(word, self.length)
        checksum = self.checksum
        for table, byte in zip(self.contributions, word, strict=True):
            checksum ^= table[byte]
        block = struct.pack("<BHH", 0, self.length, self.length ^ LONGEST_WORD) + word
        return block.join(self.pieces) + struct.pack("<II", checksum, self.size & _ALL)


def splice_gzip(text: bytes, word: bytes, *, level: int = 6) -> SplicedGzip | None:
    """Return a text compressed, with gaps where the word stands; None where it does not work out.

    :param level: zlib's
    """
    parts = parts_between(text, word)
    if not parts:
        return None
    contributions = _contributions(parts, len(word))
    checksum = zlib.crc32(bytes(len(word)).join(parts))

    def make() -> SplicedGzip:
        pieces = _compressed(parts, len(word), level)
        return SplicedGzip(
            pieces=pieces, length=len(word), size=len(text), checksum=checksum, contributions=contributions
        )

    return that_works(make, parts, word, _unpacked)


def _compressed(parts: list[bytes], length: int, level: int) -> tuple[bytes, ...]:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    pieces = []
    for part in parts[:-1]:
        pieces.append(compressor.compress(part) + compressor.flush(zlib.Z_SYNC_FLUSH))
        # goes through the compressor, so that its distances count these bytes, and its output to nobody
        compressor.compress(os.urandom(length))
        compressor.flush(zlib.Z_SYNC_FLUSH)
    pieces.append(compressor.compress(parts[-1]) + compressor.flush(zlib.Z_FINISH))
    return (_HEADER + pieces[0], *pieces[1:])


def _unpacked(packed: bytes) -> bytes | None:
    try:
        return zlib.decompress(packed, zlib.MAX_WBITS | 16)
    except zlib.error:
        return None


def _contributions(parts: list[bytes], length: int) -> tuple[array[int], ...]:
    """Return the tables of :attr:`SplicedGzip.contributions`.

    A byte that ``n`` others follow contributes its polynomial times ``x**(8 * n)``; the occurrences of one position add
    up to one factor.
    """
    powers = _Powers()
    factor, behind = 0, 0
    for part in reversed(parts[1:]):
        behind += len(part)
        factor ^= powers.of(8 * behind)
        behind += length
    tables = []
    for position in range(length):
        here = _times(factor, powers.of(8 * (length - 1 - position)))
        bits = [_times(here, zlib.crc32(bytes([1 << bit]), _ALL) ^ _ALL) for bit in range(8)]
        table = [0] * 256
        for bit, value in enumerate(bits):
            for low in range(1 << bit):
                table[1 << bit | low] = table[low] ^ value
        tables.append(array("I", table))
    return tuple(tables)


class _Powers:
    """Powers of ``x`` modulo the polynomial."""

    def __init__(self) -> None:
        self._squares = [_ONE >> 1]

    def of(self, exponent: int) -> int:
        result, bit = _ONE, 0
        while exponent:
            if bit == len(self._squares):
                self._squares.append(_times(self._squares[-1], self._squares[-1]))
            if exponent & 1:
                result = _times(result, self._squares[bit])
            exponent >>= 1
            bit += 1
        return result


def _times(one: int, other: int) -> int:
    """Return the product of two polynomials, bits reversed as in the checksum, modulo the polynomial."""
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = one << 1 & _ALL
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product
