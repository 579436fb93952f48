"""``cpufit-server project freeze`` and ``unfreeze``: whether a release's selector keeps its bytes."""

from __future__ import annotations

import argparse
import getpass
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from cpufit_resolver import CpufitError
from cpufit_server.selectors import Selectors, candidates_of
from cpufit_server.settings import load_settings
from cpufit_wheelhouse.catalog import CatalogChanged, ProjectSnapshot
from cpufit_wheelhouse.errors import NoSuchFile, NoSuchProject
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.offers import selectable_release
from cpufit_wheelhouse.releases import Release, releases_of

from . import Subparsers, add_home_option, project_name, words

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import DerivedFile


class NotFrozen(CpufitError):
    """A release that cannot be frozen, or is not."""

    code = "not-frozen"


def configure_parser(actions: Subparsers) -> None:
    """Add both actions to those of ``project``."""
    freeze = actions.add_parser("freeze", help="let a release's selector keep its bytes, and so its hash in locks")
    freeze.add_argument(
        "--public-url", metavar="URL", help="address under which clients reach the server, as it has it"
    )
    freeze.set_defaults(execute=execute_freeze)
    unfreeze = actions.add_parser("unfreeze", help="let a release's selector follow what is added to the release")
    unfreeze.set_defaults(execute=execute_unfreeze)
    for parser in (freeze, unfreeze):
        parser.add_argument("name", type=project_name, metavar="NAME")
        parser.add_argument("version", type=_version, metavar="VERSION")
        parser.add_argument(
            "--why", required=True, type=words, metavar="TEXT", help="the reason, for whoever asks later"
        )
        parser.add_argument("--who", type=words, metavar="NAME", help="who says so (default: the user that runs this)")
        add_home_option(parser)


def execute_freeze(arguments: argparse.Namespace) -> int:
    """Freeze a release with the selector that plain installers get of it now.

    :raises NoSuchProject: it is not there
    :raises NoSuchFile: it has no such release
    :raises NotFrozen: the release has no selector, or the server makes it with another address
    """
    settings = load_settings(home=arguments.home, public_url=arguments.public_url)
    with open_home(settings.home) as home:
        snapshot = _snapshot(home, arguments.name)
        release = _release(snapshot, arguments.version)
        if snapshot.frozen(release.version) is not None:
            print(f"{snapshot.project.display_name} {release.version} is frozen already")
            return 0
        # before the selector is made: one that the server made tells its address
        made = _made(home, snapshot, release.version)
        served = None if made is None else str(made["api_url"])
        if served not in (None, settings.base_url):
            raise NotFrozen(
                f"the server makes selectors for {served}, and here the address is {settings.base_url}",
                hint=f"give it as the server has it: --public-url {served}",
            )
        # whether refusals are told is a setting of the server, which this command's surroundings need not share
        wanted = settings.selectors_report if made is None else bool(made.get("wanted"))
        selector = Selectors(home, settings.base_url, wanted=wanted).of(snapshot).get(release.version)
        if selector is None:
            raise NotFrozen(
                f"plain installers get no selector of {snapshot.project.display_name} {release.version}",
                hint="its ordinary wheels are what a lock pins, and they never change",
            )
        # read again: keeping the selector may have moved the project on
        again = _snapshot(home, arguments.name)
        if (again.files, again.freezes) != (snapshot.files, snapshot.freezes):
            raise CatalogChanged(f"{snapshot.project.display_name} changed meanwhile", hint="run it again")
        home.catalog.freezes.set(
            snapshot.project.name,
            release.version,
            selector.sha256,
            candidates_of(selectable_release(release, snapshot.project) or release, snapshot.project),
            seen=again.project.serial,
            who=arguments.who or getpass.getuser(),
            why=arguments.why,
        )
    print(f"{snapshot.project.display_name} {release.version} is frozen: {selector.filename} stays {selector.sha256}")
    return 0


def execute_unfreeze(arguments: argparse.Namespace) -> int:
    """End the freeze of a release.

    :raises NoSuchProject: it is not there
    :raises NoSuchFile: it has no such release
    :raises NotFrozen: the release is not frozen
    """
    who = arguments.who or getpass.getuser()
    with open_home(load_settings(home=arguments.home).home) as home:
        snapshot = _snapshot(home, arguments.name)
        name, version = snapshot.project.display_name, _release(snapshot, arguments.version).version
        if not home.catalog.freezes.end(arguments.name, version, who=who, why=arguments.why):
            raise NotFrozen(f"{name} {version} is not frozen")
    print(f"{name} {version} is not frozen any more: its selector follows what the release has")
    return 0


def _snapshot(home: Home, name: str) -> ProjectSnapshot:
    snapshot = home.catalog.snapshot(name)
    if snapshot is None:
        raise NoSuchProject(f"there is no project {name} here")
    return snapshot


def _release(snapshot: ProjectSnapshot, version: Version) -> Release:
    for release in releases_of(snapshot.files):
        if Version(release.version) == version:
            return release
    raise NoSuchFile(f"{snapshot.project.display_name} has no release {version} here")


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


def _version(text: str) -> Version:
    try:
        return Version(text)
    except InvalidVersion:
        raise argparse.ArgumentTypeError(f"not a version: {text[:80]!r}") from None
