"""``GET /healthz``: whether this server is up, and which version it is."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from . import answers
from .services import services_of

router = APIRouter()


@router.get("/healthz", response_model=answers.Health)
@router.head("/healthz", include_in_schema=False)
def health(request: Request) -> Response:
    """Answer 200 when the catalog can be read."""
    services_of(request).home.catalog.serial("healthz")
    return JSONResponse({"status": "ok", "version": version("cpufit")}, headers={"Cache-Control": "no-store"})
