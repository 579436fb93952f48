"""``cpufit-server wanted``: what should be built next."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from cpufit_server.ranking import DEFAULT_DAYS, ranked
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.demand import Wanted
from cpufit_wheelhouse.home import open_home

from . import Subparsers, add_home_option, add_json_option, project_name

_MOST_WORDS = 6
"""How many of a tally's words a line shows."""


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("wanted", help="rank what was asked for and could not be had")
    parser.add_argument("--project", type=project_name, metavar="NAME", help="of this project alone")
    parser.add_argument(
        "--days", type=_days, default=DEFAULT_DAYS, metavar="N", help=f"the last N days (default: {DEFAULT_DAYS})"
    )
    parser.add_argument("--all", action="store_true", help="also what a build that came since satisfies")
    parser.add_argument("--clear", action="store_true", help="forget what was counted, of one project or of all")
    add_json_option(parser)
    add_home_option(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Rank the demands, or forget them."""
    settings = load_settings(home=arguments.home)
    with open_home(settings.home) as home:
        if arguments.clear:
            print(f"forgot {home.catalog.demands.clear(arguments.project)} rows")
            return 0
        found = ranked(home, settings, project=arguments.project, days=arguments.days, everything=arguments.all)
    if arguments.json:
        print(json.dumps({"days": arguments.days, "wanted": [one.as_dict() for one in found]}, indent=2))
        return 0
    if not found:
        print(f"nothing was asked for in vain in the last {arguments.days} days")
    for place, one in enumerate(found, start=1):
        print("\n".join(_lines(place, one)))
    return 0


def _lines(place: int, one: Wanted) -> list[str]:
    lines = [f"{place:>3}  {one.project} {one.version}: asked for {one.demand} times, last {one.last}"]
    if one.missing:
        lines.append(f"     missing: {_tally(one.missing)}")
    else:
        lines.append(f"     refused: {_tally(one.reasons)}")
    builds = (
        f"     a build that needs no more than {token} would do for all of them" for token in one.build_for.values()
    )
    told = (("Python", one.pythons), ("on", one.platforms))
    return [*lines, *builds, *(f"     {name}: {_tally(words)}" for name, words in told if words)]


def _tally(words: Mapping[str, int]) -> str:
    told = [f"{word} ({count})" for word, count in list(words.items())[:_MOST_WORDS]]
    more = len(words) - len(told)
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def _days(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 3650:
        raise argparse.ArgumentTypeError(f"not a number of days: {text!r}")
    return int(text)
