"""From error to HTTP: the one table of statuses, and the two forms of a body.

A body is ``application/json`` with ``code``, ``message`` and, where known, ``where`` and ``hint``; for a client that
would rather have text, and for ``uv publish`` and ``twine``, one line.
"""

from __future__ import annotations

import logging
import sqlite3

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response

from cpufit_resolver.errors import CpufitError, InvalidCpuToken
from cpufit_wheelhouse import errors as wheelhouse_errors
from cpufit_wheelhouse.storage_failures import storage_failure

from . import errors
from .negotiation import preferred
from .status_line import REASON_HEADER, reason_phrase
from .watching import note_outcome

_log = logging.getLogger(__name__)

STATUSES: dict[type[CpufitError], int] = {
    CpufitError: 500,
    InvalidCpuToken: 400,
    wheelhouse_errors.WheelError: 400,
    wheelhouse_errors.WheelTooLarge: 413,
    wheelhouse_errors.StoreError: 409,
    wheelhouse_errors.DigestMismatch: 400,
    wheelhouse_errors.FileNameDeleted: 409,
    wheelhouse_errors.ProjectClosed: 403,
    wheelhouse_errors.NeedRefused: 400,
    wheelhouse_errors.ProjectTooLarge: 413,
    wheelhouse_errors.TooManyProjects: 429,
    wheelhouse_errors.NoSuchProject: 404,
    wheelhouse_errors.NoSuchFile: 404,
    wheelhouse_errors.StorageFailed: 503,
    wheelhouse_errors.StorageFull: 507,
    wheelhouse_errors.CatalogBusy: 503,
    errors.ServerError: 500,
    errors.InvalidForm: 400,
    errors.UploadTooLarge: 413,
    errors.UploadsDisabled: 403,
    errors.ActionGone: 410,
    errors.AuthenticationRequired: 401,
    errors.NotAllowed: 403,
    errors.TokenExpired: 403,
    errors.TokenLacksScope: 403,
    errors.NotAcceptable: 406,
    errors.InvalidReport: 400,
    errors.ReportTooLarge: 413,
    errors.TooManyReports: 429,
    errors.NotFrozen: 409,
    errors.NotFound: 404,
    errors.Quarantined: 403,
    errors.UpstreamFailed: 502,
}
"""The status of each class of errors; a class that is not here has that of its nearest base."""

_RETRY_AFTER = {wheelhouse_errors.CatalogBusy.code: "5"}
"""In seconds. Nobody knows when a disk is well again, and an installer that is told a time waits for it."""

_CODES = {404: "not-found", 405: "method-not-allowed", 413: "request-too-large"}


def status_of(error: CpufitError) -> int:
    """Return the HTTP status that an error becomes."""
    return next((STATUSES[cls] for cls in type(error).__mro__ if cls in STATUSES), 500)


def problem_response(request: Request, status: int, body: dict[str, str]) -> Response:
    """Return the answer that tells an error, in the form that the client would rather read.

    :param body: ``code``, ``message`` and, where known, ``where`` and ``hint``
    """
    note_outcome(request.scope, body["code"])
    # What failed now may be there a second later: nobody keeps this answer.
    headers = {"Cache-Control": "no-store", "Vary": "Accept"}
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="cpufit"'
    if status == 429:
        headers["Retry-After"] = "60"
    if body["code"] in _RETRY_AFTER:
        headers["Retry-After"] = _RETRY_AFTER[body["code"]]
    where = f"{body['where']}: " if "where" in body else ""
    if request.method == "POST":
        # most clients that upload show nothing else of an answer; PDM takes what stands in [] for a colour
        headers[REASON_HEADER] = reason_phrase(f"{where}{body['message']} ({body['code']})")
    if _reads_text(request):
        hint = f" ({body['hint']})" if "hint" in body else ""
        text = f"{where}{body['message']}{hint} [{body['code']}]\n"
        return PlainTextResponse(text, status_code=status, headers=headers)
    return JSONResponse(body, status_code=status, headers=headers)


def _reads_text(request: Request) -> bool:
    accept, user_agent = request.headers.get("accept"), request.headers.get("user-agent", "")
    if request.method == "POST" and user_agent.startswith(("uv/", "twine/")):
        # uv publish takes either and asks for JSON first, of which it then shows nothing but the code; twine shows a
        # person whatever comes, as it is.
        return True
    return preferred(accept, ("application/json", "text/plain", "text/html")) != "application/json"


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error of an application answer in the form of this module."""
    app.add_exception_handler(CpufitError, _answer_ours)
    for failing in (OSError, SQLAlchemyError, sqlite3.Error):
        app.add_exception_handler(failing, _answer_storage)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(Exception, _answer_fault)


async def _answer_ours(request: Request, error: Exception) -> Response:
    if not isinstance(error, CpufitError):  # pragma: no cover  # the framework calls it for nothing else
        raise error
    status = status_of(error)
    if status >= 500:
        told = error.in_full if isinstance(error, wheelhouse_errors.StorageFailed) else str(error)
        _log.error("%s %s: %s", request.method, request.scope["path"], told)
    return problem_response(request, status, error.as_dict())


async def _answer_storage(request: Request, error: Exception) -> Response:
    failure = storage_failure(error)
    if failure is None:
        raise error  # a fault of ours, of which the log has the traceback
    return await _answer_ours(request, failure)


async def _answer_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # pragma: no cover  # the framework calls it for nothing else
        raise error
    body = {"code": _CODES.get(error.status_code, "http-error"), "message": str(error.detail)}
    if error.status_code == 405 and request.method == "POST":
        body["hint"] = "files are uploaded to /legacy/"
    elif error.status_code == 405 and request.scope["path"].rstrip("/") == "/legacy":
        body["hint"] = "files are uploaded here with POST; the pages for installers are at /simple/"
    response = problem_response(request, error.status_code, body)
    response.headers.update(error.headers or {})
    return response


async def _answer_validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):  # pragma: no cover  # as above
        raise error
    first = error.errors()[0]
    where = ".".join(str(part)[:80] for part in first["loc"])
    return problem_response(request, 400, {"code": "invalid-request", "message": first["msg"], "where": where})


async def _answer_fault(request: Request, error: Exception) -> Response:
    # The framework logs the traceback; the client learns nothing of our insides.
    del error
    return problem_response(request, 500, {"code": "internal-error", "message": "the server met an error of its own"})
