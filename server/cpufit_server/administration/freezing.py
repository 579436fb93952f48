"""Freeze and unfreeze: whether a release's selector keeps its bytes, and so its hash in locks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpufit_server.errors import NotFrozen
from cpufit_server.selectors import candidates_of
from cpufit_wheelhouse.catalog import CatalogChanged
from cpufit_wheelhouse.offers import selectable_release

from .finding import find_release, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpufit_server.selectors import Selectors
    from cpufit_wheelhouse.catalog import Freeze, Project, ProjectSnapshot
    from cpufit_wheelhouse.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A release that is frozen now."""

    project: Project
    freeze: Freeze
    """The one in force: where it was frozen already, the earlier one."""
    already: bool


def freeze(
    home: Home,
    name: str,
    version: str,
    selectors_for: Callable[[ProjectSnapshot, str], Selectors],
    *,
    who: str,
    why: str,
) -> Frozen:
    """Freeze a release with the selector that plain installers get of it now.

    :param selectors_for: gives what makes the selectors that the server hands out, for a project and a version of it
    :raises NoSuchProject: the project is not hosted
    :raises NoSuchFile: it has no such release
    :raises NotFrozen: the release has no selector
    :raises CatalogChanged: the project changed meanwhile
    """
    snapshot = snapshot_of(home, name)
    release = find_release(snapshot, version)
    in_force = snapshot.frozen(release.version)
    if in_force is not None:
        return Frozen(project=snapshot.project, freeze=in_force, already=True)
    shown = snapshot.project.display_name
    selector = selectors_for(snapshot, release.version).of(snapshot).get(release.version)
    if selector is None:
        raise NotFrozen(
            f"plain installers get no selector of {shown} {release.version}",
            hint="its ordinary wheels are what a lock pins, and they never change",
        )
    # read again: keeping the selector may have moved the project on
    again = snapshot_of(home, name)
    if (again.files, again.freezes) != (snapshot.files, snapshot.freezes):
        raise CatalogChanged(f"{shown} changed meanwhile", hint="do it again")
    made = home.catalog.freezes.set(
        snapshot.project.name,
        release.version,
        selector.sha256,
        candidates_of(selectable_release(release, snapshot.project) or release, snapshot.project),
        seen=again.project.serial,
        who=who,
        why=why,
    )
    return Frozen(project=snapshot.project, freeze=made, already=False)


def unfreeze(home: Home, name: str, version: str, *, who: str, why: str) -> tuple[Project, str]:
    """End the freeze of a release; returns the project and the version as the release has it.

    :raises NoSuchProject: the project is not hosted
    :raises NoSuchFile: it has no such release
    :raises NotFrozen: the release is not frozen
    """
    snapshot = snapshot_of(home, name)
    release = find_release(snapshot, version)
    if not home.catalog.freezes.end(name, release.version, who=who, why=why):
        raise NotFrozen(f"{snapshot.project.display_name} {release.version} is not frozen")
    return snapshot.project, release.version
