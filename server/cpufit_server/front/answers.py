"""Answers made ready: the messages that go to the server as they are."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.requests import Request

from .at_once import AtOnce, head_lines, route_template
from .keeping import KeptFile, KeptPage
from .splicing import splice_gzip
from .splicing_zstd import splice_zstd

if TYPE_CHECKING:
    from starlette.responses import Response

    from cpufit_server.negotiation import Form
    from cpufit_server.pages import RenderedPage

Message = MutableMapping[str, Any]

SMALL_FILE = 256 * 1024
"""Files of at most this many bytes are kept in memory: METADATA, small wheels."""

_TABLES = 32 * 1024
_ANY_VERSION = (b"if-none-match", b"*")
_DECIDING = frozenset({b"accept", b"accept-encoding", b"user-agent"})


class Respond(Protocol):
    """Makes the whole answer to a request for a page."""

    def __call__(self, request: Request, page: RenderedPage, form: Form, *, shared: bool) -> Response:
        """Return the answer, or that the client has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An answer that can be sent without asking anybody but the serial."""

    name: str
    serial: int
    start: Message
    """The message that begins a whole answer."""
    not_modified: Message | None
    """The message that begins an answer to a client which has this version; None where there is none such."""
    etag: bytes
    body: bytes
    fresh: Callable[[], bytes] | None = None
    """Makes the body, where each answer has one of its own."""
    path: Path | None = None
    """Where the body is read from, where it is not in memory."""
    size: int = 0
    """Bytes of the body."""
    on_hit: Callable[[Request], None] | None = None
    still: Callable[[], bool] | None = None
    """Tells whether it is the answer still, besides the serial."""
    route: object = None
    """What the framework calls the path's template by; metrics count by it."""
    head: bytes = field(init=False)
    """The headers of a whole answer as lines."""
    known: AtOnce | None = field(init=False)
    """The answer to a client which has this version."""
    kept: AtOnce | None = field(init=False)
    """The whole answer to GET, where its body is in memory and every client gets the same."""

    def __post_init__(self) -> None:
        template = route_template(self.route)
        known = kept = None
        if self.not_modified is not None:
            known = AtOnce(304, head_lines(self.not_modified["headers"]), b"", template)
        head = head_lines(self.start["headers"])
        if self.path is None and self.fresh is None:
            kept = AtOnce(self.start["status"], head, self.body, template)
        for name, value in (("head", head), ("known", known), ("kept", kept)):
            object.__setattr__(self, name, value)

    def whole(self, method: str) -> AtOnce | None:
        """Return the whole answer; None where its body has to be read from a file."""
        if method != "HEAD" and (self.kept is not None or self.fresh is None):
            return self.kept
        body = b"" if method == "HEAD" or self.fresh is None else self.fresh()
        return AtOnce(self.start["status"], self.head, body, route_template(self.route))

    @property
    def weight(self) -> int:
        """Bytes of memory that it takes, roughly: what makes a body holds all of one, and its tables."""
        return (len(self.body) if self.fresh is None else self.size + _TABLES) + 2048


def ready_page(kept: KeptPage, scope: MutableMapping[str, Any], respond: Respond) -> Ready | None:
    """Return a page made ready for every request of the same wish; None where it cannot be.

    :param scope: of a request of that wish
    :param respond: makes the whole answer to a request for that page
    """
    headers = [header for header in scope["headers"] if header[0] in _DECIDING]
    whole = respond(Request({**scope, "headers": headers}), kept.page, kept.form, shared=kept.shared)
    etag = _header(whole, b"etag")
    known = respond(Request({**scope, "headers": [*headers, _ANY_VERSION]}), kept.page, kept.form, shared=kept.shared)
    fresh, body, size = None, bytes(whole.body), len(whole.body)
    if kept.page.placeholder is not None:
        fresh = _freshly(kept.page, _header(whole, b"content-encoding"))
        if fresh is None:
            return None
        body, size = b"", len(fresh())
    return Ready(
        name=kept.name,
        serial=kept.serial,
        start=_start(whole, size),
        not_modified=_start(known, None) if known.status_code == 304 else None,
        etag=etag or b"",
        body=body,
        fresh=fresh,
        size=size,
        on_hit=kept.on_hit,
        still=kept.still,
        route=scope.get("route"),
    )


def ready_file(kept: KeptFile, scope: MutableMapping[str, Any]) -> Ready:
    """Return a file made ready; a small one is read into memory.

    :raises OSError: it cannot be read
    """
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers.items()]
    unchanging = [header for header in headers if header[0] in (b"etag", b"cache-control")]
    return Ready(
        name=kept.name,
        serial=kept.serial,
        start=_message(200, [*headers, (b"content-length", str(kept.size).encode())]),
        not_modified=_message(304, unchanging),
        etag=dict(headers)[b"etag"],
        body=kept.path.read_bytes() if kept.size <= SMALL_FILE else b"",
        path=None if kept.size <= SMALL_FILE else kept.path,
        size=kept.size,
        on_hit=kept.on_hit,
        route=scope.get("route"),
    )


def _freshly(page: RenderedPage, coding: bytes | None) -> Callable[[], bytes] | None:
    """Return what makes the body of a page with a fresh path segment; None where nothing can."""
    word, fresh_word = page.placeholder, page.fresh_word  # what is returned does not hold the page
    if word is None:
        return None
    if coding is None:
        parts = page.body.split(word)
        return lambda: fresh_word().join(parts)
    spliced = splice_zstd(page.body, word) if coding == b"zstd" else splice_gzip(page.body, word)
    return None if spliced is None else lambda: spliced.with_word(fresh_word())


def _start(response: Response, size: int | None) -> Message:
    headers = [header for header in response.raw_headers if header[0] != b"content-length"]
    if size is not None:
        headers.append((b"content-length", str(size).encode()))
    return _message(response.status_code, headers)


def _message(status: int, headers: list[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": headers}


def _header(response: Response, name: bytes) -> bytes | None:
    return next((value for key, value in response.raw_headers if key == name), None)
