"""Gzip files put together from pieces: every reader has to take them."""

from __future__ import annotations

import gzip
import zlib
from itertools import product

import pytest

from cpufit_pip_plugin.selector.deflate import GzipPieces, compressed_piece

PIECES = [b"", b"a", b"the same words, " * 500, bytes(range(256)) * 10]


def put_together(pieces: list[bytes], ready: tuple[bool, ...]) -> bytes:
    archive = GzipPieces()
    for data, is_ready in zip(pieces, ready, strict=True):
        if is_ready:
            archive.add_compressed(data, compressed_piece(data))
        else:
            archive.add(data)
    return archive.finish()


@pytest.mark.parametrize("ready", list(product([False, True], repeat=4)))
def test_whatever_was_compressed_before_the_file_is_one_gzip_member(ready: tuple[bool, ...]) -> None:
    data = put_together(PIECES, ready)
    assert gzip.decompress(data) == b"".join(PIECES)
    # a reader that stops after the first member has seen everything
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert reader.decompress(data) == b"".join(PIECES)
    assert reader.eof
    assert reader.unused_data == b""


def test_a_piece_stands_anywhere_since_it_looks_back_at_nothing() -> None:
    piece = compressed_piece(PIECES[2])
    archive = GzipPieces()
    for _ in range(3):
        archive.add(PIECES[2])
        archive.add_compressed(PIECES[2], piece)
    assert gzip.decompress(archive.finish()) == PIECES[2] * 6


def test_the_same_pieces_give_the_same_bytes_and_no_time() -> None:
    ready = (True, False, True, False)
    data = put_together(PIECES, ready)
    assert data == put_together(PIECES, ready)
    assert data[4:8] == bytes(4)


def test_nothing_at_all_is_an_empty_file() -> None:
    assert gzip.decompress(GzipPieces().finish()) == b""
