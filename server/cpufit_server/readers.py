"""Who reads: what somebody may see of an index, by the projects' names."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What somebody may read."""

    projects: frozenset[str] | None = None
    """Normalised names; None for everything."""

    def reads(self, project: str) -> bool:
        """Tell whether a project, by its normalised name, is among it."""
        return self.projects is None or project in self.projects


EVERYBODY = Reader()
"""Who asks an index that is not private."""
