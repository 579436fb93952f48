"""What many threads want at the same instant is made by the first, and given to the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

_Made = TypeVar("_Made")


@dataclass(slots=True)
class _Making(Generic[_Made]):
    ended: threading.Event = field(default_factory=threading.Event)
    made: _Made = field(init=False)
    error: BaseException | None = None


class MadeOnce(Generic[_Made]):
    """Makes one thing for each key at a time; safe for many threads. Nothing is kept: that is a cache's affair."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, _Making[_Made]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], _Made]) -> _Made:
        """Return what ``make`` returns; who comes while somebody makes the same waits for that and gets the same.

        Nobody waits for more than one: what fails, fails for all who waited.

        :param key: has to tell apart whatever may not be given to somebody else
        :raises BaseException: what ``make`` raises
        """
        with self._lock:
            making = self._under_way.get(key)
            mine = making is None
            if making is None:
                making = self._under_way[key] = _Making()
        if mine:
            self._make(key, making, make)
        else:
            making.ended.wait()
        if making.error is not None:
            raise making.error
        return making.made

    def _make(self, key: Hashable, making: _Making[_Made], make: Callable[[], _Made]) -> None:
        try:
            making.made = make()
        except BaseException as error:  # noqa: BLE001  # whatever it is, nobody may wait for ever
            making.error = error
        finally:
            with self._lock:
                del self._under_way[key]
            making.ended.set()

    def __len__(self) -> int:
        return len(self._under_way)
