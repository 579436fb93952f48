"""``cpufit-server project freeze`` and ``unfreeze``: whether a release's selector keeps its bytes."""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from functools import partial
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from cpufit_server.administration.freezing import freeze, unfreeze
from cpufit_server.errors import NotFrozen
from cpufit_server.selectors import Selectors
from cpufit_server.settings import Settings, load_settings
from cpufit_wheelhouse.home import Home, open_home

from . import Subparsers, add_home_option, add_who_option, add_why_option, project_name, who_of

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import DerivedFile, ProjectSnapshot


def configure_parser(actions: Subparsers) -> None:
    """Add both actions to those of ``project``."""
    freezing = actions.add_parser("freeze", help="let a release's selector keep its bytes, and so its hash in locks")
    freezing.add_argument(
        "--public-url", metavar="URL", help="address under which clients reach the server, as it has it"
    )
    freezing.set_defaults(execute=execute_freeze)
    unfreezing = actions.add_parser("unfreeze", help="let a release's selector follow what is added to the release")
    unfreezing.set_defaults(execute=execute_unfreeze)
    for parser in (freezing, unfreezing):
        parser.add_argument("name", type=project_name, metavar="NAME")
        parser.add_argument("version", type=_version, metavar="VERSION")
        add_why_option(parser)
        add_who_option(parser)
        add_home_option(parser)


def execute_freeze(arguments: argparse.Namespace) -> int:
    """Freeze a release with the selector that plain installers get of it now.

    :raises NoSuchProject: it is not there
    :raises NoSuchFile: it has no such release
    :raises NotFrozen: the release has no selector, or the server makes it with another address
    """
    settings = load_settings(home=arguments.home, public_url=arguments.public_url)
    with open_home(settings.home) as home:
        as_served = partial(_selectors_as_served, home, settings)
        frozen = freeze(home, arguments.name, arguments.version, as_served, who=who_of(arguments), why=arguments.why)
    told = f"{frozen.project.display_name} {frozen.freeze.version} is frozen"
    print(f"{told} already" if frozen.already else f"{told}: its selector stays {frozen.freeze.selector_sha256}")
    return 0


def execute_unfreeze(arguments: argparse.Namespace) -> int:
    """End the freeze of a release.

    :raises NoSuchProject: it is not there
    :raises NoSuchFile: it has no such release
    :raises NotFrozen: the release is not frozen
    """
    with open_home(load_settings(home=arguments.home).home) as home:
        project, version = unfreeze(home, arguments.name, arguments.version, who=who_of(arguments), why=arguments.why)
    print(f"{project.display_name} {version} is not frozen any more: its selector follows what the release has")
    return 0


def _selectors_as_served(home: Home, settings: Settings, snapshot: ProjectSnapshot, version: str) -> Selectors:
    """Return what makes selectors as the server does, whose settings this command's surroundings need not share."""
    # before the selector is made: one that the server made tells its address
    made = _made(home, snapshot, version)
    served = None if made is None else str(made["api_url"])
    if served not in (None, settings.base_url):
        raise NotFrozen(
            f"the server makes selectors for {served}, and here the address is {settings.base_url}",
            hint=f"give it as the server has it: --public-url {served}",
        )
    wanted = settings.selectors_report if made is None else bool(made.get("wanted"))
    return Selectors(home, settings.base_url, wanted=wanted)


def _made(home: Home, snapshot: ProjectSnapshot, version: str) -> dict[str, Any] | None:
    """Return what the release's newest selector was made of; None where no page has named one yet."""
    made: list[DerivedFile] = [each for each in snapshot.derived if each.kind == "selector" and each.version == version]
    if not made:
        return None
    with home.blobs.open(made[-1].sha256) as stream:
        data = stream.read()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        inside = archive.extractfile(f"{made[-1].filename.removesuffix('.tar.gz')}/candidates.json")
        return None if inside is None else dict(json.loads(inside.read()))


def _version(text: str) -> str:
    try:
        Version(text)
    except InvalidVersion:
        raise argparse.ArgumentTypeError(f"not a version: {text[:80]!r}") from None
    return text
