"""Keeping a file that the server makes itself: a selector, or a ``-variants.json``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cpufit_wheelhouse.catalog import NewDerived

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import DerivedFile, ProjectSnapshot
    from cpufit_wheelhouse.catalog.records import DerivedKind

    from .page_store import PageStore


def keep(
    home: PageStore, snapshot: ProjectSnapshot, data: bytes, *, kind: DerivedKind, version: str, filename: str
) -> DerivedFile:
    """Store a file and return its record; one that the snapshot has costs no write.

    The blob is on disk before the catalog names it, and the catalog names it before any page does. It moves in while
    no other writer has the catalog, so that nobody can remove it in between as one that no row names.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    for known in snapshot.derived:
        if (known.kind, known.filename, known.sha256) == (kind, filename, sha256):
            return known
    new = NewDerived(version=version, kind=kind, filename=filename, sha256=sha256, size=len(data))
    with home.blobs.stage() as staged:
        staged.write(data)
        staged.seal()
        return home.catalog.add_derived(snapshot.project.name, new, before_commit=lambda: home.blobs.commit(staged))
