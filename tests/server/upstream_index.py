"""Somebody else's index on loopback, of the things that go wrong: it counts, waits, fails, lies and gives ranges."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.loopback import listening

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class UpstreamIndex:
    """The pages and files that it has, and how it behaves."""

    url: str = ""
    pages: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    page_headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The paths that were asked for, with the headers in lower case."""
    down: bool = False
    """Whether every answer is 503."""
    ranges: bool = True
    tells_length: bool = True
    login: str | None = None
    cuts_after: int | None = None
    """After how many bytes of a file a connection breaks."""
    gate: threading.Event | None = None
    """What a file waits for after its first half."""

    @property
    def simple(self) -> str:
        return f"{self.url}/simple"

    def counts(self) -> Counter[str]:
        return Counter(path for path, _ in self.asked)

    def add(self, name: str, filename: str, data: bytes, **entry: object) -> str:
        """Offer a file; returns its address on our server, from the root."""
        digest = sha256(data)
        self.files[f"/files/{filename}"] = data
        told = {"filename": filename, "url": f"../../files/{filename}", "hashes": {"sha256": digest}, "size": len(data)}
        self.pages.setdefault(name, []).append({**told, **entry})
        return f"/upstream/{name}/{digest}/{filename}"

    def page(self, name: str) -> bytes:
        body = {"meta": {"api-version": "1.1"}, "name": name, "versions": [], "files": self.pages[name]}
        return json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    index: UpstreamIndex

    def do_GET(self) -> None:
        index = self.index
        headers = {name.lower(): value for name, value in self.headers.items()}
        index.asked.append((self.path, headers))
        told = headers.get("authorization", "").removeprefix("Basic ")
        if index.login is not None and base64.b64decode(told).decode() != index.login:
            self.answer(401)
        elif index.down:
            self.answer(503)
        elif self.path.startswith("/files/") and self.path in index.files:
            self.file(index.files[self.path], headers.get("range"))
        elif self.path.startswith("/simple/") and self.path.split("/")[2] in index.pages:
            self.page(index.page(self.path.split("/")[2]), headers.get("if-none-match"))
        else:
            self.answer(404)

    def answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 304:
            self.send_header("Content-Length", "0")
        self.end_headers()

    def page(self, body: bytes, known: str | None) -> None:
        etag = f'"{sha256(body)[:8]}"'
        if known == etag:
            self.answer(304, ETag=etag, **self.index.page_headers)
            return
        self.send_response(200)
        for name, value in {"Content-Type": JSON_TYPE, "ETag": etag, **self.index.page_headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, data: bytes, wanted: str | None) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "") if self.index.ranges else None
        start, stop = (0, len(data)) if match is None else (int(match[1]), int(match[2] or len(data) - 1) + 1)
        part = data[start:stop]
        self.send_response(200 if match is None else 206)
        if match is not None:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(data)}")
        if self.index.tells_length:
            self.send_header("Content-Length", str(len(part)))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.send(part, stoppable=match is None or not match[2])

    def send(self, part: bytes, *, stoppable: bool) -> None:
        index, half = self.index, len(part) // 2
        if stoppable and index.cuts_after is not None and index.cuts_after < len(part):
            part = part[: index.cuts_after]
            self.close_connection = True
        try:
            self.wfile.write(part[:half])
            if index.gate is not None and stoppable:
                index.gate.wait(30)
            self.wfile.write(part[half:])
            if not index.tells_length:
                self.close_connection = True
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def upstream_server() -> Iterator[UpstreamIndex]:
    index = UpstreamIndex()
    handler = type("Handler", (_Handler,), {"index": index})
    with listening(handler) as index.url:
        try:
            yield index
        finally:
            if index.gate is not None:
                index.gate.set()


def kept(server: Any) -> list[str]:
    root = server.settings.home / "upstream" / "files" / "kept"
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def staged(server: Any) -> list[Path]:
    return list((server.settings.home / "upstream" / "files" / "staging").iterdir())


def eventually(holds: Callable[[], bool]) -> bool:
    """Wait for what happens behind an answer, thirty seconds at most."""
    deadline = time.monotonic() + 30
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()
