"""What is told of a project that passes through, in the form that hosted ones have at ``/api/v1/projects/{name}``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.filename import parse_wheel_filename, version_in

from .known import Known
from .listing import is_addressable
from .reading import sha256_of

if TYPE_CHECKING:
    from packaging.version import Version

    from cpufit_wheelhouse.simple_page import PageFile, ProjectPage


def upstream_as_json(page: ProjectPage, known: Known, *, unknown: str) -> dict[str, object]:
    """Return the JSON form of a project that passes through, releases newest first.

    :param unknown: ``allow`` or ``hold``: what becomes of wheels whose need is unknown
    """
    releases: dict[Version, list[PageFile]] = {}
    for file in page.files:
        version = version_in(file.filename)
        if version is not None and sha256_of(file) is not None and is_addressable(file):
            releases.setdefault(version, []).append(file)
    return {
        "name": page.name,
        "upstream": True,
        "policy": {"unknown": "allow" if unknown == "allow" else "refuse"},
        "instead": None,
        "releases": [
            {
                "version": str(version),
                "files": [
                    told
                    for file in sorted(releases[version], key=lambda file: file.filename)
                    if (told := _file_as_json(page.name, file, known)) is not None
                ],
            }
            for version in sorted(releases, reverse=True)
        ],
        "hidden": [],
    }


def _file_as_json(project: str, file: PageFile, known: Known) -> dict[str, object] | None:
    sha256 = file.hashes["sha256"]
    tags: list[str] = []
    build = ""
    if file.filename.endswith(".whl"):
        try:
            name = parse_wheel_filename(file.filename)
        except InvalidWheelName:  # pragma: no cover  # its version was read already
            return None
        if name.label is not None:  # shown to nobody who chooses by tags
            return None
        tags, build = sorted(name.tags), "".join(str(part) for part in name.build)
    need = known.need(file.filename, sha256)
    verdict = known.verdicts.get(sha256)
    return {
        "filename": file.filename,
        "kind": "wheel" if file.filename.endswith(".whl") else "sdist",
        "tags": tags,
        "build": build,
        "sha256": sha256,
        "size": file.size,
        "url": f"/upstream/{project}/{sha256}/{quote(file.filename)}",
        "requires_python": file.requires_python,
        "verdict": "unknown" if need is None else "known",
        "need": None if need is None or not tags else need.as_dict(),
        "need_source": None if need is None else need.source,
        "evidence": [] if need is None else list(need.evidence),
        "inspection": None if verdict is None else verdict.as_dict(),
        "yanked": None if file.yanked is False else "" if file.yanked is True else file.yanked,
    }
