"""A bare ASGI application with the pages of ``READY_SITE`` in memory; it needs nothing but an ASGI server."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

_PIECE = 1 << 18
_SITE = Path(os.environ["READY_SITE"])
_TYPES = {"json": b"application/vnd.pypi.simple.v1+json", "html": b"text/html"}


def _pages() -> dict[str, tuple[bytes, bytes, bytes, bytes]]:
    found = {}
    for form, media_type in _TYPES.items():
        for page in (_SITE / form).glob("*/index.html"):
            body, packed = page.read_bytes(), page.with_name("index.html.gz").read_bytes()
            etag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
            found[f"/{form}/{page.parent.name}/"] = (body, packed, etag, media_type)
    return found


_PAGES = _pages()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with a ready page, or with a file from the disk."""
    del receive
    if scope["type"] != "http":
        return
    page = _PAGES.get(scope["path"])
    if page is None:
        await _file(scope["path"], send)
        return
    body, packed, etag, media_type = page
    asked = dict(scope["headers"])
    headers = [(b"content-type", media_type), (b"etag", etag), (b"vary", b"Accept-Encoding")]
    if asked.get(b"if-none-match") == etag:
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body"})
        return
    if b"gzip" in asked.get(b"accept-encoding", b""):
        body = packed
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _file(path: str, send: Any) -> None:
    try:
        with (_SITE / path.lstrip("/")).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            headers = [(b"content-type", b"application/octet-stream"), (b"content-length", str(size).encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while piece := stream.read(_PIECE):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body"})
    except OSError:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
