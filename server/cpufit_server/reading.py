"""Private reading: with ``CPUFIT_PRIVATE_READING``, everything but ``/healthz`` is for tokens with the scope ``read``.

The check stands in front of the whole application, so a route that is added is closed before anybody thinks of it: an
address that is not known here is for tokens of every project alone. No token is 401, also for what does not exist:
pip asks for credentials after nothing else. What is answered is nobody's to share: caches on the way must not keep it.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

from fastapi import Request
from packaging.utils import NormalizedName, canonicalize_name
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders

from cpufit_resolver.errors import CpufitError
from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.filename import parse_sdist_filename, parse_wheel_filename

from .auth import require, require_scope
from .problems import problem_response, status_of
from .readers import EVERYBODY, Reader
from .services import Services, services_of

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READER = "cpufit.reader"
"""The key of an ASGI scope under which the routes find who reads."""


class Target(Enum):
    """What an address is about, where it is not one project."""

    OPEN = "open"
    """For everybody; uploads say themselves who may."""
    LISTING = "listing"
    """For every token: the route leaves out what it may not read."""
    EVERYTHING = "everything"


_OPEN = re.compile(r"/healthz|/legacy/?")
_LISTING = re.compile(r"/(?:cpu/[^/]+/)?simple/?|/api/v1/held(?:/[^/]+)?|/api/v1/wanted|/openapi\.json")
_PROJECT = re.compile(r"/(?:cpu/[^/]+/)?simple/([^/]+)/?|/api/v1/projects/([^/]+)(?:/.*)?")
_FILE = re.compile(r"/(?:files/[^/]+(?:/[0-9a-f]{64})?|selectors/[^/]+/[^/]+)/([^/]+)")
_UPSTREAM = re.compile(r"/upstream/([^/]+)/[^/]+/[^/]+")
_FILENAME = re.compile(r"(.+\.(?:whl|tar\.gz)|.+-variants\.json)(?:\.[a-z]+)?")


def reader_of(request: Request) -> Reader:
    """Return who reads, for routes that tell of several projects."""
    found: Reader = request.scope.get(_READER, EVERYBODY)
    return found


def target_of(path: str) -> Target | NormalizedName:
    """Return what an address is about: a project, or one of the others."""
    if _OPEN.fullmatch(path):
        return Target.OPEN
    if _LISTING.fullmatch(path):
        return Target.LISTING
    page, file = _PROJECT.fullmatch(path) or _UPSTREAM.fullmatch(path), _FILE.fullmatch(path)
    if page is not None:
        return canonicalize_name(next(name for name in page.groups() if name))
    return Target.EVERYTHING if file is None else project_of_filename(file[1])


def project_of_filename(filename: str) -> Target | NormalizedName:
    """Return the project that a file is of by its name, which every stored file is held to."""
    known = _FILENAME.fullmatch(filename)
    if known is None:
        return Target.EVERYTHING
    name = known[1]
    try:
        if name.endswith(".whl"):
            return parse_wheel_filename(name).name
        if name.endswith(".tar.gz"):
            return parse_sdist_filename(name).name
    except InvalidWheelName:
        return Target.EVERYTHING
    return canonicalize_name(name.partition("-")[0])


class PrivateReading:
    """Lets requests through to an application whose tokens may read what they ask for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        target = target_of(scope["path"]) if scope["type"] == "http" else Target.OPEN
        if target is Target.OPEN:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        authorization = Headers(scope=scope).get("authorization")
        try:
            reader = await run_in_threadpool(admitted, services_of(request), authorization, target)
        except CpufitError as error:
            await problem_response(request, status_of(error), error.as_dict())(scope, receive, send)
            return

        async def send_privately(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                cached = headers.get("cache-control", "private, no-cache")
                headers["cache-control"] = re.sub(r"\bpublic\b", "private", cached)
            await send(message)

        scope[_READER] = reader
        await self._app(scope, receive, send_privately)


def admitted(services: Services, authorization: str | None, target: Target | NormalizedName) -> Reader:
    """Return what the token of a request may read, which the target is among.

    What passes through from upstream is for every token: its projects are not hosted here.

    :raises AuthenticationRequired: there is no token
    :raises NotAllowed: it is not for this
    """
    grant = services.tokens.grant(authorization)
    reader = Reader(projects=None if grant.projects is None else frozenset(grant.projects))
    require_scope(grant, "read")
    if target is Target.EVERYTHING:
        require(grant, None, "read")
    elif not isinstance(target, Target) and (
        services.upstream is None or services.home.catalog.serial(target) is not None
    ):
        require(grant, target, "read")
    return reader
