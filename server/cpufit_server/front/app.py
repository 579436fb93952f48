"""The front: what was answered before is answered again, as long as its project did not change."""

from __future__ import annotations

import os
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cpufit_server.bounded_cache import BoundedCache
from cpufit_server.page_response import is_known, page_response

from .answers import Ready, ready_file, ready_page
from .keeping import LOOK, SLOT, KeptPage, ReadyFigures, Slot
from .streaming import send_file
from .wishes import Wishes

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from cpufit_server.settings import Settings

    from .at_once import AtOnce
    from .serials import Serials

_METHODS = frozenset({"GET", "HEAD"})
_BY_CLIENT = "/simple/"
_BY_PATH = "/cpu/"
_FILES = ("/files/", "/upstream/")
"""Not selectors: each address of one is asked for once."""
_LONGEST_PATH = 1024
"""Characters of a path under which an answer is kept: it is kept too, and a token may be as long as somebody likes."""


class Front:
    """An ASGI application in front of another one; belongs to one event loop."""

    def __init__(
        self, back: ASGIApp, settings: Settings, open_serials: Callable[[], Serials], figures: ReadyFigures
    ) -> None:
        """Take the application that knows every answer.

        :param open_serials: opens the catalog's serials; called when the application behind has started
        :param figures: is kept up to date
        """
        self._figures = figures
        self._back = back
        self._open_serials = open_serials
        self._serials: Serials | None = None
        self._wishes = Wishes(settings)
        self._answers = BoundedCache[Ready](
            entries=settings.front_entries, weight=settings.front_bytes, weigh=lambda ready: ready.weight
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return
        key = None
        if self._serials is not None:
            scope[LOOK] = self._serials.of
            key = self._key(scope)
        if key is None:
            await self._back(scope, receive, send)
            return
        ready = self._answers.get(key)
        if ready is None or not self._holds(ready):
            await self._ask_back(key, scope, receive, send)
            return
        scope["route"] = ready.route
        self._figures.hits += 1
        if ready.on_hit is not None:
            ready.on_hit(Request(scope))
        known = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
        if ready.not_modified is not None and _is_known(known, ready.etag):
            await send(ready.not_modified)
            await send({"type": "http.response.body"})
            return
        if ready.path is None or scope["method"] == "HEAD":
            await send(ready.start)
            await send({"type": "http.response.body", "body": ready.body if ready.fresh is None else ready.fresh()})
            return
        try:
            descriptor = await run_in_threadpool(os.open, ready.path, os.O_RDONLY)
        except OSError:
            # set aside since, as damaged: the application behind says what to say of it
            await self._ask_back(key, scope, receive, send)
            return
        try:
            await send(ready.start)
        except BaseException:
            os.close(descriptor)
            raise
        await send_file(send, descriptor, ready.size)

    def _holds(self, ready: Ready) -> bool:
        serial = None if self._serials is None else self._serials.of(ready.name)
        return serial == ready.serial and (ready.still is None or ready.still())

    def at_once(self, path: str, headers: Mapping[bytes, bytes], *, method: str) -> AtOnce | None:
        """Return an answer that stands ready in memory; a :class:`.at_once.AnswersAtOnce`."""
        key = None if self._serials is None else self._key_of(path, headers)
        ready = None if key is None else self._answers.get(key)
        if ready is None or ready.on_hit is not None or not self._holds(ready):
            return None
        known = headers.get(b"if-none-match")
        if known is not None and ready.known is not None and _is_known(known, ready.etag):
            answer: AtOnce | None = ready.known
        else:
            answer = ready.whole(method)
        if answer is not None:
            self._figures.hits += 1
        return answer

    def _key(self, scope: Scope) -> Hashable | None:
        """Return what decides the answer; None for a request that the front leaves alone."""
        if scope["type"] != "http" or scope["method"] not in _METHODS or scope["query_string"]:
            return None
        # of a header that came twice the first counts, as the framework reads it
        return self._key_of(scope["path"], dict(reversed(scope["headers"])))

    def _key_of(self, path: str, headers: Mapping[bytes, bytes]) -> Hashable | None:
        if len(path) > _LONGEST_PATH:
            return None
        if path.startswith(_FILES):
            return None if b"range" in headers else path
        if path.startswith(_BY_CLIENT):
            agent = headers.get(b"user-agent")
        elif path.startswith(_BY_PATH):
            agent = None
        else:
            return None
        wish = self._wishes.of(headers.get(b"accept"), headers.get(b"accept-encoding"), agent)
        return None if wish is None else (path, wish)

    async def _ask_back(self, key: Hashable, scope: Scope, receive: Receive, send: Send) -> None:
        slot = Slot()
        scope[SLOT] = slot
        await self._back(scope, receive, send)
        if slot.kept is None:
            return
        # after the answer is out: nobody waits for this
        kept = slot.kept
        make: Callable[[], Ready | None]
        if isinstance(kept, KeptPage):
            make = partial(ready_page, kept, scope, page_response)
        else:
            make = partial(ready_file, kept, scope)
        try:
            ready = await run_in_threadpool(make)
        except OSError:  # a file that is not there any more
            return
        if ready is not None:
            self._answers.put(key, ready)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "lifespan.startup.complete":
                self._serials = self._open_serials()
            await send(message)

        try:
            await self._back(scope, receive, sending)
        finally:
            if self._serials is not None:
                self._serials.close()


def _is_known(if_none_match: bytes | None, etag: bytes) -> bool:
    if if_none_match is None:
        return False
    return if_none_match == etag or is_known(if_none_match.decode("latin-1"), etag.decode("latin-1"))
