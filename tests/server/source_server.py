"""A small web server on the loopback that is somebody else's index: it serves what a test puts there."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.loopback import listening


@dataclass(frozen=True)
class Answer:
    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/html"),)
    promised: int | None = None
    """A Content-Length that is not the body's."""


@dataclass
class SourceServer:
    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    """By path; of several answers each is given once, the last one for ever."""
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """The paths that were asked for, with the headers in lower case."""

    def put(self, path: str, body: bytes | str = b"", **rest: object) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.answers.setdefault(path, []).append(Answer(body=data, **rest))  # type: ignore[arg-type]  # a test's fields

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def login(self, number: int) -> str | None:
        """Return the user and password that came with a request."""
        header = self.requests[number][1].get("authorization")
        return None if header is None else base64.b64decode(header.removeprefix("Basic ")).decode()


@contextmanager
def source_server() -> Iterator[SourceServer]:
    source = SourceServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            answers = source.answers.get(self.path.partition("?")[0], [Answer(status=404)])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) if answer.promised is None else answer.promised))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with listening(Handler) as source.url:
        yield source
