"""What the routes work with: one value, made when the application starts and closed when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from fastapi import Request

    from cpufit_wheelhouse.holding import Holding
    from cpufit_wheelhouse.home import Home
    from cpufit_wheelhouse.inspection.workers import InspectionPool

    from .auth import Tokens
    from .demands import Demands
    from .pages import Pages
    from .selectors import Selectors
    from .settings import Settings
    from .upstream.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a running server."""

    settings: Settings
    home: Home
    pages: Pages
    selectors: Selectors
    upstream: Upstream | None
    holding: Holding
    demands: Demands | None
    """Counts what is wanted and not here; None where the settings turn it off."""
    tokens: Tokens
    pool: InspectionPool | None
    """The workers that inspect; None where the settings turn that off."""
    uploads: CapacityLimiter
    """The threads in which uploads wait for their verdicts: no page waits for one of them."""


def services_of(request: Request) -> Services:
    """Return the services of the application that serves a request."""
    services: Services = request.app.state.services
    return services
