"""``cpufit run -- COMMAND``: one command whose pip and uv tell the index this CPU."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from cpufit_resolver import CpufitError

from .situation import USAGE, Situation, add_options, situation_of
from .variables import installs_here, names_an_index

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""As a shell tells of a command that it cannot start."""


class CommandNotStarted(CpufitError):
    """The command is not there, or may not be run."""

    code = "command-not-started"


def configure_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "run",
        usage="cpufit run [OPTIONS] -- COMMAND [ARGUMENT ...]",
        help="run one command whose pip and uv tell the index this CPU",
        description="Run a command with the variables that `cpufit env` prints. uv pip, uv tool, uvx and pipx get the "
        "profile URL; what writes a lock gets the plain one.",
        epilog="exit codes: the command's own; 2 usage; 3 the index that was named is no cpufit server; "
        "126 the command may not be run; 127 it is not there",
    )
    add_options(parser)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command with its arguments")
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Become the command; where a process cannot, run it and return its exit code.

    :raises NotACpufitServer: the index that somebody names is another kind of server
    """
    command = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    if not command:
        print("cpufit: no command to run (cpufit run -- python -m pip install …)", file=sys.stderr)
        return USAGE
    situation = situation_of(arguments, os.environ)
    for note in situation.notes:
        print(f"cpufit: {note}", file=sys.stderr)
    return _start(command, environment_for(command, situation, os.environ))


def environment_for(command: Sequence[str], situation: Situation, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the command's process: all there are, and ours."""
    variables = situation.variables(environ)
    if not installs_here(command):
        return {**environ, **variables.everywhere}
    if variables.installing and names_an_index(command):
        print(
            "cpufit: the command names its own index: give that to cpufit run --index-url instead",
            file=sys.stderr,
        )
    return {**environ, **variables.everywhere, **variables.installing}


def _start(command: Sequence[str], environment: Mapping[str, str]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        if os.name == "nt":  # there exec ends the parent at once, and a shell would not wait
            return subprocess.call(list(command), env=dict(environment))  # noqa: S603  # the user's own command
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606  # as above
    except OSError as error:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        problem = CommandNotStarted(f"{error.strerror or error}", where=command[0])
        print(f"cpufit: {problem} [{problem.code}]", file=sys.stderr)
        return code
