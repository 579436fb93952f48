"""What was found out about the files that pass through, by project: from the catalog, kept in memory."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cpufit_resolver.need import BASELINE_NEED

if TYPE_CHECKING:
    from cpufit_resolver.need import Need
    from cpufit_wheelhouse.catalog.upstream import UpstreamTable
    from cpufit_wheelhouse.inspection.verdict import Verdict

_PROJECTS = 1024
_RELOAD_SECONDS = 60.0
"""After this long the catalog is asked again: operators' commands and other servers write to it too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one project's files, each by its SHA-256."""

    revision: int
    """Another one whenever something else is known."""
    metadata: Mapping[str, str]
    """The SHA-256 of METADATA that was read out of a wheel."""
    needs: Mapping[str, Need]
    verdicts: Mapping[str, Verdict]
    """Those that were inspected, with an undetermined verdict too."""

    def need(self, filename: str, sha256: str | None) -> Need | None:
        """Return what a wheel needs; None while unknown."""
        if not is_native(filename):
            return BASELINE_NEED
        return None if sha256 is None else self.needs.get(sha256)

    @property
    def relevant(self) -> frozenset[str]:
        """Every feature that some wheel is known to ask for; no other can change the page."""
        return frozenset[str]().union(*(need.relevant_features for need in self.needs.values()))


def is_native(filename: str) -> bool:
    """Tell whether a wheel is for some platform, so that it may have machine code; what is no wheel has none."""
    return filename.endswith(".whl") and not filename.endswith("-any.whl")


class KnownFiles:
    """What is known, project by project; safe for many threads."""

    def __init__(self, table: UpstreamTable) -> None:
        self._table = table
        self._kept: OrderedDict[str, tuple[float, Known]] = OrderedDict()
        self._revisions = itertools.count()
        self._learned = 0
        self._lock = threading.Lock()

    def of(self, project: str) -> Known:
        """Return what is known of a project's files; asks the catalog where that is not in memory."""
        now = time.monotonic()
        with self._lock:
            loaded_at, before = self._kept.get(project, (-math.inf, None))
            learned = self._learned
            if before is not None and now - loaded_at < _RELOAD_SECONDS:
                self._kept.move_to_end(project)
                return before
        known = self._loaded(project)
        if before is not None and replace(known, revision=before.revision) == before:
            known = before  # what was rendered of it holds
        with self._lock:
            if self._learned == learned:
                self._kept[project] = (now, known)
                self._kept.move_to_end(project)
            while len(self._kept) > _PROJECTS:
                self._kept.popitem(last=False)
        return known

    def in_memory(self, project: str) -> Known | None:
        """Return what :meth:`of` would return without asking the catalog; None where it would ask."""
        with self._lock:
            loaded_at, known = self._kept.get(project, (-math.inf, None))
            if known is not None:
                self._kept.move_to_end(project)
        return None if time.monotonic() - loaded_at >= _RELOAD_SECONDS else known

    def _loaded(self, project: str) -> Known:
        files = self._table.files(project)
        return Known(
            revision=next(self._revisions),
            metadata={file.sha256: file.metadata_sha256 for file in files if file.metadata_sha256 is not None},
            needs={file.sha256: file.need for file in files if file.need is not None},
            verdicts={file.sha256: file.verdict for file in files if file.verdict is not None},
        )

    def learn(
        self,
        project: str,
        filename: str,
        sha256: str,
        *,
        metadata_sha256: str | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """Record what was found out."""
        self._table.record(project, filename, sha256, metadata_sha256=metadata_sha256, verdict=verdict)
        with self._lock:
            self._learned += 1
            loaded_at, before = self._kept.pop(project, (-math.inf, None))
            if verdict is not None or metadata_sha256 is None or before is None:
                return  # what a verdict comes to is for the catalog to say: an operator's word may stand above it
            metadata = {**before.metadata, sha256: metadata_sha256}
            self._kept[project] = loaded_at, replace(before, revision=next(self._revisions), metadata=metadata)
