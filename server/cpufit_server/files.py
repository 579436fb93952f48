"""``GET /files/{sha256}/{filename}`` and ``/selectors/…``: bytes by hash, which never change.

The file name has to be one that the catalog has for these bytes. Wheels are never compressed on the way, since their
hash is checked on arrival and ranges count bytes of the file itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from cpufit_wheelhouse.catalog import Catalog

from .errors import NotFound
from .front.keeping import KeptFile, keep
from .services import services_of
from .simple import is_known

router = APIRouter()

IMMUTABLE = "public, max-age=365000000, immutable"
"""Caching of what is addressed by its hash; the figures are those that uv's documentation gives for file servers."""

_METADATA = ".metadata"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_METHODS = ["GET", "HEAD"]


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
    serial = catalog.serial(found.project)
    # looked for once more: what was found before the serial was read may be older than it
    if serial is not None and _find(catalog, sha256, wanted) == found:
        headers, size = _headers(path, digest), path.stat().st_size
        keep(request.scope, KeptFile(name=found.project, serial=serial, path=path, size=size, headers=headers))
    return _answer(request, path, digest)


@router.api_route("/selectors/{sha256}/{fresh}/{filename}", methods=_METHODS)
def selector(request: Request, sha256: str, fresh: str, filename: str) -> Response:
    """Answer with a selector; whatever stands in ``fresh``, the bytes are those of the hash."""
    del fresh
    home = services_of(request).home
    known = home.catalog.find_derived(sha256, "selector") if _SHA256.fullmatch(sha256) else ()
    if not any(made.filename == filename for made in known):
        raise NotFound(f"no selector {filename[:255]!r} with this hash", code="no-such-file")
    response = FileResponse(home.blobs.path(sha256), media_type="application/octet-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["ETag"] = f'"{sha256}"'
    return response


@dataclass(frozen=True, slots=True)
class _Found:
    project: str
    metadata: str
    """The digest of its METADATA, empty for a file without."""


def _find(catalog: Catalog, sha256: str, filename: str) -> _Found | None:
    """Return what is known of a file, or None if there is no such file to hand out."""
    for file in catalog.find_file(sha256):
        if file.filename != filename:
            continue
        if file.kind == "wheel" and file.need is None:
            # What stands in no view is not to be had by its hash either.
            project = catalog.project(file.project)
            if project is None or project.unknown != "allow":
                continue
        return _Found(file.project, file.metadata_sha256 if file.kind == "wheel" else "")
    for derived in catalog.find_derived(sha256):
        if derived.filename == filename and derived.kind != "selector":
            return _Found(derived.project, derived.metadata_sha256 or "")
    return None


def _headers(path: Path, digest: str) -> dict[str, str]:
    """Return the headers of a whole file, but for its length."""
    return {
        "Content-Type": "application/octet-stream",
        "Accept-Ranges": "bytes",
        "Cache-Control": IMMUTABLE,
        "ETag": f'"{digest}"',
        "Last-Modified": formatdate(path.stat().st_mtime, usegmt=True),
        "X-Content-Type-Options": "nosniff",
    }


def _answer(request: Request, path: Path, digest: str) -> Response:
    headers = _headers(path, digest)
    if is_known(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type="application/octet-stream", headers=headers)
