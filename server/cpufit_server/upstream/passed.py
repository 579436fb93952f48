"""What the upstream gives the routes: a page in somebody's view, a file that is cached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from cpufit_server.client import Asker
    from cpufit_server.pages import RenderedPage

    from .known import Known
    from .pages import UpstreamPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A page of the upstream in the view of whoever asks."""

    page: RenderedPage
    stale_since: float | None
    """As :attr:`.pages.UpstreamPage.stale_since`."""
    still: Callable[[], bool] | None
    """Tells in no time whether it would be returned again; None where that has to be looked for each time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedFile:
    """A cached file, for who keeps it at hand."""

    path: Path
    touch: Callable[[], object]

    def used(self, _: object) -> None:
        """Remember a use: what was used longest ago is evicted first."""
        self.touch()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page of the upstream, and what decides what of it is shown."""

    found: UpstreamPage
    known: Known
    asker: Asker
    awaits: bool
    """Whether wheels of it are held that are fetched to be inspected."""

    @property
    def key(self) -> Hashable:
        """The same for the same files in the same view."""
        profile = self.asker.profile
        view = self.asker.view if profile is None else (profile.arch, profile.features)
        return self.found.version, self.known.revision, view
