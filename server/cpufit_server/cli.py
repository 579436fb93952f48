"""The ``cpufit-server`` command: one module of :mod:`cpufit_server.commands` for each subcommand.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage or setting.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from cpufit_resolver import CpufitError
from cpufit_wheelhouse.errors import StorageFailed
from cpufit_wheelhouse.storage_failures import storage_failures_told

from .errors import InvalidSetting

COMMANDS = {
    "serve": "serve",
    "demo": "demo",
    "import": "import_",
    "token": "token",
    "project": "project",
    "reinspect": "reinspect",
    "override": "override",
    "wanted": "wanted",
    "sweep": "sweep",
    "verify": "verify",
    "backup": "backup",
    "restore": "backup",
}
"""The module of each command, in the order of the help.

Each has ``configure_parser(subparsers)`` and ``execute(arguments) -> exit code``. Only the one that runs is loaded: a
server that starts does not pay for what imports need.
"""

DONE, REFUSED, USAGE = 0, 1, 2
INTERRUPTED = 130
"""What a shell reports of a command that Ctrl-C ended."""


def make_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser with every subcommand, or with one of them."""
    parser = argparse.ArgumentParser(
        prog="cpufit-server",
        description="A Python package index that knows which CPU features a wheel needs.",
        epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong usage or setting.",
    )
    subparsers = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    modules = [COMMANDS[only]] if only in COMMANDS else dict.fromkeys(COMMANDS.values())
    for module in modules:
        importlib.import_module(f".commands.{module}", __package__).configure_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code.

    :param argv: the arguments without the command's name; by default those of this process
    """
    words = sys.argv[1:] if argv is None else argv
    arguments = make_parser(words[0] if words else None).parse_args(words)
    try:
        with storage_failures_told():
            return int(arguments.execute(arguments))
    except InvalidSetting as error:
        tell(error)
        return USAGE
    except CpufitError as error:
        tell(error)
        return REFUSED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def tell(error: CpufitError) -> None:
    """Write an error for a person: where, the sentence, its code, and what to do about it."""
    where = "" if error.where is None else f"{error.where}: "
    print(f"error: {where}{error.message} [{error.code}]", file=sys.stderr)
    if isinstance(error, StorageFailed) and error.reason is not None:
        print(f"  the system says: {error.reason}", file=sys.stderr)
    if error.hint is not None:
        print(f"  hint: {error.hint}", file=sys.stderr)
