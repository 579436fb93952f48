"""The store of a pull-through cache: what came from another index, kept on disk within a quota.

::

    folder.py    files by hexadecimal names, the ones used longest ago make room
    files.py     wheels, source distributions and their metadata under their SHA-256, readable while they come in
    pages.py     project pages with what is needed to ask whether they changed
    metadata.py  a wheel's METADATA out of a few ranges of its bytes

Everything here can be fetched again, so nothing of it is in the catalog; what was found out about a file is.
"""

from __future__ import annotations

from .files import FileCache, Reading, Spool
from .pages import PageCache, StoredPage

__all__ = ["FileCache", "PageCache", "Reading", "Spool", "StoredPage"]
