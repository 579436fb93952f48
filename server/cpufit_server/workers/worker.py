"""One worker: a whole server on sockets that it was given. It ends when its parent asks it to, or is gone.

Its standard input is a pipe that the parent holds: the first line says what to serve, and its end is the parent's.
Standard output tells the parent that it serves.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass

from cpufit_resolver.errors import CpufitError
from cpufit_server.cli import REFUSED, USAGE, tell
from cpufit_server.commands.serve import Server, make_server, serve_until_stopped
from cpufit_server.errors import InvalidSetting
from cpufit_server.settings import load_settings

READY = b"ready\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a worker is to serve."""

    given: dict[str, object]
    """The settings that the command line gave; the environment gives the others again."""
    sockets: tuple[int, ...]
    """File descriptors that listen."""

    def as_line(self) -> bytes:
        """Return it as the worker reads it."""
        return json.dumps(asdict(self), default=str).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Order:
        """Read it again."""
        told = json.loads(line)
        return cls(given=told["given"], sockets=tuple(told["sockets"]))


def main() -> int:
    """Serve until the parent asks to stop or is gone; returns an exit code as the command's."""
    order = Order.from_line(sys.stdin.buffer.readline())
    sockets = [socket.socket(fileno=number) for number in order.sockets]
    for one in sockets:
        one.set_inheritable(False)
    try:
        server = make_server(load_settings(**order.given), on_ready=_tell_parent)
        threading.Thread(target=_stop_with, args=(sys.stdin.fileno(), server), daemon=True).start()
        return serve_until_stopped(server, sockets)
    except InvalidSetting as error:
        tell(error)
        return USAGE
    except CpufitError as error:
        tell(error)
        return REFUSED


def _tell_parent() -> None:
    with suppress(BrokenPipeError):  # a parent that is gone is noticed by its other pipe
        os.write(sys.stdout.fileno(), READY)


def _stop_with(parent: int, server: Server) -> None:
    # not through the buffer: whoever waits in it has its lock, without which Python aborts the process at its end
    while os.read(parent, 1):
        pass
    server.handle_exit(signal.SIGTERM, None)
