"""``GET /simple/``: the pages that installers read, with the caching headers that each of them needs.

A page that lists a selector is ``no-store`` and never a 304: its addresses are new each time, because the build caches
of pip and uv have no CPU in their keys. Every other page has a strong entity tag and is asked for again each time,
which costs one row of the catalog. Each page is at an address with a slash at its end, and the same address without it
leads there (PEP 503).
"""

from __future__ import annotations

import logging
import re
import time
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from packaging.utils import canonicalize_name
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from cpufit_resolver.profile import CpuProfile
from cpufit_resolver.wanted import told_cpu
from cpufit_wheelhouse.catalog import Demand

from .client import Asker, asker_of_token, asker_of_user_agent, surroundings_of
from .demands import Demands
from .errors import NotFound, UpstreamFailed
from .front.keeping import NOT_HOSTED, KeptPage, is_elsewhere, keep
from .negotiation import Form, form_wanted
from .page_response import page_response
from .pages import Beside, RenderedPage
from .reading import reader_of
from .services import Services, services_of

if TYPE_CHECKING:
    from .upstream.passed import Passed

router = APIRouter()

UPSTREAM_HEADER = "X-Cpufit-Upstream"
"""Tells that a page is not what the upstream has now: ``stale; age=SECONDS``, or ``unavailable``."""

_log = logging.getLogger(__name__)
_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
_METHODS = ["GET", "HEAD"]


@router.api_route("/simple", methods=_METHODS)
@router.api_route("/cpu/{token}/simple", methods=_METHODS)
def index_without_slash(request: Request) -> Response:
    """Lead to the list of projects."""
    return _elsewhere(request, "simple/")


@router.api_route("/simple/", methods=_METHODS)
def index(request: Request) -> Response:
    """Answer with the list of projects."""
    form = _form(request)
    return page_response(request, services_of(request).pages.index(form, reader_of(request)), form, shared=False)


@router.api_route("/cpu/{token}/simple/", methods=_METHODS)
def index_for_cpu(request: Request, token: str) -> Response:
    """Answer with the list of projects, which is the same for every CPU."""
    del token
    form = _form(request)
    return page_response(request, services_of(request).pages.index(form, reader_of(request)), form, shared=True)


@router.api_route("/simple/{name}/", methods=_METHODS)
@router.api_route("/simple/{name}", methods=_METHODS)
async def project(request: Request, name: str) -> Response:
    """Answer with a project's page in the view of whoever asks."""
    settings = services_of(request).settings
    asker = asker_of_user_agent(
        request.headers.get("user-agent"),
        max_length=settings.max_user_agent_length,
        max_token_length=settings.max_token_length,
    )
    return await _project(request, name, asker, root="../../", shared=False)


@router.api_route("/cpu/{token}/simple/{name}/", methods=_METHODS)
@router.api_route("/cpu/{token}/simple/{name}", methods=_METHODS)
async def project_for_cpu(request: Request, token: str, name: str) -> Response:
    """Answer with a project's page for the CPU in the address; who asks does not matter."""
    asker = asker_of_token(token, max_token_length=services_of(request).settings.max_token_length)
    return await _project(request, name, asker, root="../../../../", shared=True)


async def _project(request: Request, name: str, asker: Asker, *, root: str, shared: bool) -> Response:
    if not _NAME.fullmatch(name):
        raise NotFound(f"{name[:80]!r} is not a project's name")
    # Not request.url, which is put together from the Host header.
    slash = request.scope["path"].endswith("/")
    normalised = canonicalize_name(name)
    if normalised != name or not slash:
        # PEP 503: other spellings of the name may be redirected, and what lacks the slash should be.
        return _elsewhere(request, f"../{normalised}/" if slash else f"{normalised}/")
    form = _form(request)
    services = services_of(request)
    hosted = partial(services.pages.project, name, asker, form, root)
    page = None if is_elsewhere(request.scope, name) else await run_in_threadpool(hosted)
    told: dict[str, str] = {}
    if page is None:
        passed = await _from_upstream(services, name, asker, form, root)
        # The first file of this name may have come in meanwhile, and then the name is ours.
        page = None if is_elsewhere(request.scope, name) else await run_in_threadpool(hosted)
        if page is None:
            return await _passed_on(request, name, passed, form)
    if page.merges:
        beside = await _beside(services, name, asker, root, told)
        page = await run_in_threadpool(partial(hosted, beside=beside))
        shared = False
    if page is None:
        raise _no_project(name)
    on_hit = None
    if page.unmet is not None and asker.profile is not None and services.demands is not None:
        longest = services.settings.max_user_agent_length
        on_hit = partial(_count, services.demands, name, asker.profile, page, longest)
        on_hit(request)
    if page.serial is not None and not page.merges:
        kept = KeptPage(name=name, serial=page.serial, page=page, form=form, shared=shared, on_hit=on_hit)
        keep(request.scope, kept)
    response = await run_in_threadpool(page_response, request, page, form, shared=shared)
    response.headers.update(told)
    return response


def _no_project(name: str) -> NotFound:
    return NotFound(f"there is no project {name[:80]}", code="no-such-project")


def _form(request: Request) -> Form:
    return form_wanted(
        request.headers.get("accept"),
        request.headers.get("accept-encoding"),
        request.query_params.getlist("format"),
    )


def _elsewhere(request: Request, path: str) -> Response:
    """Lead to an address near by: relative, so it holds behind any prefix and whatever the Host header says."""
    query = request.scope["query_string"].decode("latin-1")
    return RedirectResponse(f"{path}?{query}" if query else path, status_code=301)


def _count(
    demands: Demands, name: str, profile: CpuProfile, page: RenderedPage, longest: int, request: Request
) -> None:
    """Count that a client cannot have the newest release: in memory, so that no page waits for it."""
    if page.unmet is None:
        return
    python, platform = surroundings_of(request.headers.get("user-agent"), profile.arch, max_length=longest)
    demand = Demand(
        project=name,
        version=page.unmet.version,
        reason=page.unmet.reason,
        cpu=told_cpu(profile, page.relevant),
        missing=page.unmet.missing,
        python=python,
        platform=platform,
    )
    demands.count(demand, request.client.host if request.client else None)


async def _from_upstream(services: Services, name: str, asker: Asker, form: Form, root: str) -> Passed | None:
    return None if services.upstream is None else await services.upstream.rendered(name, asker, form, root)


async def _passed_on(request: Request, name: str, passed: Passed | None, form: Form) -> Response:
    """Answer with a page of the upstream. Its name may be hosted tomorrow, so it is nobody's to share."""
    if passed is None:
        raise _no_project(name)
    if passed.still is not None:
        kept = KeptPage(name=name, serial=NOT_HOSTED, page=passed.page, form=form, shared=False, still=passed.still)
        keep(request.scope, kept)
    response = page_response(request, passed.page, form, shared=False)
    response.headers.update(_staleness(passed.stale_since))
    return response


async def _beside(services: Services, name: str, asker: Asker, root: str, told: dict[str, str]) -> Beside | None:
    """Return what the upstream has of a hosted name; what is hosted is had also while the upstream fails."""
    try:
        found = None if services.upstream is None else await services.upstream.beside(name, asker, root)
    except UpstreamFailed as error:
        _log.warning("%s; what is hosted of it is listed alone", error)
        told[UPSTREAM_HEADER] = "unavailable"
        return None
    if found is not None:
        told.update(_staleness(found.stale_since))
    return found


def _staleness(since: float | None) -> dict[str, str]:
    return {} if since is None else {UPSTREAM_HEADER: f"stale; age={max(0, round(time.time() - since))}"}
