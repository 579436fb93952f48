"""One at a time for each of many things: what many want at once is made by the first, and found by the rest."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Turn:
    lock: threading.Lock = field(default_factory=threading.Lock)
    wanted: int = 0
    """By how many threads, the one that has it too."""


class TurnsByKey:
    """A lock for each key, for as long as somebody wants it; safe for many threads."""

    def __init__(self) -> None:
        self._turns: dict[Hashable, _Turn] = {}
        self._lock = threading.Lock()

    @contextmanager
    def of(self, key: Hashable) -> Iterator[None]:
        """Let one thread at a time into the block, which looks first what is there by now; the others wait."""
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
            turn.wanted += 1
        try:
            with turn.lock:
                yield
        finally:
            with self._lock:
                turn.wanted -= 1
                if turn.wanted == 0:
                    del self._turns[key]

    def __len__(self) -> int:
        return len(self._turns)
