"""What many ask for at the same time is done once, and each of them gets what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

_Made = TypeVar("_Made")


class Flights(Generic[_Made]):
    """Work under way, by what it is for; belongs to one event loop.

    Whoever goes away does not end the work: others may wait for it, and what comes of it is kept.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Task[_Made]] = {}

    async def join(self, key: Hashable, make: Callable[[], Awaitable[_Made]]) -> _Made:
        """Wait for the work under this key, and begin it where nobody has."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(_awaited(make))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    async def close(self) -> None:
        """End what is under way."""
        flights = tuple(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _landed(self, key: Hashable, flight: asyncio.Task[_Made]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # looked at, in case that everybody who waited went away


async def _awaited(make: Callable[[], Awaitable[_Made]]) -> _Made:
    return await make()
