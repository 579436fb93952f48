"""``GET /files/{sha256}/{filename}`` and ``/selectors/…``: bytes by hash, which never change.

The file name has to be one that the catalog has for these bytes. Wheels are never compressed on the way, since their
hash is checked on arrival and ranges count bytes of the file itself. Nothing of a quarantined project is handed out
(PEP 792).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from cpufit_wheelhouse.catalog import Catalog, DerivedFile, StoredFile

from .errors import NotFound, Quarantined
from .front.keeping import KeptFile, keep, may_keep
from .page_response import is_known
from .services import services_of

router = APIRouter()

IMMUTABLE = "public, max-age=365000000, immutable"
"""Caching of what is addressed by its hash; the figures are those that uv's documentation gives for file servers."""

PROVENANCE_TYPE = "application/vnd.pypi.integrity.v1+json"
"""What PyPI calls a provenance object."""

_METADATA, _PROVENANCE = ".metadata", ".provenance"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGES = re.compile(r"bytes=[ \t]*(?:\d+-\d*|-\d+)(?:[ \t]*,[ \t]*(?:\d+-\d*|-\d+))*", re.IGNORECASE)
_METHODS = ["GET", "HEAD"]


class RangedFile(FileResponse):
    """A file of which parts can be asked for, as RFC 9110, section 14.2, has it.

    Ranges are defined for GET alone, and one of another unit, or that is none, is read past: the whole file is sent.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or the parts."""
        if scope["method"] != "GET" or not all(_is_of_bytes(*header) for header in scope["headers"]):
            scope = {**scope, "headers": [header for header in scope["headers"] if header[0] != b"range"]}
        await super().__call__(scope, receive, send)


def _is_of_bytes(name: bytes, value: bytes) -> bool:
    return name != b"range" or _RANGES.fullmatch(value.decode("latin-1").strip()) is not None


@router.api_route("/files/{sha256}/{filename}", methods=_METHODS)
def stored_file(request: Request, sha256: str, filename: str) -> Response:
    """Answer with a stored or labelled file, or with the METADATA of a wheel beside it (PEP 658)."""
    services = services_of(request)
    catalog, blobs = services.home.catalog, services.home.blobs
    wanted = filename.removesuffix(_METADATA)
    found = _find(catalog, sha256, wanted) if _SHA256.fullmatch(sha256) else None
    if found is None:
        raise NotFound(f"no file {filename[:255]!r} with this hash", code="no-such-file")
    if wanted != filename and not found.metadata:
        raise NotFound(f"{wanted[:255]} has no metadata file", code="no-such-file")
    digest = sha256 if wanted == filename else found.metadata
    path = blobs.path(digest)
    if may_keep(request.scope):
        serial = catalog.serial(found.project)
        # looked for once more: what was found before the serial was read may be older than it
        if serial is not None and _find(catalog, sha256, wanted) == found:
            headers, size = _headers(path, digest), path.stat().st_size
            keep(request.scope, KeptFile(name=found.project, serial=serial, path=path, size=size, headers=headers))
    return _answer(request, path, digest)


@router.api_route("/files/{sha256}/{digest}/{filename}", methods=_METHODS)
def provenance(request: Request, sha256: str, digest: str, filename: str) -> Response:
    """Answer with the provenance object of a stored file (PEP 740); its own hash is in the address too."""
    home = services_of(request).home
    wanted = filename.removesuffix(_PROVENANCE)
    found = _stored(home.catalog, sha256, wanted) if wanted != filename and _SHA256.fullmatch(sha256) else None
    if found is None or found.attestations_sha256 != digest:
        raise NotFound(f"no provenance {filename[:255]!r} with these hashes", code="no-such-file")
    return _answer(request, home.blobs.path(digest), digest, PROVENANCE_TYPE)


@router.api_route("/selectors/{sha256}/{fresh}/{filename}", methods=_METHODS)
def selector(request: Request, sha256: str, fresh: str, filename: str) -> Response:
    """Answer with a selector; whatever stands in ``fresh``, the bytes are those of the hash."""
    del fresh
    home = services_of(request).home
    known = home.catalog.find_derived(sha256, "selector") if _SHA256.fullmatch(sha256) else ()
    named = [made for made in known if made.filename == filename]
    if not named:
        raise NotFound(f"no selector {filename[:255]!r} with this hash", code="no-such-file")
    _refuse_quarantined(home.catalog, named)
    response = RangedFile(home.blobs.path(sha256), media_type="application/octet-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["ETag"] = f'"{sha256}"'
    return response


@dataclass(frozen=True, slots=True)
class _Found:
    project: str
    metadata: str
    """The digest of its METADATA, empty for a file without."""


def _find(catalog: Catalog, sha256: str, filename: str) -> _Found | None:
    """Return what is known of a file, or None if there is no such file to hand out.

    :raises Quarantined: there is one, of a quarantined project
    """
    stored = _stored(catalog, sha256, filename)
    if stored is not None:
        return _Found(stored.project, stored.metadata_sha256 if stored.kind == "wheel" else "")
    made = catalog.find_derived(sha256)
    derived = [file for file in made if file.filename == filename and file.kind != "selector"]
    _refuse_quarantined(catalog, derived)
    return _Found(derived[0].project, derived[0].metadata_sha256 or "") if derived else None


def _stored(catalog: Catalog, sha256: str, filename: str) -> StoredFile | None:
    """Return an uploaded file; None if there is no such file to hand out.

    :raises Quarantined: there is one, of a quarantined project
    """
    stored = [file for file in catalog.find_file(sha256) if file.filename == filename]
    _refuse_quarantined(catalog, stored)
    for file in stored:
        if file.kind == "wheel" and file.need is None:
            # What stands in no view is not to be had by its hash either.
            project = catalog.project(file.project)
            if project is None or project.unknown != "allow":
                continue
        return file
    return None


def _refuse_quarantined(catalog: Catalog, found: Sequence[StoredFile | DerivedFile]) -> None:
    """Refuse bytes that are only of quarantined projects (PEP 792: the index offers none of their files for download).

    :raises Quarantined: they are
    """
    projects = [catalog.project(name) for name in {file.project for file in found}]
    if projects and all(project is not None and project.status == "quarantined" for project in projects):
        raise Quarantined(f"the project {found[0].project} is quarantined: none of its files is handed out")


def _headers(path: Path, digest: str, media_type: str = "application/octet-stream") -> dict[str, str]:
    """Return the headers of a whole file, but for its length."""
    return {
        "Content-Type": media_type,
        "Accept-Ranges": "bytes",
        "Cache-Control": IMMUTABLE,
        "ETag": f'"{digest}"',
        "Last-Modified": formatdate(path.stat().st_mtime, usegmt=True),
        "X-Content-Type-Options": "nosniff",
    }


def _answer(request: Request, path: Path, digest: str, media_type: str = "application/octet-stream") -> Response:
    headers = _headers(path, digest, media_type)
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return RangedFile(path, media_type=media_type, headers=headers)
