"""``/api/v1/wanted``: what should be built next, and where a selector tells that it had to refuse.

A report is anonymous and needs no token, so nothing of it is believed that the catalog does not bear out: the project
and the release must be here, the missing features must be asked for by one of its wheels and absent from the CPU. What
can tell two reports apart is then bounded by what is hosted, and the table by its own limits.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from cpufit_resolver.baseline import platform_baseline
from cpufit_resolver.errors import CpufitError
from cpufit_resolver.profile import CpuProfile
from cpufit_resolver.refusals import NEEDS_FEATURES, NOT_INSPECTED, OTHER_PLATFORM
from cpufit_resolver.wanted import told_cpu
from cpufit_wheelhouse.catalog import Demand
from cpufit_wheelhouse.demand import refused_release
from cpufit_wheelhouse.offers import relevant_features
from cpufit_wheelhouse.releases import Release, releases_of

from . import answers
from .bodies import ReportBody
from .errors import InvalidReport, NotFound, ReportTooLarge, TooManyReports
from .ranking import DEFAULT_DAYS, ranked
from .reading import reader_of
from .services import services_of

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import ProjectSnapshot
    from cpufit_wheelhouse.home import Home

router = APIRouter()

_MOST_DAYS = 3650
_LISTED, _MOST_LISTED = 100, 1000
"""How many releases one answer has where nobody says, and at the most."""
_FIELDS = {"project", "version", "cpu", "missing", "python", "platform"}
_PYTHON = re.compile(r"3\.\d{1,2}")
_PLATFORM = re.compile(r"[a-z0-9_]{1,64}")


@router.get("/api/v1/wanted", response_model=answers.WantedReleases, responses=answers.READING)
@router.head("/api/v1/wanted", include_in_schema=False)
def wanted(request: Request, project: str | None = None, days: int = DEFAULT_DAYS, limit: int = _LISTED) -> Response:
    """Answer with what is wanted and not here, most of all first."""
    services = services_of(request)
    waiting = () if services.demands is None else services.demands.waiting()
    days = max(1, min(days, _MOST_DAYS))
    reader = reader_of(request)
    everything = ranked(services.home, services.settings, waiting, project=project, days=days)
    found = [one for one in everything if reader.reads(one.project)]
    shown = found[: max(1, min(limit, _MOST_LISTED))]
    body = {"days": days, "releases": len(found), "wanted": [one.as_dict() for one in shown]}
    return JSONResponse(body, headers={"Cache-Control": "private, no-cache"})


@router.post(
    "/api/v1/wanted",
    status_code=204,
    response_class=Response,
    responses=answers.problems(
        status_400="It is no report, or the catalog does not bear it out.",
        status_401="Reading is private here, and no token was sent.",
        status_403="Reading is private here, and the token does not do.",
        status_404="There is no such project, or nothing is counted here.",
        status_413="It is too long.",
        status_429="There are too many reports.",
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ReportBody.model_json_schema()}},
        }
    },
)
async def report(request: Request) -> Response:
    """Count what a selector had to refuse; the answer does not tell whether it was counted before."""
    services = services_of(request)
    demands = services.demands
    if demands is None:
        raise NotFound("demands are not counted here", code="demands-not-counted")
    if not demands.admit_report():
        raise TooManyReports("too many reports; this one is not counted, and nothing depends on it")
    told = _told(await _body(request, services.settings.wanted_max_report_bytes))
    demand = await run_in_threadpool(_demand, services.home, told)
    demands.count(demand, request.client.host if request.client else None)
    return Response(status_code=204, headers={"Cache-Control": "no-store"})


def _demand(home: Home, told: dict[str, Any]) -> Demand:
    snapshot = home.catalog.snapshot(told["project"])
    if snapshot is None:
        raise NotFound(f"there is no project {told['project']} on this server", code="no-such-project")
    return demand_of_report(told, snapshot.shown())


async def _body(request: Request, most: int) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidReport("a report is application/json", where="Content-Type")
    gathered = bytearray()
    async for piece in request.stream():
        gathered += piece
        if len(gathered) > most:
            raise ReportTooLarge(f"a report has at most {most} bytes")
    try:
        return json.loads(gathered)
    except (ValueError, RecursionError):
        raise InvalidReport("not JSON") from None


def _told(body: Any) -> dict[str, Any]:
    """Return the fields of a report, each of the right kind."""
    if not isinstance(body, dict) or set(body) != _FIELDS:
        raise InvalidReport(f"a report is an object of {', '.join(sorted(_FIELDS))}")
    missing = body["missing"]
    if not isinstance(missing, list) or not all(isinstance(name, str) for name in missing):
        raise InvalidReport("a list of features", where="missing")
    for field in _FIELDS - {"missing"}:
        if not isinstance(body[field], str):
            raise InvalidReport("a text", where=field)
    if not _PYTHON.fullmatch(body["python"]):
        raise InvalidReport("a version such as 3.11", where="python")
    if not _PLATFORM.fullmatch(body["platform"]):
        raise InvalidReport("a platform tag", where="platform")
    try:
        body["project"] = canonicalize_name(body["project"], validate=True)
    except InvalidName:
        raise InvalidReport("not a project's name", where="project") from None
    return body


def demand_of_report(told: dict[str, Any], snapshot: ProjectSnapshot) -> Demand:
    """Return the demand that a report tells of, as far as the project bears it out.

    :raises InvalidReport: it does not
    """
    release = _release(snapshot, told["version"])
    try:
        profile = CpuProfile.parse(told["cpu"], strict=False)
    except CpufitError as error:
        raise InvalidReport(error.message, where="cpu") from None
    if profile.arch not in platform_baseline(told["platform"]):
        raise InvalidReport("the platform is not one of this CPU", where="platform")
    missing = frozenset(told["missing"])
    if missing - relevant_features(release.wheels) or missing & profile.features:
        raise InvalidReport("features that no wheel of the release asks for, or that the CPU has", where="missing")
    reason = NEEDS_FEATURES
    if not missing:
        known = refused_release(release, snapshot.project, profile)
        reason = NOT_INSPECTED if known == NOT_INSPECTED else OTHER_PLATFORM
    return Demand(
        project=snapshot.project.name,
        version=release.version,
        reason=reason,
        cpu=told_cpu(profile, relevant_features(snapshot.files)),
        missing=tuple(sorted(missing)),
        python=told["python"],
        platform=told["platform"],
    )


def _release(snapshot: ProjectSnapshot, text: str) -> Release:
    try:
        version = Version(text[:255])
    except InvalidVersion:
        raise InvalidReport("not a version", where="version") from None
    for release in releases_of(snapshot.files):
        if Version(release.version) == version:
            return release
    raise InvalidReport("there is no such release", where="version")
