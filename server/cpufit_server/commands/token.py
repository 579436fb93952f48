"""``cpufit-server token``: who may read, upload and change what, and until when."""

from __future__ import annotations

import argparse
import json
import re
import sys
from datetime import datetime, timedelta, timezone

from cpufit_resolver import CpufitError
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import SCOPES, USUAL_SCOPES, TokenGrant
from cpufit_wheelhouse.home import open_home

from . import Subparsers, add_home_option, add_json_option, project_name, span


class NoSuchToken(CpufitError):
    """A token's number that nobody has."""

    code = "no-such-token"


def configure_parser(subparsers: Subparsers) -> None:
    """Add the subcommand and its own."""
    parser = subparsers.add_parser("token", help="make, list and revoke tokens")
    actions = parser.add_subparsers(title="actions", dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a token; the secret is shown once, on standard output")
    which = create.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--project",
        action="append",
        type=project_name,
        metavar="NAME",
        help="a project that it is for; give it again for another",
    )
    which.add_argument("--all-projects", action="store_true", help="it is for every project, later ones too")
    create.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help="what may be done with it; give it again for another (default: read and upload). admin implies both",
    )
    create.add_argument(
        "--expires",
        type=expiry,
        metavar="WHEN",
        help="when it ends by itself: 90d, 12h, 6w, or the last day, 2027-01-31 (default: never)",
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
    scopes = frozenset(arguments.scope or USUAL_SCOPES)
    projects = None if arguments.all_projects else tuple(arguments.project)
    with open_home(load_settings(home=arguments.home).home) as home:
        secret = home.catalog.create_token(projects, arguments.description, scopes=scopes, expires_at=arguments.expires)
    which = "every project" if projects is None else ", ".join(projects)
    until = "" if arguments.expires is None else f", until {arguments.expires:%Y-%m-%d %H:%M} UTC"
    print(f"A token for {which} ({', '.join(sorted(scopes))}{until});", file=sys.stderr)
    print(
        "it is not stored and not shown again. Use it with the user name __token__ and this password:", file=sys.stderr
    )
    print(secret)
    return 0


def execute_list(arguments: argparse.Namespace) -> int:
    """List the tokens."""
    with open_home(load_settings(home=arguments.home).home) as home:
        grants = home.catalog.tokens()
    if arguments.json:
        print(json.dumps({"tokens": [_as_dict(grant) for grant in grants]}, indent=2))
        return 0
    now = datetime.now(timezone.utc)
    for grant in grants:
        projects = "every project" if grant.projects is None else ", ".join(grant.projects)
        scopes = ", ".join(sorted(grant.scopes))
        words = [f"{grant.id:>4}", f"{grant.created_at:%Y-%m-%d}", projects, scopes, _state(grant, now)]
        print("  ".join([*words, grant.description]).rstrip())
    return 0


def execute_revoke(arguments: argparse.Namespace) -> int:
    """Revoke a token; a running server refuses it at once."""
    with open_home(load_settings(home=arguments.home).home) as home:
        if not home.catalog.revoke_token(arguments.id):
            raise NoSuchToken(f"there is no token {arguments.id}", hint="cpufit-server token list shows them")
    print(f"token {arguments.id} is revoked", file=sys.stderr)
    return 0


def expiry(text: str) -> datetime:
    """Return when a token ends, for ``argparse``: after so many hours, days or weeks, or after a day, UTC."""
    now = datetime.now(timezone.utc)
    try:
        if re.fullmatch(r"\d+[hdw]", text):
            until = now + span(text)
        else:
            last = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=timezone.utc)
            until = last + timedelta(days=1)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"write 90d, 12h, 6w or a day such as 2027-01-31, not {text[:80]!r}") from None
    if until <= now:
        raise argparse.ArgumentTypeError(f"{text} is over")
    return until


def _state(grant: TokenGrant, now: datetime) -> str:
    if grant.revoked_at is not None:
        return f"revoked {grant.revoked_at:%Y-%m-%d}"
    used = "never used" if grant.last_used_at is None else f"used {grant.last_used_at:%Y-%m-%d}"
    if grant.expires_at is None:
        return used
    return f"{used}, {'expired' if grant.expired(now) else 'until'} {grant.expires_at:%Y-%m-%d %H:%M} UTC"


def _as_dict(grant: TokenGrant) -> dict[str, object]:
    dates = {
        "created_at": grant.created_at,
        "expires_at": grant.expires_at,
        "last_used_at": grant.last_used_at,
        "revoked_at": grant.revoked_at,
    }
    return {
        "id": grant.id,
        "projects": None if grant.projects is None else list(grant.projects),
        "scopes": sorted(grant.scopes),
        "description": grant.description,
        **{name: None if date is None else date.isoformat() for name, date in dates.items()},
    }
