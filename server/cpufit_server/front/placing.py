"""Putting the front, and who watches, before an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpufit_server.watching import Watching
from cpufit_wheelhouse.catalog.reading import CATALOG

from .app import Front
from .serials import SqliteSerials

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from cpufit_server.preparing import Prepared
    from cpufit_server.settings import Settings


def placed_before(back: ASGIApp, settings: Settings, prepared: Prepared) -> ASGIApp:
    """Return the application that a server runs: answers that are ready before the framework is asked, and watchers.

    No ready answers where reading is private: who may have one is looked up for each request there.
    """
    answering = back
    if not settings.private_reading:
        answering = Front(back, settings, lambda: SqliteSerials(settings.home / CATALOG), prepared.ready)
    return Watching(answering, watchers=prepared.watchers) if prepared.watchers else answering
