"""``GET /api/v1/held``: uploads whose verdict has not come yet, and those that were refused when it came.

An uploader who was answered 202 looks here: the file is in no view until its state is ``accepted``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from cpufit_wheelhouse.catalog import HeldFile
from cpufit_wheelhouse.pooled import PoolClosed

from . import answers
from .errors import NotFound
from .reading import reader_of
from .services import services_of

if TYPE_CHECKING:
    from cpufit_wheelhouse.holding import Holding, Submit

router = APIRouter()

RETRIED_EVERY = 60.0
"""Seconds after which a decision that could not be written down, as on a full disk, is tried again."""

_HEADERS = {"Cache-Control": "private, no-cache"}


@router.get("/api/v1/held", response_model=answers.HeldFiles, responses=answers.READING)
@router.head("/api/v1/held", include_in_schema=False)
def all_held(request: Request) -> Response:
    """Answer with every held file that waits or was refused, oldest first."""
    files = services_of(request).home.catalog.inspections.held()
    reader = reader_of(request)
    listed = [held_as_json(file) for file in files if file.state != "accepted" and reader.reads(file.project)]
    return JSONResponse({"files": listed}, headers=_HEADERS)


@router.get(
    "/api/v1/held/{held_id}",
    response_model=answers.Held,
    responses=answers.READING | answers.problems(status_404="There is no such file."),
)
@router.head("/api/v1/held/{held_id}", include_in_schema=False)
def one_held(request: Request, held_id: int) -> Response:
    """Answer with one held file, whatever its state."""
    found = services_of(request).home.catalog.inspections.held(held_id) if 0 < held_id < 1 << 62 else ()
    if not found or not reader_of(request).reads(found[0].project):
        raise NotFound(f"there is no held file {held_id}", code="no-such-held-file", hint="see /api/v1/held")
    return JSONResponse(held_as_json(found[0]), headers=_HEADERS)


def held_as_json(file: HeldFile) -> dict[str, object]:
    """Return the JSON form of a held file."""
    return {
        "id": file.id,
        "url": f"/api/v1/held/{file.id}",
        "state": file.state,
        "project": file.project,
        "filename": file.filename,
        "sha256": file.sha256,
        "size": file.size,
        "error": None if file.error is None else dict(file.error),
        "created_at": file.created_at.isoformat(),
        "decided_at": None if file.decided_at is None else file.decided_at.isoformat(),
    }


async def keep_retrying(holding: Holding, submit: Submit | None, seconds: float = RETRIED_EVERY) -> None:
    """Decide what could not be decided, every so many seconds, until it is cancelled.

    :param submit: begins an inspection; None where nothing inspects wheels
    """
    while True:
        await asyncio.sleep(seconds)
        with suppress(PoolClosed):  # the server stops: the next one takes it up
            await run_in_threadpool(holding.retry, submit)
