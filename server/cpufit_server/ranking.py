"""What should be built next: the counted demands of a home, ranked. The command and the route tell the same."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from cpufit_wheelhouse.demand import Wanted, rank, still_wanted

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import DemandCount, ProjectSnapshot
    from cpufit_wheelhouse.home import Home

    from .settings import Settings

DEFAULT_DAYS = 90
"""How far back is looked where nobody says."""


def ranked(
    home: Home,
    settings: Settings,
    waiting: tuple[DemandCount, ...] = (),
    *,
    project: str | None,
    days: int,
    everything: bool = False,
) -> tuple[Wanted, ...]:
    """Return what is wanted, most of all first.

    :param waiting: what a running server has counted and not written yet
    :param days: how many days count, today among them
    :param everything: also what was satisfied since
    """
    today = datetime.now(timezone.utc).date()
    since = today - timedelta(days=days - 1)
    name = None if project is None else canonicalize_name(project)
    near = [one for one in waiting if one.day >= since and name in (None, one.demand.project)]
    counts = (*home.catalog.demands.counted(name, since=since), *near)

    def snapshot_of(name: str) -> ProjectSnapshot | None:
        snapshot = home.catalog.snapshot(name)
        return None if snapshot is None else snapshot.shown()

    kept = counts if everything else still_wanted(counts, snapshot_of)
    return rank(kept, today, half_life_days=settings.wanted_half_life_days)
