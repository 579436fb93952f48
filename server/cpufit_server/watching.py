"""Watching: each request and its answer, as one value, for whoever counts or writes them down.

The middleware is plain ASGI: nothing is buffered, and a file that is sent costs it one addition for each piece.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from functools import lru_cache
from random import getrandbits
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from .front.at_once import AtOnce, route_template

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .front.at_once import AnswersAtOnce

REQUEST_ID = ContextVar("cpufit_request_id", default="")
"""The id of the request that is being answered; empty outside of one."""

_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_PATH = 1024
_CLIENTS = re.compile(
    r"(pip|uv|twine|poetry|pdm|unearth|pipx|cpufit|conda|bandersnatch|devpi|curl|Wget|Prometheus|python-requests"
    r"|python-httpx|Python-urllib|Mozilla)\b",
)
_SAME_CLIENT = {"unearth": "pdm", "Mozilla": "browser", "python-requests": "python", "python-httpx": "python"}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Exchange(NamedTuple):
    """One request with its answer. Nothing in it is secret: no header but the kind of client, no query.

    There is one for each request, and a tuple is made more quickly than a frozen dataclass.
    """

    method: str
    """One that HTTP knows, or ``other``."""
    path: str
    """Percent-encoded, without the query."""
    route: str
    """The template that the path follows (``/simple/{name}/``); ``unmatched`` where nothing is served."""
    status: int
    size: int
    """Bytes of the answer's body that were sent."""
    seconds: float
    """From the request's head to the last byte."""
    client: str
    """The kind of client (``pip``, ``uv``, …), ``other`` or ``none``."""
    request_id: str
    outcome: str = ""
    """What became of an upload: a status, or an error's code."""


Watcher = Callable[[Exchange], object]
"""Is told of each exchange when it has ended; has to be quick."""


class Watching:
    """ASGI middleware that gives each request an id and tells watchers of its end."""

    def __init__(self, app: ASGIApp, *, watchers: Sequence[Watcher]) -> None:
        self._app = app
        self._watchers = tuple(watchers)
        self._immediate: AnswersAtOnce | None = app if hasattr(app, "at_once") else None

    def at_once(self, path: str, headers: Mapping[bytes, bytes], *, method: str) -> AtOnce | None:
        """Return what the application answers without waiting, watched; a :class:`.front.at_once.AnswersAtOnce`."""
        if self._immediate is None:
            return None
        started = perf_counter()
        found = self._immediate.at_once(path, headers, method=method)
        if found is None:
            return None
        agent, request_id = headers.get(b"user-agent"), _request_id(headers.get(b"x-request-id"))
        # arguments by place: names cost as much again as the tuple
        exchange = Exchange(
            method,
            path[:_LONGEST_PATH],
            found.route,
            found.status,
            len(found.body),
            perf_counter() - started,
            _client_kind(agent[:64]) if agent else "none",
            request_id,
        )
        for watcher in self._watchers:
            watcher(exchange)
        return AtOnce(found.status, b"%bx-request-id: %b\r\n" % (found.head, request_id.encode()), found.body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        headers = dict(scope["headers"])
        request_id = _request_id(headers.get(b"x-request-id"))
        told = scope.setdefault("state", {})
        told["request_id"] = request_id
        status, size = 500, 0  # what an error that nobody expected becomes

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                # a new message: the one that came may be kept and sent again
                headers = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
                message = {**message, "headers": headers}
            elif message["type"] == "http.response.body" and scope["method"] != "HEAD":  # of which none is sent
                size += len(message.get("body", b""))
            await send(message)

        # each request is answered in a task of its own, whose context ends with it
        REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, counted)
        finally:
            exchange = Exchange(
                method=scope["method"] if scope["method"] in _METHODS else "other",
                path=_path(scope),
                route=route_template(scope.get("route")),
                status=status,
                size=size,
                seconds=perf_counter() - started,
                client=client_kind(headers.get(b"user-agent")),
                request_id=request_id,
                outcome=told.get("outcome", ""),
            )
            for watcher in self._watchers:
                watcher(exchange)


def note_outcome(scope: MutableMapping[str, Any], outcome: str) -> None:
    """Tell the watchers of a request what became of it, in a word of a small vocabulary."""
    scope.setdefault("state", {})["outcome"] = outcome


def client_kind(user_agent: bytes | None) -> str:
    """Return the kind of client that a User-Agent begins with: one of a few words."""
    return _client_kind(user_agent[:64]) if user_agent else "none"


@lru_cache(maxsize=1024)
def _client_kind(beginning: bytes) -> str:
    found = _CLIENTS.match(beginning.decode("latin-1"))
    if found is None:
        return "other"
    return _SAME_CLIENT.get(found[1], found[1].lower())


def _request_id(told: bytes | None) -> str:
    """Return the id that a proxy gave, if it can stand in a log, or a new one."""
    if told is not None and _SANE_ID.fullmatch(told):
        return told.decode()
    return getrandbits(64).to_bytes(8, "big").hex()  # a name, not a secret; the system's source costs a call


def _path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    text = quote(scope["path"]) if raw is None else quote(raw, safe="/%:@!$&'()*+,;=~-._")
    return text[:_LONGEST_PATH]
