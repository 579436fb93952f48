"""A small reverse proxy on loopback, as operators put one before the server: it strips a prefix and passes all on."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from tests.loopback import listening

_OF_ONE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "date", "server"}


@dataclass
class Proxy:
    """A running proxy; ``target`` is set when the server behind it is up."""

    url: str
    """Under which clients reach the server, without a slash at its end."""
    target: str = ""
    outside: list[str] = field(default_factory=list)
    """The paths below no prefix that somebody asked for: addresses that the server made without knowing its place."""
    passed: list[tuple[str, int]] = field(default_factory=list)
    """Path and status of each request that was passed on."""
    codings: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and content coding of each answer."""


@contextmanager
def reverse_proxy(prefix: str) -> Iterator[Proxy]:
    """Run a proxy on a free port.

    :param prefix: the path that it strips, such as ``/some/prefix``
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith(f"{prefix}/"):
                proxy.outside.append(self.path)
                self.send_error(404)
                return
            path = self.path.removeprefix(prefix)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_ONE_HOP}
            connection = http.client.HTTPConnection(urlsplit(proxy.target).netloc, timeout=60)
            try:
                # the Host is the server's own, as nginx has it by default: it is of no use for addresses
                connection.request(self.command, path, body=body or None, headers=headers)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            proxy.passed.append((path, answer.status))
            proxy.codings.append((path, answer.getheader("Content-Encoding")))
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _OF_ONE_HOP:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            if length is not None and answer.status != 304:
                self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)

        do_HEAD = do_POST = do_GET  # noqa: N815  # the base class's names

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with listening(Handler) as address:
        proxy = Proxy(url=f"{address}{prefix}")
        yield proxy
