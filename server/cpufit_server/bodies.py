"""What the JSON API takes: the bodies of requests, held to their form before anybody looks at them.

The types are exact, so that the OpenAPI document says what is taken and what is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from starlette.exceptions import HTTPException

from cpufit_wheelhouse.catalog import ProjectStatus
from cpufit_wheelhouse.catalog.records import PlainPolicy, UnknownPolicy, UpstreamPolicy

from .problems import problem_response

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Why = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
    Field(description="The reason, which goes on record: one line, not blank.", examples=["crashes on import"]),
]
VersionText = Annotated[str, StringConstraints(min_length=1, max_length=255), Field(examples=["1.0"])]
FileText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255),
    Field(description="The file's name, or the beginning of its SHA-256, eight digits or more."),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    why: Why


class ReleaseBody(_Body):
    """Every file of a release, or its selector."""

    version: VersionText


class FileBody(_Body):
    """One file."""

    file: FileText


class StatusBody(_Body):
    """A project's status (PEP 792)."""

    status: ProjectStatus


class SettingsBody(_Body):
    """What is to change of a project's policy; what is left out stays."""

    variants: bool | None = None
    unknown: UnknownPolicy | None = None
    plain: PlainPolicy | None = None
    build_sdist: bool | None = None
    upstream: UpstreamPolicy | None = None
    instead: (
        Annotated[str, StringConstraints(max_length=255, pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$")]
        | None
    ) = Field(default=None, description="The project to name where nothing of this one fits; empty for none.")


class ReportBody(BaseModel):
    """What a selector tells that it had to refuse; it is held against the catalog besides."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    project: Annotated[str, Field(examples=["polars"])]
    version: Annotated[str, Field(examples=["1.35.0"])]
    cpu: Annotated[str, Field(examples=["x86_64_v2+avx"])]
    missing: Annotated[list[str], Field(examples=[["avx2", "fma"]])]
    python: Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}$")]
    platform: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]


class BoundedBodies:
    """Keeps what the JSON API reads into memory below a limit; uploads have their own."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        """Take the application, and the most bytes of a body."""
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or have it answered."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        announced = announced_size(request.headers)
        told = f"a request has at most {self._most} bytes"
        if announced is not None and announced > self._most:
            body = {"code": "request-too-large", "message": told, "hint": "CPUFIT_MAX_REQUEST_BYTES sets the limit"}
            await problem_response(request, 413, body)(scope, receive, send)
            return
        came = 0

        async def receive_bounded() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._most:
                raise HTTPException(413, told)
            return message

        await self._app(scope, receive_bounded, send)


def announced_size(headers: Headers) -> int | None:
    """Return how many bytes a body is said to have; None where nothing is said, or no number.

    Zeros may stand before it, more than Python reads of a number; more digits than these 20 no server takes.
    """
    announced = headers.get("content-length", "")
    return int(announced.lstrip("0")[:20] or "0") if announced.isdecimal() else None
