"""The parent of several workers: it opens their sockets, replaces who dies, and stops them all in good order.

It serves nothing and opens no home. The first worker starts alone: it brings the catalog up to date, takes up held
files and tells what is wrong with the settings; the others follow when it serves.
"""

from __future__ import annotations

import logging
import logging.config
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from cpufit_server.environment import PREFIX
from cpufit_server.errors import InvalidSetting
from cpufit_server.logs import log_config
from cpufit_server.processes import STOP_SECONDS

from .listening import Sockets, listening
from .worker import READY, Order

if TYPE_CHECKING:
    from cpufit_server.settings import Settings

_log = logging.getLogger(__name__)

_START = "from cpufit_server.workers.worker import main; raise SystemExit(main())"
_MINUTE = 60.0
_ASKING = (signal.SIGINT, signal.SIGTERM)
_HIGHEST_PORT = 65535


def supervise(settings: Settings, given: Mapping[str, object]) -> int:
    """Serve with several workers until SIGINT or SIGTERM; returns the command's exit code.

    :param given: the settings that the command line gave, by name; workers read the others from the environment, too
    :raises InvalidSetting: the settings do not go together with several workers
    """
    _check(settings)
    logging.config.dictConfig(log_config(settings.log_format, settings.log_level))
    try:
        places = listening(settings.host, settings.port, settings.workers)
    except OSError as error:
        _log.error("%s:%s cannot be listened on: %s", settings.host, settings.port, error)
        return 1
    _log.info("cpufit: %s at %s/simple/, %s workers", settings.home, settings.base_url, settings.workers)
    with ExitStack() as opened:
        for one in (one for sockets in places for one in sockets):
            opened.callback(one.close)
        workers = [_Worker(number, sockets, settings, given) for number, sockets in enumerate(places)]
        return _Supervisor(settings, workers, opened).run()


def _check(settings: Settings) -> None:
    """Tell what several workers cannot do, before anything is opened.

    :raises InvalidSetting: that
    """
    where = f"{PREFIX}WORKERS"
    if os.name == "nt":  # pragma: no cover
        raise InvalidSetting("Windows has no locks that several workers could share a home by", where=where)
    _ = settings.base_url
    if settings.metrics_port is None:
        return
    last = settings.metrics_port + settings.workers - 1
    if last > _HIGHEST_PORT or settings.metrics_port <= settings.port <= last:
        raise InvalidSetting(
            f"each worker tells its metrics on a port of its own, from {settings.metrics_port} to {last}",
            where=f"{PREFIX}METRICS_PORT",
            hint=f"choose ports up to {_HIGHEST_PORT} that leave out the index's, {settings.port}",
        )


class _Worker:
    """A place at which one process after another may work."""

    def __init__(self, number: int, sockets: Sockets, settings: Settings, given: Mapping[str, object]) -> None:
        self.number = number
        self._sockets = sockets
        own = {} if settings.metrics_port is None else {"metrics_port": settings.metrics_port + number}
        self._given = {**given, **own}
        self._process: subprocess.Popen[bytes] | None = None
        self.ready = False

    @property
    def process(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("it was not started")
        return self._process

    @property
    def was_started(self) -> bool:
        return self._process is not None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        numbers = tuple(one.fileno() for one in self._sockets)
        self.ready = False
        self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and code
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            pass_fds=numbers,
            # Ctrl-C at the terminal is for the parent, which then asks its workers
            start_new_session=True,
        )
        if self.process.stdin is None:  # pragma: no cover  # it is a pipe
            raise RuntimeError("the worker has no pipe")
        with suppress(BrokenPipeError):  # it ended at once, which is seen later
            self.process.stdin.write(Order(given=self._given, sockets=numbers).as_line())

    def heard(self) -> bool:
        """Read what it says; False when it has ended."""
        said = os.read(self.process.stdout.fileno(), 4096) if self.process.stdout else b""
        self.ready = self.ready or READY in said
        return bool(said)

    def ended(self) -> int:
        """Wait for the end of a process that says no more, and return its status."""
        status = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return status

    def send(self, number: signal.Signals) -> None:
        if self.runs:
            self.process.send_signal(number)


