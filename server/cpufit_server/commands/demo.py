"""``cpufit-server demo``: the whole path once, with two real wheels and, where qemu is, two CPUs."""

from __future__ import annotations

import argparse

from cpufit_server.progress import make_reporter

from . import Subparsers


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "demo",
        help="show the whole path once, with two real wheels",
        description="Start a server on the loopback with a temporary home, import two real wheels from the index that "
        "pip uses, and install and import them with plain pip, on this CPU and on an emulated older one.",
    )
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder behind, and say where it is")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Play the demonstration."""
    from cpufit_server.demo.steps import play  # noqa: PLC0415 - it imports the import command beside this one

    play(make_reporter(), keep=arguments.keep)
    return 0
