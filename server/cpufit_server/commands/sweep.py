"""``cpufit-server sweep``: stored files that nothing in the catalog names."""

from __future__ import annotations

import argparse
import json

from cpufit_server.settings import load_settings
from cpufit_wheelhouse.home import open_home
from cpufit_wheelhouse.sweeping import UNNAMED_FOR, sweep

from . import Subparsers, add_home_option, add_json_option, span


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("sweep", help="remove stored files that nothing in the catalog names")
    parser.add_argument(
        "--older-than",
        type=span,
        default=UNNAMED_FOR,
        metavar="SPAN",
        help="how long ago they must have come in: 12h, 7d, 2w (default: 1d)",
    )
    add_json_option(parser)
    add_home_option(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Remove what kills left; safe beside a running server."""
    with open_home(load_settings(home=arguments.home).home) as home:
        swept = sweep(home.catalog, home.blobs, arguments.older_than)
    if arguments.json:
        print(json.dumps({"removed_blobs": swept.blobs, "removed_bytes": swept.size}, indent=2))
    else:
        print(f"{swept.blobs} stored files with {swept.size} bytes were removed")
    return 0
