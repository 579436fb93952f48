"""The server's log: one line for each event, for people or for machines, and nothing secret in either.

What must not be there is taken out of the finished line, tracebacks included, whoever wrote it: upload tokens,
``Authorization`` values, user names and passwords in addresses, query strings.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Literal, TextIO

from .watching import REQUEST_ID, Exchange

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

ACCESS = "cpufit_server.access"
"""The logger of requests."""

_FACTS = "facts"
"""The attribute of a record with what a machine reads besides the sentence."""

_SECRETS = (
    (re.compile(r"cpufit-[A-Za-z0-9_-]{20,}"), "cpufit-***"),
    (re.compile(r"(?i)\b(basic|bearer|token)(\s+)[A-Za-z0-9+/=._~-]{16,}"), r"\1\2***"),
    (re.compile(r"(?i)(authorization['\"]?\s*[:=,]\s*(?:b?['\"])?)(?:[a-z]+\s+)?[^\s'\",)]+"), r"\1***"),
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@'\"<>]+@"), r"\1***@"),
    (re.compile(r"((?:\b[a-z][a-z0-9+.-]*:/)?/[^\s?'\"<>]*)\?[^\s'\"<>]+"), r"\1?***"),
)
_SUSPECT = ("cpufit-", "basic", "bearer", "token", "authorization", "@", "?")


def redacted(text: str) -> str:
    """Return a text without what must not be written down."""
    lower = text.lower()
    # most lines: plain looks instead of five patterns, which take a long s or an i without its dot for the letter too
    if text.isascii() and not any(word in lower for word in _SUSPECT):
        return text
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


class TextFormatter(logging.Formatter):
    """Lines for people: time, level, what, and the request that it belongs to."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it where there is one."""
        # a path or a name in it may begin a line of its own
        said = record.getMessage().replace("\n", "\\x0a")
        request = getattr(record, "request_id", "") or REQUEST_ID.get()
        told = f"{_time(record)} {record.levelname:7} {said}" + (f" [{request}]" if request else "")
        if record.exc_info:
            told = f"{told}\n{self.formatException(record.exc_info)}"
        text = redacted(told)
        if text.isprintable():  # most lines: one look at the whole instead of one at each character
            return text
        # a path or a name may hold what a terminal obeys
        return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object: ``time``, ``level``, ``logger``, ``message``, and what else is known."""
        told: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        request = getattr(record, "request_id", "") or REQUEST_ID.get()
        if request:
            told["request_id"] = request
        facts: Mapping[str, object] = getattr(record, _FACTS, {})
        told.update({key: redacted(value) if isinstance(value, str) else value for key, value in facts.items()})
        if record.exc_info:
            told["exception"] = redacted(self.formatException(record.exc_info))
        return json.dumps(told)


class AccessLog:
    """Writes a line for each exchange; a watcher of :mod:`.watching`."""

    def __init__(self) -> None:
        self._log = logging.getLogger(ACCESS)
        self._like = logging.LogRecord(ACCESS, logging.INFO, __file__, 0, "", None, None)

    def __call__(self, exchange: Exchange) -> None:
        """Write the line."""
        if not self._log.isEnabledFor(logging.INFO):
            return
        took = round(exchange.seconds * 1000, 1)
        facts = {
            "method": exchange.method,
            "path": exchange.path,
            "status": exchange.status,
            "bytes": exchange.size,
            "duration_ms": took,
            "client": exchange.client,
        }
        if exchange.outcome:
            facts["outcome"] = exchange.outcome
        outcome = f" {exchange.outcome}" if exchange.outcome else ""
        sentence = (
            f"{exchange.method} {exchange.path} {exchange.status} {exchange.size} bytes {took} ms "
            f"{exchange.client}{outcome}"
        )
        # Logger.info would look through the stack for who calls, and ask the system for its process and thread: half of
        # what a line costs, for what is always the same here
        self._log.handle(_Line(self._like, sentence, exchange.request_id, facts))


class _Line(logging.LogRecord):
    def __init__(self, like: logging.LogRecord, sentence: str, request_id: str, facts: Mapping[str, object]) -> None:
        self.__dict__.update(like.__dict__)
        self.created = time.time()
        self.msg = sentence
        self.request_id = request_id
        self.facts = facts


class TurnHandler(_StreamHandler):
    """Writes the requests of one turn of the event loop together; everything else at once.

    Under load many requests are answered in one turn, and a write costs as much as the answer to one. What a server
    says at its end is in no turn: a signal that it raises anew ends it.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        try:
            self._lines.append(self.format(record))
            loop = _running_loop() if isinstance(record, _Line) else None
            if loop is None:
                self.flush()
            elif len(self._lines) == 1:
                loop.call_soon(self.flush)
        except Exception:  # noqa: BLE001  # as every handler of logging: whoever logs is not to fail by it
            self.handleError(record)

    def flush(self) -> None:
        """Write the lines that wait."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join([*lines, ""]))
            super().flush()
        finally:
            self.release()


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def log_config(form: LogFormat, level: LogLevel) -> dict[str, object]:
    """Return the configuration of Python's logging in which all of a server's loggers write one form, to stderr."""
    formatter = JsonFormatter if form == "json" else TextFormatter
    upper = level.upper()
    ours = {"level": upper, "handlers": ["stderr"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": formatter}},
        "handlers": {"stderr": {"()": TurnHandler, "formatter": "line", "stream": "ext://sys.stderr"}},
        "loggers": {
            **dict.fromkeys(("uvicorn", "cpufit_server", "cpufit_wheelhouse"), ours),
            # theirs tell each request to the upstream, with the whole address
            **{name: {"level": "WARNING"} for name in ("httpx", "httpcore")},
        },
        "root": {"level": "WARNING" if level != "error" else "ERROR", "handlers": ["stderr"]},
    }


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
