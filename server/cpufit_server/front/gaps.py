"""What splicing has in common, whatever compresses: a text cut where a word stands, and a result that is tried out."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, TypeVar

LONGEST_WORD = 0xFFFF
"""Bytes that go into one stored block."""

_TRIES = 8


class Spliced(Protocol):
    """A compressed text with a gap wherever the word stood."""

    def with_word(self, word: bytes) -> bytes:
        """Return the compressed text with this word in the gaps."""


_Spliced = TypeVar("_Spliced", bound=Spliced)


def parts_between(text: bytes, word: bytes) -> list[bytes]:
    """Return what stands between the words; nothing where the word is not there, or cannot be left out."""
    parts = text.split(word) if 0 < len(word) <= LONGEST_WORD else []
    return parts if len(parts) > 1 else []


def same_length(word: bytes, length: int) -> bytes:
    """Return a word that fits into the gaps.

    :raises ValueError: it does not
    """
    if len(word) != length:
        raise ValueError(f"a word of {len(word)} bytes where {length} are left out")
    return word


def that_works(
    make: Callable[[], _Spliced], parts: list[bytes], word: bytes, unpack: Callable[[bytes], bytes | None]
) -> _Spliced | None:
    """Return a splice that unpacks to the text with any word; None where none of a few does.

    :param make: makes another one each time
    :param unpack: returns None for what cannot be unpacked
    """
    for _ in range(_TRIES):
        made = make()
        words = (word, os.urandom(len(word)))
        if all(unpack(made.with_word(other)) == other.join(parts) for other in words):
            return made
    return None
