"""Making a lost selector or ``-variants.json`` anew: the bytes that it may have had, for a repair to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpufit_wheelhouse.releases import Release, releases_of

from .selectors import Selectors
from .variants import variants_of

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import ProjectSnapshot, Reference
    from cpufit_wheelhouse.home import Home


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaking:
    """The server's part of a repair."""

    home: Home
    base_url: str
    """As the server has it: it stands in selectors."""

    def __call__(self, lost: Reference) -> Iterator[bytes]:
        """Yield what the file may have been: of the release as it is shown, and as it was frozen."""
        whole = self.home.catalog.snapshot(lost.project)
        version = None if whole is None else _version_of(whole, lost)
        if whole is None or version is None:
            return
        for snapshot in (whole.shown(), whole):
            if lost.role == "variants-json":
                found = variants_of(snapshot).get(version)
                if found is not None:
                    yield found
                continue
            for release in _releases(snapshot, version):
                # whether refusals are told is a setting of the server, which this process's need not share
                for wanted in (True, False):
                    yield Selectors(self.home, self.base_url, wanted=wanted).packed(snapshot, release)


def _version_of(snapshot: ProjectSnapshot, lost: Reference) -> str | None:
    return next((each.version for each in snapshot.derived if each.id == lost.row_id), None)


def _releases(snapshot: ProjectSnapshot, version: str) -> Iterator[Release]:
    for release in releases_of(snapshot.files):
        if release.version != version or not release.cpu_specific:
            continue
        yield release
        frozen = snapshot.frozen(version)
        known = {sha256 for sha256, _ in frozen.candidates} if frozen is not None else set()
        then = replace(release, wheels=tuple(file for file in release.wheels if file.sha256 in known))
        if then.cpu_specific:
            yield then
