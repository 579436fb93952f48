"""Ingest: the one use case that puts a file in. Whatever brings files (uploads, imports) calls this.

The way of a wheel::

    ingest.py    checked as an archive ─► renamed, where it comes in under another project ─► judged: need, or unknown
    arriving.py    ─► what the catalog keeps of it
    settling.py    ─► decided on what it meets in its project (catalog/identity.py) ─► labelled forms made, fsynced
                   ─► one transaction: decided anew if the project changed, rows in, blobs moved into place, committed

A file that is refused leaves nothing. A kill leaves staging files that are swept later, or blobs that no row names.
"""

from __future__ import annotations

from .ingest import Ingest
from .settling import Ingested

__all__ = ["Ingest", "Ingested"]
