"""HTTP/1.1 as this server speaks it: an answer that stands ready is written where its request was read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cpufit_server.status_line import ReasonProtocol

if TYPE_CHECKING:
    from uvicorn import Config
    from uvicorn.server import ServerState

    from .at_once import AnswersAtOnce, AtOnce

_log = logging.getLogger(__name__)
_METHODS = {b"GET": "GET", b"HEAD": "HEAD"}
_BY_ASGI = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
"""What comes with a body, or wants more than an answer."""
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_COPIED = 64 * 1024
"""Bytes of a body up to which one copy costs less than a second write."""


class FrontProtocol(ReasonProtocol):
    """uvicorn's HTTP/1.1 that asks the application for answers at once, if it has :class:`.at_once.AnswersAtOnce`.

    It does so for a request that comes when nothing else is under way on its connection; whatever is not as plain as
    installers ask takes the way of ASGI.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn bounds and prefixes what goes the way of ASGI, and nothing else
        plain = self.limit_concurrency is None and not self.root_path and hasattr(config.loaded_app, "at_once")
        self._application: AnswersAtOnce | None = config.loaded_app if plain else None
        self._answer: AtOnce | None = None

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        self._answer = None
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Look for an answer; begin the way of ASGI where there is none."""
        self._answer = self._found()
        if self._answer is None:
            # an answer that was written while this request was read already began to wait for the next one
            self._unset_keepalive_if_required()
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Write the answer."""
        answer = self._answer
        if answer is None:
            super().on_message_complete()
            return
        self._moved = True
        self._answer = None
        head = [_STATUS_LINES[answer.status]]
        head.extend(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        head += (answer.head, b"\r\n")
        if len(answer.body) <= _COPIED:
            head.append(answer.body)
            self.transport.write(b"".join(head))
        else:
            self.transport.write(b"".join(head))
            self.transport.write(answer.body)
        self.on_response_complete()

    def _found(self) -> AtOnce | None:
        headers = dict(self.headers)
        if self._application is None or not self._is_plain(headers):
            return None
        method = _METHODS[self.parser.get_method()]
        try:
            return self._application.at_once(self.url.decode("ascii"), headers, method=method)
        except Exception:  # noqa: BLE001  # the parser would tell the client that it asked wrongly, and nobody else
            _log.exception("a ready answer could not be given")
            return None

    def _is_plain(self, headers: Mapping[bytes, bytes]) -> bool:
        """Tell whether nothing is in the way of an answer: on the connection, in the first line, in the headers."""
        if self.flow.write_paused or self.transport.is_closing() or not getattr(self.cycle, "response_complete", True):
            return False
        parser, url = self.parser, self.url
        if parser.get_method() not in _METHODS or b"?" in url or b"%" in url or b"#" in url or url[:1] != b"/":
            return False
        if parser.get_http_version() != "1.1" or not parser.should_keep_alive():
            return False
        return len(headers) == len(self.headers) and _BY_ASGI.isdisjoint(headers)
