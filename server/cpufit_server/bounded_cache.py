"""A cache in memory that is bounded in two ways: by the number of its entries, and by what they weigh."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_Kept = TypeVar("_Kept")


class BoundedCache(Generic[_Kept]):
    """Keeps what was used last, up to a number of entries and a weight; safe for many threads."""

    def __init__(self, *, entries: int, weight: int, weigh: Callable[[_Kept], int]) -> None:
        self._entries = entries
        self._weight = weight
        self._weigh = weigh
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._used = 0
        self._hits = self._misses = 0
        self._lock = threading.Lock()

    @property
    def figures(self) -> tuple[int, int]:
        """How often something was found here, and how often not."""
        return self._hits, self._misses

    def get(self, key: Hashable, *, looks_again: bool = False) -> _Kept | None:
        """Return what is kept under a key, or None.

        :param looks_again: who does not find it will look once more, and is counted then
        """
        with self._lock:
            if key not in self._kept:
                self._misses += not looks_again
                return None
            self._hits += 1
            self._kept.move_to_end(key)
            return self._kept[key]

    def put(self, key: Hashable, value: _Kept) -> None:
        """Keep a value; what was used longest ago makes room."""
        with self._lock:
            old = self._kept.pop(key, None)
            if old is not None:
                self._used -= self._weigh(old)
            self._kept[key] = value
            self._used += self._weigh(value)
            while self._kept and (len(self._kept) > self._entries or self._used > self._weight):
                self._used -= self._weigh(self._kept.popitem(last=False)[1])

    def __len__(self) -> int:
        return len(self._kept)
