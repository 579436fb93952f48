"""The reason behind a status: the words of HTTP/1.1's status line (RFC 9112 §4), for which ASGI has no place.

Of a refused upload, twine (without ``--verbose``), PDM, Hatch and flit print the status line and nothing else. So an
answer may bring a header with its reason, and the protocol of this module sends it in the line instead. Under another
protocol or ASGI server the header goes out as it is, and over HTTP/2 there is no such line: then the body alone tells.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REASON_HEADER = "X-Cpufit-Reason"
"""The header that brings the words to the protocol."""

MAX_REASON_LENGTH = 200
"""Characters; proxies have refused answers with long status lines."""

_HEADER = REASON_HEADER.lower().encode()


def reason_phrase(text: str) -> str:
    """Return a text as a status line can carry it: printable ASCII, of bounded length."""
    plain = "".join(character if " " <= character <= "~" else "?" for character in text)
    return plain if len(plain) <= MAX_REASON_LENGTH else f"{plain[: MAX_REASON_LENGTH - 3]}..."


MAX_HEAD_BYTES = 128 * 1024
"""Bytes after which a connection is cut where a request's head, or what stands behind its body, does not end. The
piece that came in together with something else is not counted, so it may be a piece more."""


class ReasonProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with the reasons that answers to POST bring in their status lines, and with an end to heads.

    The parser keeps headers in memory and counts nothing. What an application reads is bounded by the application.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._plain, self._with_reasons = self.app, _WithReasons(self.app)
        self._moved = False
        self._unended = 0

    def data_received(self, data: bytes) -> None:
        """Take what came, and cut the connection where nothing but more of the same header comes."""
        self._moved = False
        super().data_received(data)
        self._unended = 0 if self._moved else self._unended + len(data)
        if self._unended > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        self._moved = True
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """Hand a piece of a body on."""
        self._moved = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Tell that the whole of a request came."""
        self._moved = True
        super().on_message_complete()

    def on_headers_complete(self) -> None:
        """Take the way with reasons for a POST alone: nothing else pays for it."""
        self._moved = True
        self.app = self._with_reasons if self.parser.get_method() == b"POST" else self._plain
        super().on_headers_complete()


class _WithReasons:
    """Takes the header out of an answer and has the words written in its place."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = getattr(send, "__self__", None)
        if not isinstance(cycle, RequestResponseCycle):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            reasons = [value for name, value in message.get("headers", ()) if name.lower() == _HEADER]
            if message["type"] != "http.response.start" or not reasons:
                await send(message)
                return
            headers = [header for header in message["headers"] if header[0].lower() != _HEADER]
            transport = cycle.transport
            cycle.transport = _HeadWriter(transport, reasons[-1])  # type: ignore[assignment]  # it only writes
            try:
                await send({**message, "headers": headers})
            finally:
                cycle.transport = transport

        await self._app(scope, receive, sending)


class _HeadWriter:
    """Writes one head of an answer, with other words in its first line."""

    def __init__(self, transport: asyncio.Transport, reason: bytes) -> None:
        self._transport = transport
        self._reason = reason

    def write(self, head: bytes) -> None:
        """Write the head."""
        line, end, rest = head.partition(b"\r\n")
        version, status, _ = line.split(b" ", 2)
        self._transport.write(b" ".join((version, status, self._reason)) + end + rest)
