"""What no index can be faster than: pages that are ready before anybody asks, as files and in memory."""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from .data import Shelf, metadata_of

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
_HEAD = '<!DOCTYPE html>\n<html><head><meta name="pypi:repository-version" content="1.1"><title>Links</title></head>'


def write_pages(shelf: Shelf, site: Path) -> None:
    """Write each project's pages, as JSON and HTML, plain and compressed, and link the files beside them."""
    names = "".join(f'<a href="{project}/">{project}</a><br>\n' for project in shelf.projects)
    _write(site / "html" / "index.html", f"{_HEAD}<body>\n{names}</body></html>\n".encode())
    for project in shelf.projects:
        files = sorted((shelf.path / project).iterdir())
        entries = [_entry(project, file) for file in files]
        page = {
            "meta": {"api-version": "1.1"},
            "name": project,
            "versions": [file.name.split("-")[1] for file in files],
            "files": entries,
        }
        anchors = "".join(
            f'<a href="{entry["url"]}#sha256={entry["hashes"]["sha256"]}" data-requires-python="&gt;=3.8" '
            f'data-core-metadata="sha256={entry["core-metadata"]["sha256"]}">{html.escape(entry["filename"])}</a><br>\n'
            for entry in entries
        )
        _write(site / "json" / project / "index.html", json.dumps(page, separators=(",", ":")).encode())
        _write(site / "html" / project / "index.html", f"{_HEAD}<body>\n{anchors}</body></html>\n".encode())
        (site / "files" / project).mkdir(parents=True, exist_ok=True)
        for file in files:
            target = site / "files" / project / file.name
            if not target.exists():
                os.link(file, target)
                target.with_name(f"{file.name}.metadata").write_bytes(metadata_of(file))


def _entry(project: str, file: Path) -> dict:  # type: ignore[type-arg]
    data = file.read_bytes()
    return {
        "filename": file.name,
        "url": f"../../files/{project}/{file.name}",
        "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
        "requires-python": ">=3.8",
        "size": len(data),
        "upload-time": "2026-01-01T00:00:00.000000Z",
        "core-metadata": {"sha256": hashlib.sha256(metadata_of(file)).hexdigest()},
        "yanked": False,
    }


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(body, 6, mtime=0))


def page_of(base: str) -> Callable[[str, str], str]:
    """Return where the ready pages of each format are."""
    return lambda project, form: f"{base}/{form}/{project}/"


def nginx_settings(scratch: Path, port: int) -> str:
    """Return nginx's settings: one worker, in the foreground, nothing written."""
    return f"""
daemon off; worker_processes 1; pid {scratch}/nginx.pid; user {_user()};
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; gzip_static on; keepalive_requests 1000000;
  client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy; fastcgi_temp_path {scratch}/fastcgi;
  uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
  types {{ }} default_type application/octet-stream;
  server {{
    listen 127.0.0.1:{port}; root {scratch}/site;
    location /json/ {{ default_type {JSON_TYPE}; }}
    location /html/ {{ default_type text/html; }}
  }}
}}
"""


def _user() -> str:
    return "root" if os.geteuid() == 0 else "nobody"


class _Silent(SimpleHTTPRequestHandler):
    extensions_map = {"": "application/octet-stream", ".html": "text/html"}  # noqa: RUF012 - the base class's attribute

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@contextmanager
def upstream(shelf: Shelf, scratch: Path) -> Iterator[str]:
    """Serve ready HTML pages for a proxy to read once; give the base address of their Simple API."""
    write_pages(shelf, scratch / "site")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(scratch / "site"))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/html/"
        finally:
            server.shutdown()
