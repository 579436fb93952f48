"""Selectors: from a release to the small source distribution that plain installers get, made once and kept for ever.

A selector is a function of the release, the settings and the installed cpufit, so the same bytes come out each time;
they are stored under their hash before the first page names them, and no page that was ever sent goes stale.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import quote

from cpufit_pip_plugin.selector import SelectorCandidate, SelectorContents, SourceCandidate, pack, selector_filename
from cpufit_wheelhouse.offers import selectable_release
from cpufit_wheelhouse.releases import Release, releases_in

from .derived import keep

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cpufit_wheelhouse.catalog import DerivedFile, Project, ProjectSnapshot, StoredFile

    from .page_store import PageStore

_REMEMBERED = 4096
_MAKERS = 16


class Selectors:
    """Makes, stores and remembers the selectors of one server; safe for many threads."""

    def __init__(self, home: PageStore, base_url: str, *, wanted: bool = False) -> None:
        """Take the store, the address under which clients reach this server (no slash at its end), and a wish.

        :param wanted: selectors may tell this server of their refusals
        """
        self._wanted = wanted
        self._home = home
        self._base_url = base_url
        self._made: OrderedDict[Hashable, tuple[int, DerivedFile]] = OrderedDict()
        """With the project's serial when it was made."""
        self._lock = threading.Lock()
        self._makers = tuple(threading.Lock() for _ in range(_MAKERS))

    def of(self, snapshot: ProjectSnapshot) -> dict[str, DerivedFile]:
        """Return the selector of each release that wants one, by version; stored when this returns.

        A frozen release keeps the one it was frozen with, and wants it whatever was added to it since.
        """
        found: dict[str, DerivedFile] = {}
        stored = frozenset(each.sha256 for each in snapshot.derived if each.kind == "selector")
        for release in releases_in(snapshot.files):
            kept = _kept(snapshot, release.version)
            if kept is not None:
                found[release.version] = kept
                continue
            choosing = selectable_release(release, snapshot.project)
            if choosing is not None:
                found[release.version] = self._selector(snapshot, choosing, stored)
        return found

    def _selector(self, snapshot: ProjectSnapshot, release: Release, stored: frozenset[str]) -> DerivedFile:
        key, serial = _facts(snapshot.project, release), snapshot.project.serial
        made = self._remembered(key, serial, stored)
        if made is not None:
            return made
        # One maker for each selector; other projects' pages wait for it only where they share a lock by chance.
        with self._makers[hash(snapshot.project.name) % len(self._makers)]:
            made = self._remembered(key, serial, stored)
            if made is None:
                made = self._make(snapshot, release)
                self._remember(key, serial, made)
            return made

    def _remembered(self, key: Hashable, serial: int, stored: frozenset[str]) -> DerivedFile | None:
        with self._lock:
            if key not in self._made:
                return None
            self._made.move_to_end(key)
            since, made = self._made[key]
        # a deletion takes selectors out of the catalog, and the same release may come back after it
        return made if serial <= since or made.sha256 in stored else None

    def _remember(self, key: Hashable, serial: int, made: DerivedFile) -> None:
        with self._lock:
            self._made[key] = (serial, made)
            if len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)

    def packed(self, snapshot: ProjectSnapshot, release: Release) -> bytes:
        """Return the bytes of a release's selector."""
        return pack(self._contents(snapshot.project, release))

    def _make(self, snapshot: ProjectSnapshot, release: Release) -> DerivedFile:
        data = self.packed(snapshot, release)
        filename = selector_filename(snapshot.project.name, release.version)
        return keep(self._home, snapshot, data, kind="selector", version=release.version, filename=filename)

    def _contents(self, project: Project, release: Release) -> SelectorContents:
        wheels = candidates_of(release, project)
        with self._home.blobs.open(release.cpu_specific[0].metadata_sha256) as stream:
            metadata = stream.read()
        source = release.sdists[0] if project.build_sdist and release.sdists else None
        return SelectorContents(
            project=project.display_name,
            version=release.version,
            metadata=metadata,
            candidates=tuple(
                SelectorCandidate(
                    filename=file.filename,
                    url=self._url(file),
                    sha256=file.sha256,
                    size=file.size,
                    need=file.need,
                    metadata_sha256=file.metadata_sha256,
                )
                for file in sorted(wheels, key=lambda file: (file.filename, file.need_key))
            ),
            source=None
            if source is None
            else SourceCandidate(
                filename=source.filename, url=self._url(source), sha256=source.sha256, size=source.size
            ),
            api_url=self._base_url,
            allow_unknown=project.unknown == "allow",
            wanted=self._wanted,
        )

    def _url(self, file: StoredFile) -> str:
        return f"{self._base_url}/files/{file.sha256}/{quote(file.filename)}"


def candidates_of(release: Release, project: Project) -> list[StoredFile]:
    """Return the wheels that a release's selector may choose.

    :param release: what :func:`~cpufit_wheelhouse.offers.selectable_release` left of it
    """
    return [file for file in release.wheels if file.need is not None or project.unknown == "allow"]


def _kept(snapshot: ProjectSnapshot, version: str) -> DerivedFile | None:
    freeze = snapshot.frozen(version)
    if freeze is None:
        return None
    return next(
        (each for each in snapshot.derived if (each.kind, each.sha256) == ("selector", freeze.selector_sha256)), None
    )


def _facts(project: Project, release: Release) -> Hashable:
    """Return all that a selector of this server depends on, in a few bytes: the METADATA itself is not kept for it."""
    # Two needs are equal whoever found them out; the selector tells that as well.
    wheels = tuple(
        (
            each.filename,
            each.sha256,
            each.metadata_sha256,
            each.need,
            each.need and (each.need.source, each.need.evidence),
            each.yanked is None,
        )
        for each in release.wheels
    )
    sources = tuple((file.filename, file.sha256) for file in release.sdists)
    return project.name, project.display_name, project.unknown, project.build_sdist, release.version, wheels, sources
