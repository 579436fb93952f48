"""Counting what is wanted and not here, beside the requests and not in their way.

A page or a report adds to a table in memory, which costs microseconds; a task writes it to the catalog every
``CPUFIT_WANTED_FLUSH_SECONDS`` and when the server stops. A killed server loses what it counted since the last time.

Nothing personal is kept. So that a client which asks again is not counted again, a keyed digest of its address and
its demand is remembered until midnight (UTC), in memory alone; the key is random, and thrown away with the digests.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import json
import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from cpufit_wheelhouse.catalog import Demand, DemandCount, DemandLimits
from cpufit_wheelhouse.storage_failures import logged

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog.demands import DemandTable

    from .settings import Settings

_log = logging.getLogger(__name__)


_BATCH = 500
"""Demands written in one transaction: an upload waits for no more of them."""


def _today() -> date:
    return datetime.now(timezone.utc).date()


def demand_limits(settings: Settings) -> DemandLimits:
    """Return how much the settings let be kept."""
    return DemandLimits(
        rows=settings.wanted_max_rows, count=settings.wanted_max_per_day, days=settings.wanted_keep_days
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountingLimits:
    """How much is kept in memory."""

    demands: int = 10_000
    """Demands that wait to be written; further ones are not counted."""
    clients: int = 100_000
    """Digests of who asked for what on one day; when there are as many, nothing more is counted that day."""
    reports_per_minute: int = 60


class Demands:
    """The demands of one server since they were last written; safe for many threads."""

    def __init__(
        self,
        table: DemandTable,
        kept: DemandLimits,
        limits: CountingLimits,
        *,
        today: Callable[[], date] = _today,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where they are written to, how much is kept there and here, and what time it is."""
        self._table = table
        self._kept = kept
        self._limits = limits
        self._today = today
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: Counter[tuple[date, Demand]] = Counter()
        self._day = today()
        self._key = secrets.token_bytes(32)
        self._seen: set[bytes] = set()
        self._allowance = float(limits.reports_per_minute)
        self._allowed_at = clock()

    def count(self, demand: Demand, client: str | None) -> bool:
        """Count a demand, once a day for each client; False where it is not counted.

        :param client: its address as the connection has it, which is forgotten at once
        """
        with self._lock:
            self._turn_day()
            # without Python and platform: a page tells less of them than a selector does, and it is one client
            wish = json.dumps([_network(client), demand.project, demand.version, demand.cpu])
            digest = hashlib.blake2b(wish.encode(), key=self._key, digest_size=8).digest()
            if digest in self._seen or len(self._seen) >= self._limits.clients:
                return False
            entry = (self._day, demand)
            if entry not in self._waiting and len(self._waiting) >= self._limits.demands:
                return False
            self._seen.add(digest)
            self._waiting[entry] += 1
            return True

    def admit_report(self) -> bool:
        """Tell whether one more report may be read: so many a minute, whoever sends them."""
        with self._lock:
            now = self._clock()
            most = float(self._limits.reports_per_minute)
            self._allowance = min(most, self._allowance + (now - self._allowed_at) * most / 60)
            self._allowed_at = now
            if self._allowance < 1:
                return False
            self._allowance -= 1
            return True

    def waiting(self) -> tuple[DemandCount, ...]:
        """Return what is not written yet."""
        with self._lock:
            return tuple(
                DemandCount(demand=demand, day=day, count=count) for (day, demand), count in self._waiting.items()
            )

    def flush(self) -> None:
        """Write what waits; what cannot be written now waits for the next time."""
        with self._lock:
            taken, self._waiting = self._waiting, Counter()
        by_day: dict[date, dict[Demand, int]] = {}
        for (day, demand), count in taken.items():
            by_day.setdefault(day, {})[demand] = count
        for day, counts in by_day.items():
            entries = list(counts.items())
            for start in range(0, len(entries), _BATCH):
                self._write(day, dict(entries[start : start + _BATCH]))

    def _write(self, day: date, counts: dict[Demand, int]) -> None:
        try:
            self._table.add(counts, day, self._kept)
        except SQLAlchemyError as error:
            _log.warning("demands are written later: %s", logged(error))
            with self._lock:
                self._waiting.update({(day, demand): count for demand, count in counts.items()})

    async def keep_flushing(self, seconds: float) -> None:
        """Write every so many seconds, until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await run_in_threadpool(self.flush)

    def _turn_day(self) -> None:
        today = self._today()
        if today != self._day:
            self._day = today
            self._key = secrets.token_bytes(32)
            self._seen.clear()


def _network(client: str | None) -> str:
    """Return the address as far as it stands for one client: a household has a whole /64 of IPv6."""
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return ""
    if address.version == 6:
        return str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
