"""Whoever removes blobs knows every column that names one."""

from __future__ import annotations

from sqlalchemy import Column

from cpufit_wheelhouse.catalog import naming, schema
from cpufit_wheelhouse.catalog.references import _query

ELSEWHERE = {
    "held.sha256": "the bytes lie in the folder held",
    "upstream_files.sha256": "the bytes lie in the cache of the upstream",
    "upstream_files.metadata_sha256": "as above",
    "tokens.secret_sha256": "of a secret",
    **dict.fromkeys(("verdicts.sha256", "overrides.sha256", "hidings.sha256", "journal.sha256"), "a word on bytes"),
}


def known() -> set[Column[object]]:
    return {naming.FROZEN, *(column for columns in naming.BLOBS.values() for column in columns)}


def test_every_digest_in_the_schema_names_a_blob_or_is_told_not_to() -> None:
    digests = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("sha256")
    }
    assert digests == {*ELSEWHERE, *map(str, known())}


def test_whoever_verifies_asks_the_same_columns() -> None:
    asked: set[str] = set()

    def ask(column: object) -> object:
        asked.add(str(column))
        return column == "x"

    _query(ask)  # type: ignore[arg-type]  # the columns are what is asked for
    assert asked == set(map(str, known()))
