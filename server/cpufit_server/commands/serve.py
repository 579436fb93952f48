"""``cpufit-server serve``: the index, until it is stopped."""

from __future__ import annotations

import argparse
import gc
import logging
import socket
import threading
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from cpufit_resolver.errors import CpufitError
from cpufit_server.early import EarlyPages
from cpufit_server.front.placing import placed_before
from cpufit_server.front.protocol import FrontProtocol
from cpufit_server.logs import log_config
from cpufit_server.preparing import Prepared, prepare
from cpufit_server.settings import Settings, load_settings
from cpufit_server.starting import Starting

from . import Subparsers, add_home_option

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class Server(uvicorn.Server):
    """Says that it is about to stop before it waits for the requests under way."""

    def __init__(self, config: uvicorn.Config, *, starting: Starting, stopping: threading.Event) -> None:
        super().__init__(config)
        self._starting, self._stopping = starting, stopping

    @property
    def failure(self) -> Exception | None:
        """Why the application could not be made or started; None where it could."""
        return self._starting.failure

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; also called by whoever is no signal."""
        self._stopping.set()
        super().handle_exit(sig, frame)

    def give_up(self) -> None:
        """Stop in good order without anybody's signal."""
        self._stopping.set()
        self.should_exit = True


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("serve", help="run the index", description="Run the index until it is stopped.")
    parser.add_argument("--host", help="address to listen on (default: CPUFIT_HOST, else 127.0.0.1)")
    parser.add_argument("--port", type=int, help="TCP port to listen on (default: CPUFIT_PORT, else 8000)")
    add_home_option(parser)
    parser.add_argument("--workers", type=int, help="processes that serve (default: CPUFIT_WORKERS, else 1)")
    parser.add_argument("--upstream", metavar="URL|pip", help="index for names not hosted here; pip: the one pip uses")
    parser.add_argument(
        "--upstream-offline",
        action="store_true",
        default=None,
        help="list only what is cached of it, and fetch nothing",
    )
    parser.add_argument("--public-url", metavar="URL", help="address under which clients reach it; needed off loopback")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; requests under way are finished first."""
    given = {
        name: getattr(arguments, name)
        for name in ("host", "port", "home", "workers", "upstream", "upstream_offline", "public_url")
        if getattr(arguments, name) is not None
    }
    settings = load_settings(**given)
    if settings.workers > 1:
        from cpufit_server.workers.supervisor import supervise  # noqa: PLC0415  # one process needs none of it

        return supervise(settings, given)
    server = make_server(settings)
    logging.getLogger(__name__).info("cpufit: %s at %s/simple/", settings.home, settings.base_url)
    return serve_until_stopped(server)


def make_server(settings: Settings, *, on_ready: Callable[[], object] = lambda: None) -> Server:
    """Return a server that can be run.

    :param on_ready: called when everything is served, not the first pages alone
    :raises CpufitError: as :func:`cpufit_server.preparing.prepare`
    """
    prepared = prepare(settings)
    starting = Starting(
        partial(_application, settings, prepared),
        partial(EarlyPages.open, settings),
        patience=settings.start_patience_seconds,
        on_ready=partial(_settled, on_ready),
        on_failure=lambda: server.give_up(),  # noqa: PLW0108  # the server is made of what this is for
    )
    server = Server(
        uvicorn.Config(
            placed_before(starting, settings, prepared),
            host=settings.host,
            port=settings.port,
            http=FrontProtocol,
            # what goes wrong before it listens ends it; by itself uvicorn would take that for an application without a
            # beginning, and serve it
            lifespan="on",
            # the public address comes from settings alone, never from what a client or a proxy says
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=settings.stop_grace_seconds,
            timeout_keep_alive=settings.keep_alive_seconds,
            log_config=log_config(settings.log_format, settings.log_level),
            access_log=False,  # the application writes its own, without queries
        ),
        starting=starting,
        stopping=prepared.stopping,
    )
    return server


def serve_until_stopped(server: Server, sockets: list[socket.socket] | None = None) -> int:
    """Run a server to its end and return the command's exit code.

    :param sockets: those to listen on; without them it opens its own
    :raises CpufitError: it could not start, for a reason of ours
    """
    try:
        server.run(sockets)
    except KeyboardInterrupt:  # uvicorn raises the signal anew after it has stopped in good order
        return 0
    except SystemExit:  # so it says that it could not start; the log tells why
        if not isinstance(server.failure, CpufitError):
            return 1
    if isinstance(server.failure, CpufitError):
        raise server.failure
    return 0 if server.started and server.failure is None else 1


def _settled(on_ready: Callable[[], object]) -> None:
    # What was loaded stays. The collector need not walk through it again and again, which held up everybody for a
    # twentieth of a second.
    gc.freeze()
    on_ready()


def _application(settings: Settings, prepared: Prepared) -> ASGIApp:
    # the web framework and the database library: what a start waits for longest
    from cpufit_server.app import create_app  # noqa: PLC0415

    return create_app(settings, prepared)
