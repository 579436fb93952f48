"""The command ``cpufit``: telling an index this CPU, and what a developer does with wheels as files.

Exit codes: 0 done; 1 a wheel's need is undetermined, or settings need attention; 2 wrong usage, or what cannot be
done; 3 the index that was named is no cpufit server. ``cpufit run`` ends as its command does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from cpufit_resolver import CpufitError

from .inspect_command import command as inspect_command
from .telling import config_command, env_command, run_command
from .telling.situation import NOT_CPUFIT, NotACpufitServer

COMMANDS = (inspect_command, env_command, run_command, config_command)
"""Each has ``configure_parser(subparsers)``, which sets ``execute(arguments) -> exit code``, and ``json_errors`` where
``--json`` promises one object: an error is one too then."""

USAGE = 2
INTERRUPTED = 130
NOBODY_READS = 141
"""As a shell tells of a command that SIGPIPE ended."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with every subcommand."""
    parser = argparse.ArgumentParser(prog="cpufit", description="Tell an index this CPU; read what wheels need.")
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
        if getattr(arguments, "json_errors", False) and arguments.json:
            print(json.dumps({"error": error.as_dict()}, indent=2))
        print(f"cpufit: {error} [{error.code}]", file=sys.stderr)
        return NOT_CPUFIT if isinstance(error, NotACpufitServer) else USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())
