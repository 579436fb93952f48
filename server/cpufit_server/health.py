"""``GET /healthz``: whether this server is up, and which version it is."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from .services import services_of

router = APIRouter()


@router.api_route("/healthz", methods=["GET", "HEAD"])
def health(request: Request) -> Response:
    """Answer 200 when the catalog can be read."""
    services_of(request).home.catalog.serial("healthz")
    return JSONResponse({"status": "ok", "version": version("cpufit")}, headers={"Cache-Control": "no-store"})
