"""Which columns name a blob: the one place that says so, for whoever removes blobs.

A column that is added to a table and is not told here would lose its blobs to the next deletion; a test holds this list
to the schema.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, or_, select

from . import schema

BLOBS = {
    schema.files: (schema.files.c.sha256, schema.files.c.metadata_sha256, schema.files.c.attestations_sha256),
    schema.derived: (schema.derived.c.sha256, schema.derived.c.metadata_sha256),
}
"""Every column of these names a blob as long as its row stands."""

FROZEN = schema.freezes.c.selector_sha256
"""Names one as long as the freeze is in force."""

AT_ONCE = 500
"""How many values one statement names: databases have their limits."""


def named(connection: Connection, blobs: Iterable[str]) -> frozenset[str]:
    """Return those blobs, given by their SHA-256, that some row names."""
    wanted, found = sorted(set(blobs)), set[str]()
    for start in range(0, len(wanted), AT_ONCE):
        some = wanted[start : start + AT_ONCE]
        for columns in BLOBS.values():
            rows = connection.execute(select(*columns).where(or_(*(column.in_(some) for column in columns))))
            found.update(sha256 for row in rows for sha256 in row if sha256 is not None)
        in_force = select(FROZEN).where(FROZEN.in_(some), schema.freezes.c.ended_at.is_(None))
        found.update(connection.execute(in_force).scalars())
    return frozenset(found.intersection(wanted))
