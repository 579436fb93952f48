"""The catalog: which files exist, what they need, what was derived from them, and who may upload.

::

    records.py     the values of projects and files; bookkeeping.py: of tokens, the journal, what was wanted
    lifecycle.py   yanks, statuses and deletions; journal.py: who did what, when and why
    arrivals.py    what a new file meets, its way in, and another need of it; groups.py: those who wait share a commit
    identity.py    the rules: when two files are the same, further variants, or in each other's way (pure)
    catalog.py     Catalog: one transaction per change
    statements.py  the statements that these consist of; rows.py: values to rows and back
    tokens.py      what may be read, uploaded and changed, and with which secret
    freezes.py     releases whose selector keeps its bytes
    inspections.py verdicts, overrides, files held until their verdict comes; hidings.py: files in no view
    naming.py      which columns name blobs; references.py: which rows do; figures.py: how much there is
    demands.py     what was wanted and is not here; upstream.py: what was found out about files of another index
    schema.py      the tables; engine.py: connections; migrations/: how the tables came to be
    reading.py     what pages are made of, read without all that; revisions.py: which tables this cpufit knows

A file exists for the world when its row is committed, and not before.

SQLAlchemy takes longer to load than everything else that a page needs, so what rests on it is loaded when it is asked
for, and so is what only changes need.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .bookkeeping import SCOPES, USUAL_SCOPES, Demand, DemandCount, JournalEntry, TokenGrant, TokenScope
from .records import (
    UNKNOWN_KEY,
    CatalogChanged,
    DerivedFile,
    Freeze,
    Hiding,
    NewDerived,
    NewFile,
    PolicyChange,
    Project,
    ProjectSnapshot,
    ProjectStatus,
    StoredFile,
)

if TYPE_CHECKING:
    from .arrivals import Addition, Arrival, Asked, Meeting, NeedChange
    from .catalog import Catalog
    from .demands import DemandLimits
    from .identity import Decision, decide
    from .inspections import OVERRIDE, HeldFile, NewHeld, new_override
    from .references import Reference
    from .upstream import UpstreamFile

__all__ = [
    "OVERRIDE",
    "SCOPES",
    "UNKNOWN_KEY",
    "USUAL_SCOPES",
    "Addition",
    "Arrival",
    "Asked",
    "Catalog",
    "CatalogChanged",
    "Decision",
    "Demand",
    "DemandCount",
    "DemandLimits",
    "DerivedFile",
    "Freeze",
    "HeldFile",
    "Hiding",
    "JournalEntry",
    "Meeting",
    "NeedChange",
    "NewDerived",
    "NewFile",
    "NewHeld",
    "PolicyChange",
    "Project",
    "ProjectSnapshot",
    "ProjectStatus",
    "Reference",
    "StoredFile",
    "TokenGrant",
    "TokenScope",
    "UpstreamFile",
    "decide",
    "new_override",
]

_LATER = {
    "Addition": "arrivals",
    "Arrival": "arrivals",
    "Asked": "arrivals",
    "Catalog": "catalog",
    "Decision": "identity",
    "DemandLimits": "demands",
    "HeldFile": "inspections",
    "Meeting": "arrivals",
    "NeedChange": "arrivals",
    "NewHeld": "inspections",
    "OVERRIDE": "inspections",
    "Reference": "references",
    "UpstreamFile": "upstream",
    "decide": "identity",
    "new_override": "inspections",
}
"""The module of each name that no page needs."""


def __getattr__(name: str) -> object:
    """Load what no page needs."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
