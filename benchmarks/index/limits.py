"""What no index can be faster than: pages that are ready before anybody asks, as files and in memory."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.client import HTTPConnection
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from .data import Shelf, metadata_of

TYPES = {"json": "application/vnd.pypi.simple.v1+json", "html": "text/html"}


def write_site(shelf: Shelf, site: Path, simple_url: str) -> None:
    """Write what a running index of this repository answers: each page in each format, plain and compressed.

    The limits send the very bytes that this server sends. The files are linked to where its pages say that they are.
    """
    address = urlsplit(simple_url)
    with closing(HTTPConnection(address.netloc, timeout=120)) as connection:

        def ask(path: str, media_type: str, coding: str) -> bytes:
            connection.request("GET", path, headers={"Accept": media_type, "Accept-Encoding": coding})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
            return (
                body if answer.getheader("Content-Encoding", "identity") == coding else gzip.compress(body, 6, mtime=0)
            )

        _write(site / "html" / "index.html", ask(address.path, TYPES["html"], "identity"))
        for project, (form, media_type) in product(shelf.projects, TYPES.items()):
            page = site / form / project / "index.html"
            _write(page, ask(f"{address.path}{project}/", media_type, "identity"))
            _write(page.with_name("index.html.gz"), ask(f"{address.path}{project}/", media_type, "gzip"))
    for _, file in shelf.files():
        target = site / "files" / hashlib.sha256(file.read_bytes()).hexdigest() / file.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)
            target.with_name(f"{file.name}.metadata").write_bytes(metadata_of(file))


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def page_of(base: str) -> Callable[[str, str], str]:
    """Return where the ready pages of each format are."""
    return lambda project, form: f"{base}/{form}/{project}/"


def nginx_settings(scratch: Path, site: Path, port: int) -> str:
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
    listen 127.0.0.1:{port}; root {site};
    location /json/ {{ default_type {TYPES["json"]}; }}
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
def upstream(site: Path) -> Iterator[str]:
    """Serve ready HTML pages for a proxy to read once; give the base address of their Simple API."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Silent, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/html/"
        finally:
            server.shutdown()
