"""The catalog: which files exist, what they need, what was derived from them, and who may upload.

::

    records.py     the values that go in and come out
    identity.py    the rules: when two files are the same, further variants, or in each other's way (pure)
    catalog.py     Catalog: one transaction per change
    statements.py  the statements that these consist of; rows.py: values to rows and back
    tokens.py      upload tokens
    freezes.py     releases whose selector keeps its bytes
    inspections.py verdicts, overrides, files held until their verdict comes; hidings.py: files in no view
    demands.py     what was wanted and is not here
    schema.py      the tables; engine.py: connections; migrations/: how the tables came to be

A file exists for the world when its row is committed, and not before.
"""

from __future__ import annotations

from .catalog import Catalog
from .demands import DemandLimits
from .identity import Decision, decide
from .inspections import OVERRIDE, HeldFile, NewHeld, new_override
from .records import (
    UNKNOWN_KEY,
    Demand,
    DemandCount,
    DerivedFile,
    Freeze,
    Hiding,
    NewDerived,
    NewFile,
    Project,
    ProjectSnapshot,
    StoredFile,
    TokenGrant,
)
from .statements import CatalogChanged

__all__ = [
    "OVERRIDE",
    "UNKNOWN_KEY",
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
    "NewDerived",
    "NewFile",
    "NewHeld",
    "Project",
    "ProjectSnapshot",
    "StoredFile",
    "TokenGrant",
    "decide",
    "new_override",
]
