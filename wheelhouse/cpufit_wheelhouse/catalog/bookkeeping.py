"""The catalog's books beside its files: who may do what, who did what, what was wanted in vain, how much there is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from packaging.utils import NormalizedName

TokenScope = Literal["read", "upload", "admin"]
JournalAction = Literal[
    "yank", "unyank", "status", "delete", "delete-project", "hide", "unhide", "freeze", "unfreeze", "settings"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFigures:
    """How much a catalog holds."""

    projects: int
    files: Mapping[str, int]
    """How many of each kind, hidden ones too."""
    size: int
    """Of these files, in bytes."""
    held: int
    """How many uploads wait for their verdict."""
    changes: int
    """A number that grows with each change of a project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A wish for a release of which nothing fits; see :mod:`cpufit_wheelhouse.demand`."""

    project: str
    """In normal form."""
    version: str
    reason: str
    """A refusal's code."""
    cpu: str
    """A token, with no more than what matters to the project."""
    missing: tuple[str, ...]
    python: str = ""
    """``3.11``; empty where it is not known."""
    platform: str = ""
    """A platform tag, or system and architecture; empty where it is not known."""

    @property
    def key(self) -> str:
        """The text by which two demands are the same or not."""
        parts = (self.project, self.version, self.reason, self.cpu, self.missing, self.python, self.platform)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandCount:
    """How often there was a demand on one day."""

    demand: Demand
    day: date
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """Who did what to a project or one of its files, when and why."""

    id: int
    happened_at: datetime
    """Aware, UTC."""
    project: NormalizedName
    action: JournalAction
    filename: str | None
    """None where it was done to the project."""
    sha256: str | None
    need_key: str | None
    who: str
    why: str

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "id": self.id,
            "at": self.happened_at.isoformat(),
            "project": self.project,
            "action": self.action,
            "filename": self.filename,
            "sha256": self.sha256,
            "need": self.need_key,
            "who": self.who,
            "why": self.why,
        }


SCOPES: tuple[TokenScope, ...] = ("read", "upload", "admin")
"""What a token can be for; ``admin`` implies the others."""

USUAL_SCOPES: frozenset[TokenScope] = frozenset({"read", "upload"})
"""Those of a token for which nobody said anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenGrant:
    """What a token allows; the secret itself is not kept."""

    id: int
    projects: tuple[NormalizedName, ...] | None
    """The projects that it is for; None for every project."""
    description: str
    created_at: datetime
    revoked_at: datetime | None = None
    scopes: frozenset[TokenScope] = USUAL_SCOPES
    expires_at: datetime | None = None
    """Aware, UTC; None where it never ends by itself."""
    last_used_at: datetime | None = None
    """To the minute, roughly: uses are written down together."""

    def allows(self, project: str) -> bool:
        """Tell whether it is for a project, given by its normalised name, whatever it may do there."""
        return self.revoked_at is None and (self.projects is None or project in self.projects)

    def includes(self, scope: TokenScope) -> bool:
        """Tell whether it is for this, in the projects that it is for."""
        return self.revoked_at is None and (scope in self.scopes or "admin" in self.scopes)

    def expired(self, now: datetime) -> bool:
        """Tell whether it has ended by itself."""
        return self.expires_at is not None and self.expires_at <= now
