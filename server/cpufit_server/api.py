"""``GET /api/v1/projects/{name}``: everything that is known of a project's files, for programs.

``cpu-check`` and the selector read it. Files that stand in no view are here too, with the verdict ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from fastapi import APIRouter, Request
from packaging.utils import canonicalize_name
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from cpufit_wheelhouse.catalog import ProjectSnapshot, StoredFile
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.judgement import Override
from cpufit_wheelhouse.releases import releases_of

from . import answers
from .administration.policy import policy_as_dict
from .errors import NotFound
from .services import Services, services_of
from .upstream.api import upstream_as_json

router = APIRouter()


@router.get(
    "/api/v1/projects/{name}",
    response_model=answers.Project | answers.UpstreamProject,
    responses=answers.READING | answers.problems(status_404="There is no such project."),
)
@router.head("/api/v1/projects/{name}", include_in_schema=False)
async def project(request: Request, name: str) -> Response:
    """Answer with a project's policy, releases and needs; also with those of one that passes through."""
    services, normal = services_of(request), canonicalize_name(name)
    body = await run_in_threadpool(_hosted, services, normal)
    if body is None and services.upstream is not None:
        found = await services.upstream.project(normal)
        if found is not None:
            body = await run_in_threadpool(upstream_as_json, *found, unknown=services.settings.upstream_unknown)
    if body is None:
        raise NotFound(f"there is no project {name[:80]} on this server", code="no-such-project")
    return JSONResponse(body, headers={"Cache-Control": "private, no-cache"})


def _hosted(services: Services, name: str) -> dict[str, object] | None:
    catalog = services.home.catalog
    snapshot = catalog.snapshot(name)
    if snapshot is None:
        return None
    table = catalog.inspections
    verdicts, overrides = table.verdicts(snapshot.project.id), table.overrides_in(snapshot.project.id)
    return project_as_json(snapshot, verdicts, overrides)


def project_as_json(
    snapshot: ProjectSnapshot, verdicts: Mapping[str, Verdict], overrides: Mapping[str, Override]
) -> dict[str, object]:
    """Return the JSON form of a project, releases newest first.

    :param verdicts: what inspections found, by the files' SHA-256
    :param overrides: the overrides in force, likewise
    """
    project, shown = snapshot.project, snapshot.shown()
    hidings = {hiding.sha256: hiding for hiding in snapshot.hidings}
    return {
        "name": project.name,
        "serial": project.serial,
        "status": project.status,
        "status_reason": project.status_reason,
        "policy": policy_as_dict(project),
        "instead": project.instead,
        "releases": [
            {
                "version": release.version,
                "files": [
                    _file_as_json(file, verdicts.get(file.sha256), overrides.get(file.sha256))
                    for file in sorted((*release.wheels, *release.sdists), key=lambda file: (file.filename, file.id))
                ],
            }
            for release in reversed(releases_of(shown.files))
        ],
        # not among the releases: selectors that were handed out long ago take their advice from those
        "hidden": [
            {"filename": file.filename, "version": file.version, **hidings[file.sha256].as_dict()}
            for file in snapshot.hidden
        ],
    }


def _file_as_json(file: StoredFile, verdict: Verdict | None, override: Override | None) -> dict[str, object]:
    # A source distribution has no machine code of its own to judge.
    known = file.need is not None or file.kind == "sdist"
    return {
        "filename": file.filename,
        "kind": file.kind,
        "tags": list(file.tags),
        "build": "".join(str(part) for part in file.build),
        "sha256": file.sha256,
        "size": file.size,
        "url": f"/files/{file.sha256}/{quote(file.filename)}",
        "requires_python": file.requires_python,
        "verdict": "known" if known else "unknown",
        "need": None if file.need is None else file.need.as_dict(),
        "need_source": file.need_source,
        "evidence": [] if file.need is None else list(file.need.evidence),
        "inspection": None if verdict is None else verdict.as_dict(),
        "override": None if override is None else override.as_dict(),
        "ordinary": file.ordinary,
        "yanked": file.yanked,
        "uploaded_at": file.uploaded_at.isoformat(),
        "provenance": dict(file.provenance),
    }
