"""The counted demands: a row for each that differs on each day, bounded in number and in age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from packaging.utils import canonicalize_name
from sqlalchemy import Connection, Engine, Row, delete, func, insert, select, update

from . import schema
from .bookkeeping import Demand, DemandCount
from .engine import for_writing


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandLimits:
    """How much is kept of demands."""

    rows: int = 100_000
    """The oldest, and of one day the least wanted, make room."""
    count: int = 1_000
    """The most that one demand counts on one day: nobody makes something wanted alone."""
    days: int = 365


class DemandTable:
    """The demands of one catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def add(self, counts: Mapping[Demand, int], day: date, limits: DemandLimits) -> None:
        """Count demands, in one transaction, and remove what is beyond the limits."""
        with self._writer.begin() as connection:
            for demand, count in counts.items():
                _count(connection, demand, count, day, limits)
            _evict(connection, day, limits)

    def counted(self, project: str | None = None, *, since: date | None = None) -> tuple[DemandCount, ...]:
        """Return the demands, oldest day first: all, those for a project, or those from a day on."""
        wanted = schema.wanted
        query = select(wanted).order_by(wanted.c.day, wanted.c.id)
        if project is not None:
            query = query.where(wanted.c.project == canonicalize_name(project))
        if since is not None:
            query = query.where(wanted.c.day >= since)
        with self._engine.begin() as connection:
            return tuple(map(_demand, connection.execute(query)))

    def clear(self, project: str | None = None) -> int:
        """Forget the demands, or those for a project; returns how many rows these were."""
        wanted = schema.wanted
        change = delete(wanted)
        if project is not None:
            change = change.where(wanted.c.project == canonicalize_name(project))
        with self._writer.begin() as connection:
            return connection.execute(change).rowcount


def _count(connection: Connection, demand: Demand, count: int, day: date, limits: DemandLimits) -> None:
    wanted = schema.wanted
    known = (wanted.c.day == day, wanted.c.key == demand.key)
    before = connection.execute(select(wanted.c.demand).where(*known)).scalar_one_or_none()
    if before is not None:
        value = min(before + count, limits.count)
        connection.execute(update(wanted).where(*known).values(demand=value))
        return
    row = {
        "key": demand.key,
        "day": day,
        "project": demand.project,
        "version": demand.version,
        "reason": demand.reason,
        "cpu": demand.cpu,
        "missing": list(demand.missing),
        "python": demand.python,
        "platform": demand.platform,
        "demand": min(count, limits.count),
    }
    connection.execute(insert(wanted), row)


def _evict(connection: Connection, today: date, limits: DemandLimits) -> None:
    wanted = schema.wanted
    connection.execute(delete(wanted).where(wanted.c.day < today - timedelta(days=limits.days)))
    excess = connection.execute(select(func.count()).select_from(wanted)).scalar_one() - limits.rows
    if excess > 0:
        least = select(wanted.c.id).order_by(wanted.c.day, wanted.c.demand, wanted.c.id).limit(excess)
        connection.execute(delete(wanted).where(wanted.c.id.in_(least)))


def _demand(row: Row[Any]) -> DemandCount:
    demand = Demand(
        project=row.project,
        version=row.version,
        reason=row.reason,
        cpu=row.cpu,
        missing=tuple(row.missing),
        python=row.python,
        platform=row.platform,
    )
    return DemandCount(demand=demand, day=row.day, count=row.demand)
