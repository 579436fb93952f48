"""``/api/v1/projects/{name}/…``: yank, delete, status, settings, freeze, hide; for tokens with the scope ``admin``.

Who does it is the token, with its number and description: what a body says of a person would be anybody's word.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from packaging.utils import canonicalize_name
from starlette.responses import JSONResponse, Response

from cpufit_wheelhouse.catalog import PolicyChange
from cpufit_wheelhouse.errors import NoSuchProject

from . import answers
from .administration import freezing, hiding, lifecycle, policy
from .administration.lifecycle import Meant, files_as_dicts
from .auth import require
from .bodies import FileBody, ReleaseBody, SettingsBody, StatusBody, Why
from .services import services_of

router = APIRouter(prefix="/api/v1/projects/{name}", responses=answers.MANAGING, tags=["management"])

_MOST_ENTRIES = 1000
_DONE = {"Cache-Control": "no-store"}


def administrator(request: Request, name: str) -> str:
    """Return who asks, for the record; only a token with the scope ``admin`` for the project is let through."""
    grant = services_of(request).tokens.grant(request.headers.get("authorization"))
    require(grant, canonicalize_name(name), "admin")
    return f"token {grant.id}" + (f" ({grant.description})" if grant.description else "")


Who = Annotated[str, Depends(administrator)]
DeletionReason = Annotated[Why, Query()]


@router.post("/yank", response_model=answers.Changed)
def yank(request: Request, name: str, who: Who, body: ReleaseBody | FileBody) -> Response:
    """Yank a file, or all files of a release (PEP 592); the reason stands on pages."""
    files = lifecycle.yank(services_of(request).home, name, _meant(body), who=who, why=body.why)
    return _answer({"project": canonicalize_name(name), "files": files_as_dicts(files)})


@router.post("/unyank", response_model=answers.Changed)
def unyank(request: Request, name: str, who: Who, body: ReleaseBody | FileBody) -> Response:
    """End the yanking of a file, or of all files of a release."""
    files = lifecycle.unyank(services_of(request).home, name, _meant(body), who=who, why=body.why)
    return _answer({"project": canonicalize_name(name), "files": files_as_dicts(files)})


@router.post("/status", response_model=answers.Status)
def status(request: Request, name: str, who: Who, body: StatusBody) -> Response:
    """Set the project's status (PEP 792)."""
    project = lifecycle.set_status(services_of(request).home, name, body.status, who=who, why=body.why)
    return _answer({"project": project.name, "status": project.status, "reason": project.status_reason})


@router.post("/settings", response_model=answers.Settings)
def settings(request: Request, name: str, who: Who, body: SettingsBody) -> Response:
    """Change the project's policy; what is not named stays."""
    change = PolicyChange(**body.model_dump(exclude={"why"}))
    project = policy.set_policy(services_of(request).home, name, change, who=who, why=body.why)
    return _answer({"project": project.name, "policy": policy.policy_as_dict(project), "instead": project.instead})


@router.post("/freeze", response_model=answers.Freeze)
def freeze(request: Request, name: str, who: Who, body: ReleaseBody) -> Response:
    """Let a release's selector keep its bytes; one that is frozen already stays so, for the reason on record."""
    services = services_of(request)
    frozen = freezing.freeze(services.home, name, body.version, lambda *_: services.selectors, who=who, why=body.why)
    return _answer({"project": frozen.project.name, **frozen.freeze.as_dict()})


@router.post("/unfreeze", response_model=answers.Unfrozen)
def unfreeze(request: Request, name: str, who: Who, body: ReleaseBody) -> Response:
    """Let a release's selector follow what is added to the release."""
    project, version = freezing.unfreeze(services_of(request).home, name, body.version, who=who, why=body.why)
    return _answer({"project": project.name, "version": version})


@router.post("/hide", response_model=answers.Hidden)
def hide(request: Request, name: str, who: Who, body: FileBody) -> Response:
    """Let a file stand in no view; one that is hidden already stays so, for the reason on record."""
    hidden = hiding.hide(services_of(request).home, name, body.file, who=who, why=body.why)
    told = {"filename": hidden.file.filename, "hiding": hidden.hiding.as_dict()}
    return _answer({"project": hidden.file.project, **told})


@router.post("/unhide", response_model=answers.Shown)
def unhide(request: Request, name: str, who: Who, body: FileBody) -> Response:
    """Let a hidden file stand in the views again."""
    file = hiding.unhide(services_of(request).home, name, body.file, who=who, why=body.why)
    return _answer({"project": file.project, "filename": file.filename})


@router.delete("/releases/{version}", response_model=answers.Deleted)
def delete_release(request: Request, name: str, version: str, who: Who, why: DeletionReason) -> Response:
    """Delete all files of a release, for good."""
    return _deleted(request, name, Meant(version=version), who, why)


@router.delete("/files/{filename}", response_model=answers.Deleted)
def delete_file(request: Request, name: str, filename: str, who: Who, why: DeletionReason) -> Response:
    """Delete a file, named as by :class:`.bodies.FileBody`, for good."""
    return _deleted(request, name, Meant(file=filename), who, why)


@router.delete("", response_model=answers.Deleted)
def delete_project(request: Request, name: str, who: Who, why: DeletionReason) -> Response:
    """Delete the project with all that it has, for good; from then on its name is not hosted here."""
    return _deleted(request, name, None, who, why)


@router.get("/journal", response_model=answers.Journal)
@router.head("/journal", include_in_schema=False)
def journal(
    request: Request, name: str, who: Who, limit: Annotated[int, Query(ge=1, le=_MOST_ENTRIES)] = 100
) -> Response:
    """Tell what was done to the project, newest first; also to one that is hosted no longer."""
    del who
    catalog = services_of(request).home.catalog
    entries = catalog.journal.of(name, limit=limit)
    if not entries and catalog.project(name) is None:
        raise NoSuchProject(f"there is no project {name[:80]} here, and there never was")
    return _answer({"project": canonicalize_name(name), "entries": [entry.as_dict() for entry in entries]})


def _deleted(request: Request, name: str, meant: Meant | None, who: str, why: str) -> Response:
    return _answer(lifecycle.delete(services_of(request).home, name, meant, who=who, why=why).as_dict())


def _meant(body: ReleaseBody | FileBody) -> Meant:
    return Meant(version=body.version) if isinstance(body, ReleaseBody) else Meant(file=body.file)


def _answer(told: dict[str, Any]) -> Response:
    return JSONResponse(told, headers=_DONE)
