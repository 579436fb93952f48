"""The application: made by a function from settings, wired here and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, nullcontext
from functools import partial

from anyio import CapacityLimiter
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from cpufit_pip_plugin.selector import travelling_files
from cpufit_wheelhouse.holding import Holding
from cpufit_wheelhouse.home import Home

from . import api, files, health, held, management, openapi, simple, upload, wanted
from .auth import Tokens
from .bodies import BoundedBodies
from .demands import CountingLimits, Demands, demand_limits
from .front.placing import placed_before
from .pages import Pages
from .preparing import Prepared, prepare
from .problems import install_problem_handlers
from .reading import PrivateReading
from .selectors import Selectors
from .services import Services
from .settings import Settings
from .store import open_store
from .upstream import routes as upstream_routes
from .upstream.upstream import Upstream

PACKAGE_INDEX = (simple.router, files.router, upstream_routes.router, upload.router)
"""What speaks the forms of the Python package index."""

JSON_API = (api.router, management.router, held.router, wanted.router, health.router, openapi.router)
"""What the OpenAPI document tells of."""

ROUTERS = (*PACKAGE_INDEX, *JSON_API)
"""Everything that is served."""

_UPLOADS_AT_ONCE = 256
"""How many uploads are taken in or wait for their verdict at the same time; further ones wait for their turn."""


def create_app(settings: Settings, prepared: Prepared | None = None) -> FastAPI:
    """Return the application of one server; its home is opened when it starts and closed when it ends.

    Whoever serves it sets the event ``prepared.stopping`` as soon as it is to stop: uploads that wait for their
    verdicts are held then and answered, and taken up by the next server.

    :param prepared: what was settled before; without it that is done now, and may raise what
        :func:`~cpufit_server.preparing.prepare` does
    :raises InvalidSelector: what is installed beside this cpufit makes no selector that runs everywhere
    """
    travelling_files()  # told now, not when the first plain pip asks for a page
    prepared = prepare(settings) if prepared is None else prepared
    app = FastAPI(
        title="cpufit",
        lifespan=partial(_lifespan, settings=settings, prepared=prepared),
        # A redirect to the other spelling of a path would be built from the Host header; both spellings are routes.
        redirect_slashes=False,
        openapi_url=None,
    )
    app.state.prepared = prepared
    for router in ROUTERS:
        app.include_router(router, include_in_schema=router in JSON_API)
    install_problem_handlers(app)
    app.add_middleware(BoundedBodies, most=settings.max_request_bytes)
    if settings.private_reading:
        app.add_middleware(PrivateReading)
    return app


def in_front_of(app: FastAPI, settings: Settings) -> ASGIApp:
    """Return an application as a server runs it, with what stands before it."""
    return placed_before(app, settings, app.state.prepared)


@asynccontextmanager
async def _lifespan(app: FastAPI, *, settings: Settings, prepared: Prepared) -> AsyncIterator[None]:
    base_url, upstream, metrics = prepared.base_url, prepared.upstream, prepared.metrics
    kept = ExitStack()
    opening = open_store(
        settings, patience=settings.inspection_patience, hurry=prepared.stopping, signatures=prepared.signatures
    )
    store = await run_in_threadpool(kept.enter_context, opening)
    home = store.home
    passing = None if upstream is None else Upstream(upstream, settings, home, store.pool)
    demands = _demands(settings, home) if settings.wanted else None
    tokens = Tokens(home.catalog)
    background = [asyncio.create_task(tokens.keep_flushing())]
    if demands is not None:
        background.append(asyncio.create_task(demands.keep_flushing(settings.wanted_flush_seconds)))
    selectors = Selectors(home, base_url, wanted=settings.selectors_report)
    try:
        holding = Holding(home.path, home.catalog, home.blobs, home.ingest, settings.admission_rules)
        submit = None if store.pool is None else store.pool.submit
        await run_in_threadpool(holding.resume, submit)
        background.append(asyncio.create_task(held.keep_retrying(holding, submit)))
        app.state.services = Services(
            settings=settings,
            home=home,
            pages=Pages(
                home,
                selectors,
                entries=settings.page_cache_entries,
                weight=settings.page_cache_bytes,
                import_only=settings.allow_import_only,
                base_url=base_url,
            ),
            selectors=selectors,
            upstream=passing,
            holding=holding,
            demands=demands,
            tokens=tokens,
            pool=store.pool,
            uploads=CapacityLimiter(_UPLOADS_AT_ONCE),
        )
        with nullcontext() if metrics is None else metrics.served(settings, app.state.services, prepared.ready):
            yield
    finally:
        for task in background:
            task.cancel()
        await run_in_threadpool(tokens.flush)
        if demands is not None:
            await run_in_threadpool(demands.flush)
        if passing is not None:
            await passing.close()
        await run_in_threadpool(kept.close)


def _demands(settings: Settings, home: Home) -> Demands:
    limits = CountingLimits(
        demands=settings.wanted_max_waiting,
        clients=settings.wanted_max_clients,
        reports_per_minute=settings.wanted_reports_per_minute,
    )
    return Demands(home.catalog.demands, demand_limits(settings), limits)
