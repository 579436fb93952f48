"""``cpufit-server token``: who may upload what."""

from __future__ import annotations

import argparse
import json
import sys

from cpufit_resolver import CpufitError
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import TokenGrant
from cpufit_wheelhouse.home import open_home

from . import Subparsers, add_home_option, add_json_option, project_name


class NoSuchToken(CpufitError):
    """A token's number that nobody has."""

    code = "no-such-token"


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand and its own."""
    parser = subparsers.add_parser("token", help="make, list and revoke upload tokens")
    actions = parser.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a token; the secret is shown once, on standard output")
    create.add_argument(
        "--project",
        action="append",
        required=True,
        type=project_name,
        metavar="NAME",
        help="a project it may upload to; give it again for another",
    )
    create.add_argument("--description", default="", metavar="TEXT", help="what it is for, shown by list")
    add_home_option(create)
    create.set_defaults(execute=execute_create)
    listing = actions.add_parser("list", help="list the tokens, without their secrets")
    add_json_option(listing)
    add_home_option(listing)
    listing.set_defaults(execute=execute_list)
    revoke = actions.add_parser("revoke", help="make a token worthless")
    revoke.add_argument("id", type=int, metavar="ID", help="its number, as list shows it")
    add_home_option(revoke)
    revoke.set_defaults(execute=execute_revoke)


def execute_create(arguments: argparse.Namespace) -> int:
    """Make a token; its secret alone goes to standard output, so that a script can take it."""
    with open_home(load_settings(home=arguments.home).home) as home:
        secret = home.catalog.create_token(tuple(arguments.project), arguments.description)
    print(f"A token for {', '.join(arguments.project)}; it is not stored and not shown again.", file=sys.stderr)
    print("Upload with the user name __token__ and this password:", file=sys.stderr)
    print(secret)
    return 0


def execute_list(arguments: argparse.Namespace) -> int:
    """List the tokens."""
    with open_home(load_settings(home=arguments.home).home) as home:
        grants = home.catalog.tokens()
    if arguments.json:
        print(json.dumps({"tokens": [_as_dict(grant) for grant in grants]}, indent=2))
        return 0
    for grant in grants:
        projects = "every project" if grant.projects is None else ", ".join(grant.projects)
        state = "" if grant.revoked_at is None else f" revoked {grant.revoked_at:%Y-%m-%d}"
        print(f"{grant.id:>4}  {grant.created_at:%Y-%m-%d}  {projects}  {grant.description}{state}".rstrip())
    return 0


def execute_revoke(arguments: argparse.Namespace) -> int:
    """Revoke a token; a running server refuses it at once."""
    with open_home(load_settings(home=arguments.home).home) as home:
        if not home.catalog.revoke_token(arguments.id):
            raise NoSuchToken(f"there is no token {arguments.id}", hint="cpufit-server token list shows them")
    print(f"token {arguments.id} is revoked", file=sys.stderr)
    return 0


def _as_dict(grant: TokenGrant) -> dict[str, object]:
    return {
        "id": grant.id,
        "projects": None if grant.projects is None else list(grant.projects),
        "description": grant.description,
        "created_at": grant.created_at.isoformat(),
        "revoked_at": None if grant.revoked_at is None else grant.revoked_at.isoformat(),
    }
