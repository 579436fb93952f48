"""The server's log: how lines get out of it. What they say is made in :mod:`.log_lines`."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from time import time_ns
from typing import TYPE_CHECKING, Literal, TextIO

from .log_lines import ACCESS, AccessRecord, JsonFormatter, TextFormatter, Told
from .watching import Exchange

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class AccessLog:
    """Writes a line for each exchange; a watcher of :mod:`.watching`.

    Where this server's own handler is the only one that hears of it, it gets the exchange itself and makes the lines of
    a turn of the event loop together. For everybody else there is a record, at once. Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._log = logging.getLogger(ACCESS)
        self._handler: TurnHandler | None = None
        """Takes the requests of this turn of the event loop, from the first of them on."""

    def __call__(self, exchange: Exchange) -> None:
        """Write the line."""
        if self._handler is not None:
            self._handler.waiting.append((time_ns() // 1000, exchange))
        elif self._log.isEnabledFor(logging.INFO):
            self._begin_turn((time_ns() // 1000, exchange))

    def _begin_turn(self, told: Told) -> None:
        # who listens is looked up once in a turn
        loop, handler = _running_loop(), self._only_handler()
        if loop is None or handler is None:
            self._log.handle(AccessRecord(*told))
            return
        self._handler = handler
        handler.waiting.append(told)
        loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        handler, self._handler = self._handler, None
        if handler is not None:
            handler.flush()

    def _only_handler(self) -> TurnHandler | None:
        """Return the handler that does with an exchange what logging would; None where logging has to be asked."""
        handlers: list[logging.Handler] = []
        log: logging.Logger | None = self._log
        while log is not None:
            handlers += log.handlers
            log = log.parent if log.propagate else None
        if self._log.filters or type(self._log) is not logging.Logger or len(handlers) != 1:
            return None
        (handler,) = handlers
        return handler if isinstance(handler, TurnHandler) and handler.takes_exchanges else None


class TurnHandler(_StreamHandler):
    """Writes the requests of one turn of the event loop together; everything else at once.

    Under load many requests are answered in one turn, and a write costs as much as the answer to one. What a server
    says at its end is in no turn: a signal that it raises anew ends it.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        # no lock: one step puts a request in, one takes it out
        self.waiting: deque[Told] = deque()
        """Requests whose lines are to be made; who puts one in sees to it that they are flushed when the turn ends."""
        self._lines: list[str] = []

    @property
    def takes_exchanges(self) -> bool:
        """Whether nobody here has to see a record: no filter, no level, no formatter or class of somebody else's."""
        plain = type(self) is TurnHandler and type(self.formatter) in (TextFormatter, JsonFormatter)
        return plain and not self.filters and self.level <= logging.INFO

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        try:
            line = self.format(record)
            self._make_lines()
            self._lines.append(line)
            loop = _running_loop() if isinstance(record, AccessRecord) else None
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
            self._make_lines()
            lines, self._lines = self._lines, []
            if lines:
                self.stream.write("\n".join([*lines, ""]))
            self.stream.flush()
        finally:
            self.release()

    def _make_lines(self) -> None:
        """Make the lines of the requests that wait; others go on putting in theirs meanwhile."""
        told = [self.waiting.popleft() for _ in range(len(self.waiting))]
        if not told:
            return
        if isinstance(self.formatter, (TextFormatter, JsonFormatter)):
            self._lines += self.formatter.format_requests(told)
        else:  # somebody exchanged it in this turn
            self._lines += [self.format(AccessRecord(*one)) for one in told]


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
