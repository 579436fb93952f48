"""Removing blobs that no row of the catalog names.

A blob can be named by several rows at once: the same wheel in two projects, METADATA that wheels share. And somebody
may be bringing the very bytes that are removed here: :meth:`.blobs.BlobStore.commit` leaves a blob that is there.
Two rules make that sound:

- Blobs are moved in inside the write transaction that writes their rows, and removed inside one that has seen that no
  row names them. SQLite has one writer at a time, so whoever comes second sees what the first did.
- What is swept without having been deleted has not been touched for a day; moving a blob in that is there renews its
  date. That alone holds for a database with several writers at once.

Whoever has opened a blob reads it to its end. A kill leaves blobs that no row names, for the next :func:`sweep`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from .blobs import BlobStore
from .catalog import Catalog

UNNAMED_FOR = timedelta(days=1)
"""How old a blob without a row has to be before a sweep takes it."""

_AT_ONCE = 500
"""How many blobs are asked for in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep removed."""

    blobs: int
    size: int
    """In bytes."""


def forget(catalog: Catalog, blobs: BlobStore, digests: Iterable[str]) -> Swept:
    """Remove those of some blobs that no row names any more: what a deletion leaves.

    :param digests: SHA-256 of the blobs; one that is not there is no error
    """
    sizes: list[int] = []

    def remove(sha256: str) -> None:
        size = blobs.remove(sha256)
        if size is not None:
            sizes.append(size)

    catalog.lifecycle.remove_unnamed(digests, remove)
    return Swept(blobs=len(sizes), size=sum(sizes))


def sweep(catalog: Catalog, blobs: BlobStore, older_than: timedelta = UNNAMED_FOR) -> Swept:
    """Remove every blob that no row names: what kills and older versions left. Safe beside running servers.

    :param older_than: how long nobody must have moved the blob in
    """
    count = size = 0
    for some in blobs.aged(older_than, at_once=_AT_ONCE):
        # asked first without keeping writers waiting: nearly all of them are named
        done = forget(catalog, blobs, frozenset(some) - catalog.lifecycle.named(some))
        count, size = count + done.blobs, size + done.size
    return Swept(blobs=count, size=size)
