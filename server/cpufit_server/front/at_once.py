"""Answers that need no waiting: what an application hands to the protocol, which writes it where the request was read.

ASGI makes a task, a dictionary and some messages for each request. An answer that stands ready needs none of them: the
protocol asks for it by :class:`AnswersAtOnce` and falls back on ASGI wherever that is declined.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

UNMATCHED = "unmatched"
"""Stands for the route of an address where nothing is served."""


class AtOnce(NamedTuple):
    """A whole answer. One or two are made for each request, and a tuple is made quickly."""

    status: int
    head: bytes
    """The lines of its headers, each with its end; framing is told by a ``content-length`` among them, or is not
    needed."""
    body: bytes
    route: str = UNMATCHED
    """The template that the path follows."""


class AnswersAtOnce(Protocol):
    """What an ASGI application may have besides: answers without waiting; called in the thread of the event loop."""

    def at_once(self, path: str, headers: Mapping[bytes, bytes], *, method: str) -> AtOnce | None:
        """Return the answer to a request without a body and a query; None where ASGI has to be asked.

        :param path: as it came, nothing in it percent-encoded
        :param headers: by lower-case name; no name came twice
        :param method: ``GET`` or ``HEAD``
        """


def head_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return headers as lines (RFC 9112 §5)."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def route_template(route: object) -> str:
    """Return the template that a framework's route has; :data:`UNMATCHED` for none."""
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else UNMATCHED