class _Supervisor:
    """Runs the workers of one server."""

    def __init__(self, settings: Settings, workers: list[_Worker], sockets: ExitStack) -> None:
        self._settings, self._workers, self._sockets = settings, workers, sockets
        self._selector = selectors.DefaultSelector()
        self._asked: list[signal.Signals] = []
        self._deaths: deque[float] = deque()
        self._failed = 0
        self._stop_until: float | None = None

    def run(self) -> int:
        with self._selector, self._signals():
            self._start(self._workers[0])
            while self._stop_until is None or any(worker.runs for worker in self._workers):
                self._wait()
                if self._asked:
                    self._stop()
                elif self._stop_until is not None and time.monotonic() > self._stop_until:
                    self._end()
            for worker in self._workers:
                if worker.runs:  # pragma: no cover  # the loop has ended
                    worker.send(signal.SIGKILL)
        _log.info("all workers have ended")
        return self._failed

    def _wait(self) -> None:
        for key, _ in self._selector.select(timeout=None if self._stop_until is None else 0.2):
            if isinstance(key.data, _Worker):
                self._hear(key.data)
            else:
                with suppress(BlockingIOError):
                    key.data.recv(4096)

    def _hear(self, worker: _Worker) -> None:
        before = worker.ready
        out = worker.process.stdout
        if worker.heard():
            if worker.ready and not before and worker is self._workers[0] and self._stop_until is None:
                for other in self._workers[1:]:
                    if not other.was_started:  # whose end is still to be heard is replaced then
                        self._start(other)
            return
        if out is not None:
            self._selector.unregister(out)
        status = worker.ended()
        if self._stop_until is None:
            self._replace(worker, status)

    def _replace(self, worker: _Worker, status: int) -> None:
        """Start a worker anew, unless it cannot start at all or too many died in too short a time."""
        if not worker.ready and not self._deaths:
            _log.error("worker %s did not start: status %s", worker.number, status)
            self._give_up(2 if status == 2 else 1)
            return
        now = time.monotonic()
        self._deaths.append(now)
        while now - self._deaths[0] > _MINUTE:
            self._deaths.popleft()
        if len(self._deaths) > self._settings.worker_restarts_per_minute:
            _log.error("worker %s ended with status %s; too many did in a minute", worker.number, status)
            self._give_up(1)
            return
        _log.warning("worker %s (%s) ended with status %s and is replaced", worker.number, worker.process.pid, status)
        self._start(worker)

    def _start(self, worker: _Worker) -> None:
        worker.start()
        if worker.process.stdout is not None:
            self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)

    def _give_up(self, code: int) -> None:
        self._failed = code
        self._asked.append(signal.SIGTERM)

    def _stop(self) -> None:
        """Ask the workers to stop; asked by Ctrl-C once more, not to wait for anybody."""
        first = self._stop_until is None
        asked, self._asked = self._asked, []
        if first:
            self._stop_until = time.monotonic() + self._settings.stop_grace_seconds + STOP_SECONDS
            # as long as one process has them open, the system lets clients in
            self._sockets.close()
        for worker in self._workers:
            worker.send(signal.SIGTERM if first else asked[-1])

    def _end(self) -> None:
        for worker in self._workers:
            worker.send(signal.SIGKILL)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Note signals while the block runs; each wakes up who waits."""
        woken, waking = socket.socketpair()
        with woken, waking:
            for end in (woken, waking):
                end.setblocking(False)
            self._selector.register(woken, selectors.EVENT_READ, woken)
            wakeup = signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
            handlers = {number: signal.signal(number, self._note) for number in _ASKING}
            try:
                yield
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(wakeup)
                self._selector.unregister(woken)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._asked.append(signal.Signals(number))
