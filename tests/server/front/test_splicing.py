"""A spliced gzip file is a gzip file of the text with that word, whatever text and word."""

from __future__ import annotations

import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from cpufit_server.front.splicing import splice_gzip
from cpufit_server.front.splicing_zstd import splice_zstd

WORD = b"0123456789abcdefghijkl"
_WORDS = st.binary(min_size=len(WORD), max_size=len(WORD))


@given(parts=st.lists(st.binary(max_size=300), min_size=2, max_size=8), word=_WORDS)
def test_any_word_goes_in(parts: list[bytes], word: bytes) -> None:
    text = WORD.join(parts)
    spliced = splice_gzip(text, WORD)
    assert spliced is not None
    assert gzip.decompress(spliced.with_word(word)) == word.join(text.split(WORD))


@given(text=st.binary(max_size=100), word=st.binary(min_size=1, max_size=100))
def test_a_word_of_any_length_is_left_out(text: bytes, word: bytes) -> None:
    spliced = splice_gzip(text + word + text, word)
    assert spliced is not None
    other = bytes(reversed(word))
    assert gzip.decompress(spliced.with_word(other)) == other.join((text + word + text).split(word))


def test_a_text_that_repeats_itself_is_compressed_across_the_gaps() -> None:
    line = b"a line of a page that says the same as all the others, at some length, but for " + WORD + b" in it\n"
    spliced = splice_gzip(line * 500, WORD)
    assert spliced is not None
    packed = spliced.with_word(WORD)
    assert gzip.decompress(packed) == line * 500
    # each gap costs the word itself, its block's head and the end of the block before it
    assert len(packed) < 500 * (len(WORD) + 24)


def test_every_reader_checks_the_sum() -> None:
    spliced = splice_gzip(b"before " + WORD + b" after", WORD)
    assert spliced is not None
    packed = bytearray(spliced.with_word(WORD))
    packed[packed.index(WORD)] ^= 1
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(bytes(packed))
    with pytest.raises(zlib.error, match="incorrect data check"):
        zlib.decompress(bytes(packed), zlib.MAX_WBITS | 16)


def test_a_text_without_the_word_is_not_spliced() -> None:
    assert splice_gzip(b"nothing here", WORD) is None
    assert splice_gzip(b"nothing here", b"") is None
    assert splice_gzip(b"w" * 70_000, b"w" * 70_000) is None


def test_another_length_is_refused() -> None:
    spliced = splice_gzip(WORD * 2, WORD)
    assert spliced is not None
    with pytest.raises(ValueError, match="21 bytes where 22 are left out"):
        spliced.with_word(WORD[:-1])


class TestZstd:
    @given(parts=st.lists(st.binary(max_size=300), min_size=2, max_size=8), word=_WORDS)
    def test_any_word_goes_in(self, parts: list[bytes], word: bytes) -> None:
        text = WORD.join(parts)
        spliced = splice_zstd(text, WORD)
        assert spliced is not None
        assert unpacked(spliced.with_word(word)) == word.join(text.split(WORD))

    def test_a_text_that_repeats_itself_is_compressed_across_the_gaps(self) -> None:
        line = b"a line of a page that says the same as all the others, at some length, but for " + WORD + b" in it\n"
        spliced = splice_zstd(line * 500, WORD)
        assert spliced is not None
        packed = spliced.with_word(WORD)
        assert unpacked(packed) == line * 500
        assert len(packed) < 500 * (len(WORD) + 24)

    def test_a_text_without_the_word_is_not_spliced(self) -> None:
        assert splice_zstd(b"nothing here", WORD) is None
        assert splice_zstd(b"nothing here", b"") is None


def unpacked(packed: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(packed)
