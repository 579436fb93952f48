"""Content negotiation: which of our page formats a client likes best, and in which coding it takes them.

Simple repository API, "Version + format selection", and RFC 9110, section 12.5.1: the most specific range that
matches a type tells its weight, the type with the highest weight is sent, and no ``Accept`` at all is as ``*/*``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .errors import NotAcceptable

if TYPE_CHECKING:
    from collections.abc import Sequence

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
PLAIN_HTML_TYPE = "text/html"

_ALIASES = {
    "application/vnd.pypi.simple.latest+json": JSON_TYPE,
    "application/vnd.pypi.simple.latest+html": HTML_TYPE,
}
_PAGE_TYPES = (PLAIN_HTML_TYPE, JSON_TYPE, HTML_TYPE)
_NAMED_FIRST = (JSON_TYPE, HTML_TYPE, PLAIN_HTML_TYPE)
_THERE_ARE = f"there are {', '.join(_PAGE_TYPES)}"

MAX_ACCEPT_LENGTH = 2048
"""Longest ``Accept`` read, in characters; a longer one counts as none."""

Coding = Literal["zstd", "gzip"]
"""The content codings that pages are sent in, by their registered names (RFC 8878, RFC 9110 section 8.4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a page is to be sent."""

    media_type: str
    coding: Coding | None
    """None where it is sent as it is."""


def form_wanted(accept: str | None, accept_encoding: str | None, formats: Sequence[str] = ()) -> Form:
    """Return how a client wants a page.

    :param formats: the values of the address's parameter ``format``
    :raises NotAcceptable: in none of the formats that there are
    """
    media_type = named_type(formats) if formats else page_type(accept)
    return Form(media_type=media_type, coding=content_coding(accept_encoding))


@dataclass(frozen=True, slots=True)
class _Range:
    pattern: str
    weight: float

    def specificity(self, media_type: str) -> int:
        """Return how closely this range matches: 3 exactly, 2 by its first half, 1 as ``*/*``, 0 not at all."""
        if self.pattern == media_type:
            return 3
        if self.pattern == "*/*":
            return 1
        return 2 if self.pattern == media_type.partition("/")[0] + "/*" else 0


def page_type(accept: str | None) -> str:
    """Return the content type to send a Simple API page in.

    Where a client likes two formats the same, one that it named wins over one that only a wildcard lets in; JSON wins
    over HTML among the named ones, ``text/html`` where only ``*/*`` speaks.

    :raises NotAcceptable: it takes none of them
    """
    ranges = _ranges(accept)
    best: tuple[float, int, int] = (0.0, 0, 0)
    chosen = None
    for media_type in _PAGE_TYPES:
        weight, closeness = _weight_of(media_type, ranges)
        order = _PAGE_TYPES if closeness == 1 else _NAMED_FIRST
        rank = (weight, closeness, -order.index(media_type))
        if rank[0] > 0 and (chosen is None or rank > best):
            best, chosen = rank, media_type
    if chosen is None:
        # Same section: 406 is one of the answers left to the server, and the one it is advised to give.
        raise NotAcceptable("none of the formats in Accept is served here", where="Accept", hint=_THERE_ARE)
    return chosen


def named_type(formats: Sequence[str]) -> str:
    """Return the content type that an address names with ``?format=``; ``Accept`` has no say then.

    Simple repository API, "URL Parameter": one valid content type, no wildcards and no weights; of an unknown one the
    server may make an error of content negotiation. A ``+`` may come as a space, which is what forms mean by it.

    :raises NotAcceptable: it names none that there is, or several
    """
    named = formats[0].strip().replace(" ", "+").lower()
    chosen = _ALIASES.get(named, named)
    if len(formats) > 1 or chosen not in _PAGE_TYPES:
        raise NotAcceptable("the format in the address is not one that is served here", where="format", hint=_THERE_ARE)
    return chosen


def preferred(accept: str | None, offered: Sequence[str]) -> str:
    """Return which of the offered types a client likes best; the first of them in doubt, and where it likes none."""
    ranges = _ranges(accept)
    return max(offered, key=lambda media_type: _weight_of(media_type, ranges)[0])


def content_coding(accept_encoding: str | None) -> Coding | None:
    """Return the coding to send a page in (RFC 9110, section 12.5.3); for a client that says nothing, none.

    zstd goes to those who name it and like it no less than gzip; ``*`` is taken for gzip, which everybody can read. A
    client that likes ``identity`` better than both gets it.
    """
    weights = {}
    for part in (accept_encoding or "")[:MAX_ACCEPT_LENGTH].split(","):
        coding, _, parameters = part.partition(";")
        weights[coding.strip().lower()] = _weight(parameters)
    zstd, gzip = weights.get("zstd", 0.0), weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0)))
    if max(zstd, gzip) <= 0 or weights.get("identity", 0.0) > max(zstd, gzip):
        return None
    return "zstd" if zstd >= gzip else "gzip"


def _ranges(accept: str | None) -> list[_Range]:
    if accept is None or not accept.strip() or len(accept) > MAX_ACCEPT_LENGTH:
        return [_Range("*/*", 1.0)]
    found = []
    for part in accept.split(","):
        pattern, _, parameters = part.partition(";")
        name = pattern.strip().lower()
        if name:
            found.append(_Range(_ALIASES.get(name, name), _weight(parameters)))
    return found or [_Range("*/*", 1.0)]


def _weight_of(media_type: str, ranges: Sequence[_Range]) -> tuple[float, int]:
    """Return how much a type is liked, by the range that matches it most closely, and how closely that is."""
    closest = max(ranges, key=lambda entry: entry.specificity(media_type))
    closeness = closest.specificity(media_type)
    return (closest.weight if closeness else 0.0), closeness


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                weight = float(value.strip())
            except ValueError:
                return 0.0
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0
