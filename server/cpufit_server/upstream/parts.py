"""Parts of wheels that are not cached, for who looks into one: each is asked for once, and remembered for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from cpufit_server.pages import BoundedCache

from .flights import Flights

if TYPE_CHECKING:
    from cpufit_wheelhouse.simple_page import PageFile

    from .client import UpstreamClient

_PARTS = 1024
_BYTES = 16 << 20
"""How many parts, and bytes of them, are remembered: many clients ask for the same ones at about the same time."""


class Parts:
    """Parts of files; belongs to one event loop."""

    def __init__(self, client: UpstreamClient, *, at_once: int) -> None:
        """Take where they come from, and how many are asked for at once: each is in memory as a whole."""
        self._client = client
        self._gate = anyio.Semaphore(at_once)
        self._flights = Flights[bytes]()
        self._kept = BoundedCache[bytes](entries=_PARTS, weight=_BYTES, weigh=len)

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def get(self, file: PageFile, start: int, stop: int) -> bytes:
        """Return some bytes of a file, as the upstream gives them.

        :param file: with a SHA-256
        :raises UpstreamFailed: it does not give just these
        """
        key = (file.hashes["sha256"], start, stop)
        found = self._kept.get(key)
        if found is None:
            found = await self._flights.join(key, lambda: self._asked(file, start, stop))
            self._kept.put(key, found)
        return found

    async def _asked(self, file: PageFile, start: int, stop: int) -> bytes:
        async with self._gate:
            return await self._client.part(file.filename, file.url, start, stop)
