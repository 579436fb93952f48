"""``cpufit env``: print what makes pip and uv tell the index this CPU, for a shell to take in."""

from __future__ import annotations

import argparse
import json
import os
import sys

from .shells import SHELLS, script, usual_shell
from .situation import DONE, Situation, add_options, situation_of


def configure_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "env",
        help="print what makes pip and uv tell the index this CPU",
        description='Print what a shell has to evaluate, as in: eval "$(cpufit env --index-url URL)". '
        "pip tells the CPU in its User-Agent, uv by the profile URL.",
        epilog="exit codes: 0 printed; 2 usage; 3 the index that was named is no cpufit server",
    )
    add_options(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--shell", choices=SHELLS, help="for which shell (default: the one of SHELL)")
    form.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(execute=execute, json_errors=True)


def execute(arguments: argparse.Namespace) -> int:
    """Print the variables.

    :raises NotACpufitServer: the index that somebody names is another kind of server
    """
    situation = situation_of(arguments, os.environ)
    if arguments.json:
        print(json.dumps(as_json(situation), indent=2))
        return DONE
    for note in situation.notes:
        print(f"cpufit: {note}", file=sys.stderr)
    print(script(situation.variables(os.environ), arguments.shell or usual_shell(os.environ, sys.platform)), end="")
    return DONE


def as_json(situation: Situation) -> dict[str, object]:
    """Return the JSON form. The variables hold the credentials that the index URL holds; ``index`` does not."""
    variables = situation.variables(os.environ)
    return {
        "cpu": situation.cpu.profile.token,
        "source": situation.cpu.source,
        "index": None if situation.index is None else situation.index.address.shown,
        "checked": situation.checked.kind == "cpufit",
        "variables": dict(variables.everywhere),
        "installing": dict(variables.installing),
        "notes": situation.notes,
    }
