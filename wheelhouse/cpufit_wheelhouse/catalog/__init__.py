"""The catalog: which files exist, what they need, what was derived from them, and who may upload.

::

    records.py     the values that go in and come out
    lifecycle.py   yanks, statuses and deletions; journal.py: who did what, when and why
    identity.py    the rules: when two files are the same, further variants, or in each other's way (pure)
    catalog.py     Catalog: one transaction per change
    statements.py  the statements that these consist of; rows.py: values to rows and back
    tokens.py      what may be read, uploaded and changed, and with which secret
    freezes.py     releases whose selector keeps its bytes
    inspections.py verdicts, overrides, files held until their verdict comes; hidings.py: files in no view
    naming.py      which columns name blobs; references.py: which rows do; figures.py: how much there is
    demands.py     what was wanted and is not here; upstream.py: what was found out about files of another index
    schema.py      the tables; engine.py: connections; migrations/: how the tables came to be

A file exists for the world when its row is committed, and not before.
"""

from __future__ import annotations

from .catalog import Catalog
from .demands import DemandLimits
from .identity import Decision, decide
from .inspections import OVERRIDE, HeldFile, NewHeld, new_override
from .records import (
    SCOPES,
    UNKNOWN_KEY,
    USUAL_SCOPES,
    Demand,
    DemandCount,
    DerivedFile,
    Freeze,
    Hiding,
    JournalEntry,
    NewDerived,
    NewFile,
    Project,
    ProjectSnapshot,
    ProjectStatus,
    StoredFile,
    TokenGrant,
    TokenScope,
)
from .references import Reference
from .statements import CatalogChanged
from .upstream import UpstreamFile

__all__ = [
    "OVERRIDE",
    "SCOPES",
    "UNKNOWN_KEY",
    "USUAL_SCOPES",
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
    "NewDerived",
    "NewFile",
    "NewHeld",
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
