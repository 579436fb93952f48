"""``cpufit-server serve``: the index, until it is stopped."""

from __future__ import annotations

import argparse
import logging
import threading
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


class _Server(uvicorn.Server):
    """Says that it is about to stop before it waits for the requests under way."""

    def __init__(self, config: uvicorn.Config, *, stopping: threading.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
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
    settings = load_settings(
        host=arguments.host,
        port=arguments.port,
        home=arguments.home,
        upstream=arguments.upstream,
        upstream_offline=arguments.upstream_offline,
        public_url=arguments.public_url,
    )
    prepared = prepare(settings)
    starting = Starting(
        partial(_application, settings, prepared),
        partial(EarlyPages.open, settings),
        patience=settings.start_patience_seconds,
        on_failure=lambda: server.give_up(),  # noqa: PLW0108  # the server is made of what this is for
    )
    server = _Server(
        uvicorn.Config(
            placed_before(starting, settings, prepared),
            host=settings.host,
            port=settings.port,
            http=FrontProtocol,
            # the public address comes from settings alone, never from what a client or a proxy says
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=settings.stop_grace_seconds,
            timeout_keep_alive=settings.keep_alive_seconds,
            log_config=log_config(settings.log_format, settings.log_level),
            access_log=False,  # the application writes its own, without queries
        ),
        stopping=prepared.stopping,
    )
    logging.getLogger(__name__).info("cpufit: %s at %s/simple/", settings.home, settings.base_url)
    try:
        server.run()
    except KeyboardInterrupt:  # uvicorn raises the signal anew after it has stopped in good order
        return 0
    except SystemExit:  # so it says that it could not start; the log tells why
        if not isinstance(starting.failure, CpufitError):
            return 1
    if isinstance(starting.failure, CpufitError):
        raise starting.failure
    return 0 if server.started and starting.failure is None else 1


def _application(settings: Settings, prepared: Prepared) -> ASGIApp:
    # the web framework and the database library: what a start waits for longest
    from cpufit_server.app import create_app  # noqa: PLC0415

    return create_app(settings, prepared)
