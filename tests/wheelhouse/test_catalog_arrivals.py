"""What a new file meets: found by indexes, however its release is spelled."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from packaging.version import Version
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPICursor
from tests.wheelhouse.catalog_support import new_file

from cpufit_wheelhouse.catalog import Addition, Asked, Catalog
from cpufit_wheelhouse.catalog.arrivals import spellings


def test_a_new_file_meets_those_of_its_name_bytes_and_release(catalog: Catalog) -> None:
    for version in ("1.0", "1.0.0", "2.0", "3.0"):
        catalog.arrivals.add(Addition("demo", new_file(version, content=version), seen=catalog.serial("demo")))
    catalog.arrivals.add(Addition("other", new_file("1.0", content="1.0"), seen=None))
    whole = catalog.snapshot("demo")
    assert whole is not None
    near = catalog.arrivals.meeting("Demo", new_file("1.0", content="other"), Asked(sizes=True)).snapshot
    assert near is not None
    assert near.project == whole.project
    assert [file.version for file in near.files] == ["1.0", "1.0.0"]
    assert near.bytes_elsewhere == sum(file.size for file in whole.files[2:])
    bytes_of_another = catalog.arrivals.meeting("demo", replace(new_file("9.0"), sha256=whole.files[3].sha256))
    assert bytes_of_another.snapshot is not None
    assert bytes_of_another.snapshot.files == (whole.files[3],)
    assert bytes_of_another.snapshot.bytes_elsewhere == 0
    assert catalog.arrivals.meeting("nobody", new_file()).snapshot is None


def test_a_file_that_makes_its_project_meets_those_that_look_like_it(catalog: Catalog) -> None:
    began = datetime.now(timezone.utc)
    for name in ("pil-low", "P1llow", "numpy"):
        catalog.arrivals.add(Addition(name, new_file(content=name), seen=None))
    met = catalog.arrivals.meeting("pillow", new_file(), Asked(lookalikes=True, made_since=began))
    assert sorted(met.lookalikes) == ["p1llow", "pil-low"]
    assert met.projects_made == 3
    later = Asked(lookalikes=True, made_since=datetime.now(timezone.utc))
    assert catalog.arrivals.meeting("NumPy", new_file(), later).lookalikes == ()
    assert catalog.arrivals.meeting("scipy", new_file(), later).projects_made == 0


def test_what_an_upload_asks_is_found_by_indexes(catalog: Catalog) -> None:
    """A scan would make an upload cost more the more there is."""
    asked = Asked(sizes=True, lookalikes=True, made_since=datetime.now(timezone.utc))
    catalog.arrivals.add(Addition("demo", new_file(), seen=None))
    plans: list[str] = []

    def explain(_connection: object, cursor: DBAPICursor, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT"):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]  # as it will be
            plans.extend(str(row[3]) for row in cursor.fetchall())

    event.listen(catalog._engine, "before_cursor_execute", explain)
    for name in ("demo", "another"):
        catalog.arrivals.meeting(name, new_file("2.0"), asked)
    assert len(plans) > 8
    assert not [plan for plan in plans if plan.startswith("SCAN")]
    # each part of what is near is looked for by more than the project alone
    assert not [plan for plan in plans if plan.endswith("(project_id=?)") and "COVERING" not in plan]


@pytest.mark.parametrize(
    ("version", "some"),
    [
        ("1", {"1", "1.0", "1.0.0"}),
        ("1.0.0", {"1", "1.0", "1.0.0"}),
        ("0", {"0", "0.0"}),
        ("1!2.0rc1.post2.dev3+local.4", {"1!2rc1.post2.dev3+local.4", "1!2.0.0rc1.post2.dev3+local.4"}),
        ("1.10.0", {"1.10", "1.10.0"}),
    ],
)
def test_a_release_is_found_however_it_is_spelled(version: str, some: set[str]) -> None:
    written, longer = spellings(version)
    assert some <= set(written)
    assert {Version(text) for text in written} == {Version(version)}
    assert all(str(Version(text)) == text for text in written)
    assert str(Version(f"{longer}.0")) == f"{longer}.0"
    assert Version(longer).release[: len(Version(version).release)] == Version(version).release


def test_a_release_is_found_however_long_it_is_written(catalog: Catalog) -> None:
    zeros = ".0" * 20
    for version in (f"1{zeros}", f"1{zeros}rc1", f"1{zeros}.1", f"1{zeros}1"):
        catalog.arrivals.add(Addition("demo", new_file(version, content=version), seen=catalog.serial("demo")))
    for version, found in (("1.0", f"1{zeros}"), ("1rc1", f"1{zeros}rc1")):
        met = catalog.arrivals.meeting("demo", new_file(version)).snapshot
        assert met is not None
        assert [file.version for file in met.files] == [found]
