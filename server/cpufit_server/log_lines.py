"""What a line of the log says, to people or to machines, and nothing secret in either.

What must not be there is taken out of the finished line, tracebacks included, whoever wrote it: upload tokens,
``Authorization`` values, user names and passwords in addresses, query strings.

The lines of requests are made many at a time: one look at all of them tells that nothing has to be taken out. What they
say is what :meth:`logging.Formatter.format` says of an :class:`AccessRecord`, letter for letter.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from .watching import REQUEST_ID, Exchange

ACCESS = "cpufit_server.access"
"""The logger of requests."""

Told = tuple[int, Exchange]
"""A request with its answer, and when that had ended, in microseconds since the epoch."""

_FACTS = "facts"
"""The attribute of a record with what a machine reads besides the sentence."""

_SECRETS = (
    (("cpufit-",), re.compile(r"cpufit-[A-Za-z0-9_-]{20,}"), "cpufit-***"),
    (
        ("basic", "bearer", "token"),
        re.compile(r"(?i)\b(basic|bearer|token)(\s+)[A-Za-z0-9+/=._~-]{16,}"),
        r"\1\2***",
    ),
    (
        ("authorization",),
        re.compile(r"(?i)(authorization['\"]?\s*[:=,]\s*(?:b?['\"])?)(?:[a-z]+\s+)?[^\s'\",)]+"),
        r"\1***",
    ),
    (("@",), re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@'\"<>]+@"), r"\1***@"),
    (("?",), re.compile(r"((?:\b[a-z][a-z0-9+.-]*:/)?/[^\s?'\"<>]*)\?[^\s'\"<>]+"), r"\1?***"),
)
"""Each with words of which one is in every ASCII text that it changes."""
_SUSPECT = tuple(word for words, _, _ in _SECRETS for word in words)


def redacted(text: str) -> str:
    """Return a text without what must not be written down."""
    if _is_harmless(text):
        return text
    # a long s or an i without its dot is the letter too for a pattern, and not for a plain look
    lower = text.lower() if text.isascii() else None
    for words, pattern, instead in _SECRETS:
        if lower is None or any(word in lower for word in words):
            text = pattern.sub(instead, text)
    return text


class AccessRecord(logging.LogRecord):
    """A request with its answer as logging hands it on.

    Without what a usual record looks up, the stack, the process and the thread: half of what a line would cost, for
    what is always the same here.
    """

    def __init__(self, moment: int, exchange: Exchange) -> None:
        """Make the record; the arguments are those of :data:`Told`."""
        self.__dict__.update(_like_all())
        self.created = moment / 1_000_000
        self.msecs = float(moment // 1000 % 1000)  # a formatter of somebody else's takes it from here
        self.msg = _sentence(exchange)
        self.request_id = exchange.request_id
        facts = {
            "method": exchange.method,
            "path": exchange.path,
            "status": exchange.status,
            "bytes": exchange.size,
            "duration_ms": round(exchange.seconds * 1000, 1),
            "client": exchange.client,
        }
        self.facts = {**facts, "outcome": exchange.outcome} if exchange.outcome else facts


class TextFormatter(logging.Formatter):
    """Lines for people: time, level, what, and the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it where there is one."""
        # a path or a name in it may begin a line of its own
        said = record.getMessage().replace("\n", "\\x0a")
        request = getattr(record, "request_id", "") or REQUEST_ID.get()
        told = f"{_time(record.created)} {record.levelname:7} {said}" + (f" [{request}]" if request else "")
        if record.exc_info:
            told = f"{told}\n{self.formatException(record.exc_info)}"
        return _shown(told)

    def format_requests(self, told: Sequence[Told]) -> list[str]:
        """Return the lines of many requests."""
        lines: list[str] = []
        chosen: list[str] = []
        for at, (method, path, _, status, size, seconds, client, request, outcome) in _stamped(told):
            became = f" {outcome}" if outcome else ""
            took = seconds * 1000
            lines.append(
                f"{at} INFO    {method} {path} {status} {size} bytes {took:.1f} ms {client}{became} [{request}]"
            )
            chosen.append(path + request + outcome)
        return _checked(lines, chosen, told, self)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object: ``time``, ``level``, ``logger``, ``message``, and what else is known."""
        told: dict[str, object] = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        request = getattr(record, "request_id", "") or REQUEST_ID.get()
        if request:
            told["request_id"] = redacted(request)  # a client may give anything for one
        facts: Mapping[str, object] = getattr(record, _FACTS, {})
        told.update({key: redacted(value) if isinstance(value, str) else value for key, value in facts.items()})
        if record.exc_info:
            told["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(told)

    def format_requests(self, told: Sequence[Told]) -> list[str]:
        """Return the objects of many requests."""
        lines: list[str] = []
        chosen: list[str] = []
        for at, (method, path, _, status, size, seconds, client, request, outcome) in _stamped(told):
            said, became = (f" {outcome}", f', "outcome": "{outcome}"') if outcome else ("", "")
            took = f"{seconds * 1000:.1f}"
            # json.dumps would take longer than everything else
            lines.append(
                f'{{"time": "{at}", "level": "info", "logger": "{ACCESS}", '
                f'"message": "{method} {path} {status} {size} bytes {took} ms {client}{said}", '
                f'"request_id": "{request}", "method": "{method}", "path": "{path}", "status": {status}, '
                f'"bytes": {size}, "duration_ms": {took}, "client": "{client}"{became}}}'
            )
            chosen.append(path + request + outcome)
        return _checked(lines, chosen, told, self)


def _stamped(told: Sequence[Told]) -> Iterator[tuple[str, Exchange]]:
    last, at = -1, ""
    for moment, exchange in told:
        # under load many fall into one thousandth of a second
        if (thousandth := moment // 1000) != last:
            last, at = thousandth, _stamp(thousandth)
        yield at, exchange


def _checked(lines: list[str], chosen: list[str], told: Sequence[Told], formatter: logging.Formatter) -> list[str]:
    """Return lines as they are; where clients chose what has to be taken out or spelled otherwise, the formatter's."""
    if _is_plain("".join(chosen)):
        return lines
    each = zip(lines, chosen, told, strict=True)
    return [line if _is_plain(words) else formatter.format(AccessRecord(*one)) for line, words, one in each]


def _is_plain(text: str) -> bool:
    return text.isprintable() and _is_harmless(text) and '"' not in text and "\\" not in text


def _sentence(exchange: Exchange) -> str:
    method, path, _, status, size, seconds, client, _, outcome = exchange
    said = f" {outcome}" if outcome else ""
    return f"{method} {path} {status} {size} bytes {seconds * 1000:.1f} ms {client}{said}"


@lru_cache(maxsize=1)
def _like_all() -> Mapping[str, object]:
    return dict(logging.LogRecord(ACCESS, logging.INFO, __file__, 0, "", None, None).__dict__)


def _is_harmless(text: str) -> bool:
    """Tell by plain looks, which cost less than five patterns, that nothing has to be taken out; most texts are so."""
    if not text.isascii():
        return False
    lower = text.lower()
    for word in _SUSPECT:  # noqa: SIM110  # a generator for any() would cost as much as the looks
        if word in lower:
            return False
    return True


def _shown(text: str) -> str:
    text = redacted(text)
    if text.isprintable():  # most lines: one look at the whole instead of one at each character
        return text
    # a path or a name may hold what a terminal obeys
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def _time(moment: float) -> str:
    return _stamp(int(moment * 1_000_000 + 0.5) // 1000)


def _stamp(thousandth: int) -> str:
    second, rest = divmod(thousandth, 1000)
    return f"{_second(second)}.{rest:03d}Z"


@lru_cache(maxsize=2)
def _second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
