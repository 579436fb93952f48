"""``GET /upstream/{project}/{sha256}/{filename}``: files of the upstream, from the cache or while they come in.

A part of a file that is on its way waits for its bytes. Of one that is not, a small part is asked for upstream; for
anything else the file is fetched whole, once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from packaging.utils import canonicalize_name
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from cpufit_resolver.errors import CpufitError
from cpufit_server.errors import NotFound, UpstreamFailed
from cpufit_server.files import IMMUTABLE
from cpufit_server.front.keeping import NOT_HOSTED, KeptFile, is_elsewhere, keep, may_keep
from cpufit_server.page_response import is_known
from cpufit_server.services import Services, services_of
from cpufit_wheelhouse.pullthrough import Reading
from cpufit_wheelhouse.simple_page import PageFile

from .downloads import Download
from .ranges import Part, Unsatisfiable, part_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from .upstream import Upstream

router = APIRouter()

_log = logging.getLogger(__name__)

_METADATA = ".metadata"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE = 256 << 10
_LARGEST_LOOK = 1 << 20
"""Bytes of the largest part that is passed on of a file that is not here; it is in memory until its client has it."""
_BYTES = "application/octet-stream"


@router.api_route("/upstream/{project}/{sha256}/{filename}", methods=["GET", "HEAD"])
async def upstream_file(request: Request, project: str, sha256: str, filename: str) -> Response:
    """Answer with a file of the upstream, or with the METADATA of a wheel beside it (PEP 658)."""
    services = services_of(request)
    upstream = services.upstream
    found: Reading | Download | PageFile | None = None
    serial = NOT_HOSTED
    if upstream is not None and _SHA256.fullmatch(sha256) and canonicalize_name(project) == project:
        ask, serial = await _standing(request, services, project)
        if filename.endswith(_METADATA):
            found = await upstream.metadata(project, sha256, filename.removesuffix(_METADATA), ask=ask)
        else:
            found = await upstream.file(project, sha256, filename, ask=ask)
        if isinstance(found, PageFile):
            cold = await _answer_cold(request, upstream, project, found)
            if cold is not None:
                return cold
            found = upstream.fetch(project, found)
    if upstream is None or found is None or isinstance(found, PageFile):
        raise NotFound(
            f"no file {filename[:255]!r} with this hash",
            code="no-such-file",
            hint="the page of a project at /simple/{name}/ names its files; offline, only what is cached is there",
        )
    return await _answer(request, found, sha256, _Keeping(request, upstream, project, filename, serial, sha256))


async def _standing(request: Request, services: Services, project: str) -> tuple[bool, int]:
    """Tell whether the upstream may be asked for a project, and its serial; what is cached is had in any case."""
    if is_elsewhere(request.scope, project):
        return True, NOT_HOSTED
    hosted = await run_in_threadpool(services.home.catalog.project, project)
    return (True, NOT_HOSTED) if hosted is None else (hosted.upstream == "merge", hosted.serial)


async def _answer_cold(request: Request, upstream: Upstream, project: str, file: PageFile) -> Response | None:
    """Answer what needs no fetch of the whole file; None where it has to be fetched.

    An installer that looks into a wheel for its METADATA gets that part from the upstream, as without us: its hash
    cannot be checked, so nobody is to keep it.
    """
    if file.size is None:
        return None
    headers = _headers(request, file.hashes["sha256"])
    part = _part(request, headers["ETag"], file.size)
    if request.method == "HEAD" and not isinstance(part, Unsatisfiable):
        return _head(part, file.size, headers)
    wanted = request.headers.get("range", "").rstrip()
    if not isinstance(part, Part) or wanted.endswith("-") or part.stop - part.start > _LARGEST_LOOK:
        return None
    try:
        body = await upstream.look(project, file, part.start, part.stop)
    except UpstreamFailed as error:
        _log.info("%s; all of it is fetched", error)
        return None
    told = {**headers, **_length(part, file.size), "Cache-Control": "no-store"}
    return Response(body, status_code=206, headers=told, media_type=_BYTES)


def _headers(request: Request, sha256: str) -> dict[str, str]:
    beside = request.scope["path"].endswith(_METADATA)
    return {
        "Cache-Control": IMMUTABLE,
        "ETag": f'"{sha256}-metadata"' if beside else f'"{sha256}"',
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
    }


def _part(request: Request, etag: str, size: int) -> Part | Unsatisfiable | None:
    return part_of(request.headers.get("range"), request.headers.get("if-range"), etag=etag, size=size)


def _length(part: Part | None, size: int) -> dict[str, str]:
    if part is None:
        return {"Content-Length": str(size)}
    return {
        "Content-Length": str(part.stop - part.start),
        "Content-Range": f"bytes {part.start}-{part.stop - 1}/{size}",
    }


def _head(part: Part | None, size: int | None, headers: dict[str, str]) -> Response:
    told = headers if size is None else {**headers, **_length(part, size)}
    return Response(status_code=200 if part is None else 206, headers=told, media_type=_BYTES)


async def _answer(request: Request, found: Reading | Download, sha256: str, keeping: _Keeping) -> Response:
    source = _Cached(found) if isinstance(found, Reading) else _Coming(found)
    headers = _headers(request, sha256)
    try:
        if is_known(request.headers.get("if-none-match"), headers["ETag"]):
            source.close()
            return Response(status_code=304, headers=headers)
        size = await source.size()
        part = None if size is None else _part(request, headers["ETag"], size)
    except BaseException:
        source.close()
        raise
    if isinstance(part, Unsatisfiable):
        source.close()
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if request.method == "HEAD":
        source.close()
        return _head(part, size, headers)
    start, stop = (part.start, part.stop) if part is not None else (0, size)
    told = headers if size is None else {**headers, **_length(part, size)}
    return _Streamed(
        source.pieces(start, stop), source.close, partial(keeping.keep, found), 200 if part is None else 206, told
    )


@dataclass(frozen=True, slots=True)
class _Keeping:
    """Has an answer that went out whole kept by the front, so that the next one asks nobody."""

    request: Request
    upstream: Upstream
    project: str
    filename: str
    serial: int
    """The project's, read before the answer was made."""
    sha256: str
    """The one in the address; METADATA lies under another one."""

    async def keep(self, found: Reading | Download) -> None:
        """Tell the front of a file that is in the cache, or comes into it now.

        :raises CpufitError: it did not come
        """
        if not may_keep(self.request.scope):
            return
        if isinstance(found, Download):
            await found.ended()
        lies_under = found.sha256 if isinstance(found, Reading) else found.spool.sha256
        cached = await self.upstream.kept_file(self.project, lies_under, self.filename, self.sha256)
        if cached is None or found.size is None:
            return
        kept = KeptFile(
            name=self.project,
            serial=self.serial,
            path=cached.path,
            size=found.size,
            headers={**_headers(self.request, self.sha256), "Content-Type": _BYTES},
            on_hit=cached.used,
        )
        keep(self.request.scope, kept)


