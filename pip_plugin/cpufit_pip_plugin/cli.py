"""The command ``cpufit``: what a developer or an index's operator does with wheels as files.

Exit codes: 0 done, 1 a wheel's need is undetermined, 2 wrong usage, or a file that is no wheel.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cpufit_resolver import CpufitError

from .inspect_command import command as inspect_command

COMMANDS = (inspect_command,)
"""Each has ``configure_parser(subparsers)``, which sets ``execute(arguments) -> exit code``."""

USAGE = 2
INTERRUPTED = 130
NOBODY_READS = 141
"""As a shell tells of a command that SIGPIPE ended."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every subcommand."""
    parser = argparse.ArgumentParser(prog="cpufit", description="Which CPU features wheels need.")
    subparsers = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.configure_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        code = int(arguments.execute(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except CpufitError as error:
        print(f"cpufit: {error} [{error.code}]", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
