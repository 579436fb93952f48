"""``GET /openapi.json``: the JSON API as an OpenAPI document, made of the routes.

Pages, files and uploads are not in it: they speak the forms of the Python package index, which others specify.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

router = APIRouter(include_in_schema=False)

_SCHEMES = {
    "token": {"type": "http", "scheme": "basic", "description": "The user is __token__, the password the token."},
    "bearer": {"type": "http", "scheme": "bearer"},
}
_NEEDED: list[dict[str, list[str]]] = [{"token": []}, {"bearer": []}]


@router.api_route("/openapi.json", methods=["GET", "HEAD"])
def openapi(request: Request) -> Response:
    """Answer with the document."""
    app: FastAPI = request.app
    return JSONResponse(document(app), headers={"Cache-Control": "private, no-cache"})


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application's JSON API; made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _made(app)
    return app.openapi_schema


def _made(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title="cpufit",
        version=version("cpufit"),
        summary="A Python package index that knows which CPU features a wheel needs.",
        routes=app.routes,
    )
    for path in found["paths"].values():
        for operation in path.values():
            # the framework's own form of an error, which the handlers of this application never send
            operation["responses"].pop("422", None)
            if "management" in operation.get("tags", ()):
                operation["security"] = _NEEDED
    schemas = found["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    found["components"]["securitySchemes"] = _SCHEMES
    return found