class _Cached:
    """A whole file."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def size(self) -> int | None:
        return self._reading.size

    async def pieces(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        end = self._reading.size if stop is None else stop
        while start < end:
            piece = await run_in_threadpool(self._reading.read_at, start, min(_PIECE, end - start))
            if not piece:
                raise _Cut
            start += len(piece)
            yield piece

    def close(self) -> None:
        self._reading.close()


class _Coming:
    """A file on its way."""

    def __init__(self, download: Download) -> None:
        self._download = download
        self._reading: Reading | None = download.open()

    async def size(self) -> int | None:
        """Return the size as soon as the upstream gives the file, so that a failure is told in time."""
        await self._download.begun()
        return self._download.size

    async def pieces(self, start: int, stop: int | None) -> AsyncIterator[bytes]:
        download, reading = self._download, self._reading
        while reading is not None and (stop is None or start < stop):
            try:
                readable = await download.beyond(start)
            except CpufitError as error:  # told in the log by the download, once
                raise _Cut from error
            if readable <= start:
                break
            end = readable if stop is None else min(readable, stop)
            piece = download.recent(start, end)
            if piece is None:
                piece = await run_in_threadpool(reading.read_at, start, min(_PIECE, end - start))
            start += len(piece)
            yield piece

    def close(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()


class _Cut(Exception):
    """The rest of a response will not come."""


class _Streamed(StreamingResponse):
    """A response whose connection is cut, and not ended, where the rest of its body does not come.

    A response that is left without its end is closed by the server: with a length told, or in chunks without the last
    one, no client takes it for whole.
    """

    def __init__(
        self,
        pieces: AsyncIterator[bytes],
        close: Callable[[], None],
        keep_it: Callable[[], Awaitable[None]],
        status: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(pieces, status_code=status, headers=headers, media_type=_BYTES)
        self._close, self._keep_it = close, keep_it

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        reads = True
        try:
            await super().__call__(scope, receive, send)
            reads = False
            self._close()
            with contextlib.suppress(CpufitError):  # what could not be cached is not kept either
                await self._keep_it()
        except _Cut:
            _log.warning("cut off: %s", scope["path"])
        finally:
            if reads:  # perhaps the client went away in the middle of a piece: reading has a lock of its own
                await asyncio.shield(run_in_threadpool(self._close))
