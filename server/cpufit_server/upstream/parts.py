"""Parts of wheels that are not cached, for who looks into one: each is asked for once, and remembered for a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from cpufit_server.bounded_cache import BoundedCache

from .flights import Flights

if TYPE_CHECKING:
    from cpufit_wheelhouse.simple_page import PageFile

    from .client import UpstreamClient

_FILES = 1024
_BYTES = 16 << 20
"""Of how many files parts are remembered, and how many bytes of them: many clients ask for the same ones at about the
same time."""
_SECONDS = 60.0
"""How long: no hash tells whether a part is right."""


@dataclass(frozen=True, slots=True)
class _Known:
    until: float
    parts: Mapping[tuple[int, int], bytes]

    @property
    def weight(self) -> int:
        return sum(map(len, self.parts.values()))


class Parts:
    """Parts of files; belongs to one event loop."""

    def __init__(self, client: UpstreamClient, *, at_once: int) -> None:
        """Take where they come from, and how many are asked for at once: each is in memory as a whole."""
        self._client = client
        self._gate = anyio.Semaphore(at_once)
        self._flights = Flights[bytes]()
        self._kept = BoundedCache[_Known](entries=_FILES, weight=_BYTES, weigh=lambda known: known.weight)

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def get(self, file: PageFile, start: int, stop: int) -> bytes:
        """Return some bytes of a file, as the upstream gives them.

        :param file: with a SHA-256
        :raises UpstreamFailed: it does not give just these
        """
        sha256, part = file.hashes["sha256"], (start, stop)
        found = self._known(sha256).parts.get(part)
        if found is None:
            found = await self._flights.join((sha256, part), lambda: self._asked(file, start, stop))
            known = self._known(sha256)
            self._kept.put(sha256, _Known(known.until, {**known.parts, part: found}))
        return found

    def forget(self, sha256: str) -> None:
        """Remember nothing of a file: what came of it was not what its page says."""
        self._kept.put(sha256, _Known(0, {}))

    def _known(self, sha256: str) -> _Known:
        known, now = self._kept.get(sha256), time.monotonic()
        return known if known is not None and now < known.until else _Known(now + _SECONDS, {})

    async def _asked(self, file: PageFile, start: int, stop: int) -> bytes:
        async with self._gate:
            return await self._client.part(file.filename, file.url, start, stop)
