"""The catalog: projects, files, derived files."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, StatementError
from tests.wheelhouse.catalog_support import V2, V3, labelled, new_file

from cpufit_resolver.need import BASELINE_NEED, Need, parse_need
from cpufit_wheelhouse.catalog import (
    Addition,
    Catalog,
    CatalogChanged,
    NeedChange,
    NewDerived,
    NewFile,
    PolicyChange,
    Project,
)
from cpufit_wheelhouse.catalog.schema import UtcDateTime
from cpufit_wheelhouse.errors import NoSuchProject


def selector(sha256: str = "5" * 64) -> NewDerived:
    return NewDerived(version="1.0", kind="selector", filename="demo-1.0.tar.gz", sha256=sha256, size=9)


def test_an_empty_catalog_hosts_nothing(catalog: Catalog) -> None:
    assert catalog.projects() == ()
    assert catalog.project("demo") is None
    assert catalog.serial("demo") is None
    assert catalog.snapshot("demo") is None
    assert catalog.files("demo") == ()
    assert catalog.derived("demo") == ()


def test_a_file_comes_back_as_it_went_in(catalog: Catalog) -> None:
    before = datetime.now(timezone.utc)
    stored = catalog.arrivals.add(Addition("Demo", new_file(), seen=None))
    assert catalog.files("demo") == (stored,)
    facts = {field.name: getattr(stored, field.name) for field in dataclasses.fields(NewFile)}
    assert NewFile(**facts) == new_file()
    assert stored.project == "demo"
    assert stored.uploaded_at.tzinfo is timezone.utc
    assert before - timedelta(seconds=1) < stored.uploaded_at < datetime.now(timezone.utc) + timedelta(seconds=1)


def test_a_file_that_came_in_is_told_as_it_is_read(catalog: Catalog) -> None:
    told = catalog.arrivals.add(Addition("Demo", new_file(), seen=None))
    assert catalog.files("demo") == (told,)


def test_a_need_keeps_its_source_and_evidence(catalog: Catalog) -> None:
    need = Need.of(dict(V3.by_arch), source="inspected", evidence=("demo.so: vpaddd at 0x10",))
    catalog.arrivals.add(Addition("demo", new_file(need=need), seen=None))
    (stored,) = catalog.files("demo")
    assert stored.need is not None
    assert (stored.need, stored.need.source, stored.need.evidence) == (need, "inspected", need.evidence)
    assert stored.need_key == "x86_64_v3"


@pytest.mark.parametrize(
    ("need", "key", "source", "ordinary", "cpu_specific"),
    [
        (None, "unknown", None, False, False),
        (BASELINE_NEED, "any", "baseline", True, False),
        (parse_need("x86_64_v1", frozenset({"x86_64"})), "x86_64_v1", "declared", True, False),
        (V2, "x86_64_v2", "declared", False, True),
    ],
)
def test_a_stored_file_knows_whether_it_is_ordinary(
    catalog: Catalog, need: Need | None, key: str, source: str | None, ordinary: bool, cpu_specific: bool
) -> None:
    catalog.arrivals.add(Addition("demo", new_file(need=need), seen=None))
    (stored,) = catalog.files("demo")
    assert (stored.need_key, stored.need_source) == (key, source)
    assert (stored.ordinary, stored.cpu_specific) == (ordinary, cpu_specific)


def test_the_first_file_makes_its_project_with_safe_policy(catalog: Catalog) -> None:
    catalog.arrivals.add(Addition("Demo.Thing", new_file(), seen=None))
    assert catalog.project("demo_thing") == Project(
        id=1,
        name="demo-thing",  # type: ignore[arg-type]  # a literal in normal form
        display_name="Demo.Thing",
        variants=False,
        unknown="refuse",
        plain="ordinary",
        build_sdist=False,
        serial=1,
    )


def test_a_file_and_what_was_derived_of_it_come_in_together(catalog: Catalog) -> None:
    stored = catalog.arrivals.add(Addition("demo", new_file(), seen=None, derived=[labelled()], variants=True))
    snapshot = catalog.snapshot("demo")
    assert snapshot is not None
    assert snapshot.project.variants
    assert snapshot.files == (stored,)
    (derived,) = snapshot.derived
    assert derived.file_id == stored.id
    assert derived.properties == {"x86_64": {"level": ["v3"]}}
    assert catalog.find_derived(derived.sha256) == catalog.find_derived(derived.sha256, "labelled") == (derived,)
    assert catalog.find_derived(derived.sha256, "selector") == ()


def test_nothing_comes_in_when_moving_the_blobs_fails(catalog: Catalog) -> None:
    def full() -> list[Path]:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        catalog.arrivals.add(Addition("demo", new_file(), seen=None, derived=[labelled()], before_commit=full))
    assert catalog.project("demo") is None


def test_the_blobs_move_in_before_anybody_sees_the_row(catalog: Catalog, url: str) -> None:
    seen: list[int] = []

    def look() -> list[Path]:
        seen.append(len(other.files("demo")))
        return []

    with Catalog.open(url) as other:
        catalog.arrivals.add(Addition("demo", new_file(), seen=None, before_commit=look))
        assert (seen, len(other.files("demo"))) == ([0], 1)


def test_a_decision_on_an_old_state_changes_nothing(catalog: Catalog) -> None:
    catalog.arrivals.add(Addition("demo", new_file(), seen=None))
    stored = catalog.arrivals.add(Addition("demo", new_file("1.1"), seen=1))
    moved: list[Path] = []

    def move() -> list[Path]:
        moved.append(Path())
        return moved

    with pytest.raises(CatalogChanged):
        catalog.arrivals.add(Addition("demo", new_file("1.2"), seen=1, before_commit=move))
    with pytest.raises(CatalogChanged):
        catalog.arrivals.add(Addition("demo", new_file("1.2"), seen=None, before_commit=move))
    with pytest.raises(CatalogChanged):
        catalog.arrivals.change_need(NeedChange(stored, V2, seen=1, before_commit=move))
    assert moved == []
    assert [file.version for file in catalog.files("demo")] == ["1.0", "1.1"]


@pytest.mark.parametrize("other", [new_file(content="other"), new_file(need=V2)], ids=["same need", "same bytes"])
def test_the_database_itself_holds_identity(catalog: Catalog, other: NewFile) -> None:
    catalog.arrivals.add(Addition("demo", new_file(), seen=None))
    with pytest.raises(CatalogChanged) as caught:
        catalog.arrivals.add(Addition("demo", other, seen=1))
    assert isinstance(caught.value.__cause__, IntegrityError)
    assert (len(catalog.files("demo")), catalog.serial("demo")) == (1, 1)


def test_a_changed_need_replaces_the_labelled_forms(catalog: Catalog) -> None:
    stored = catalog.arrivals.add(Addition("demo", new_file(need=V2), seen=None, derived=[labelled(label="x86_64_v2")]))
    changed = catalog.arrivals.change_need(NeedChange(stored, V3, seen=1, derived=[labelled()], variants=True))
    assert changed == dataclasses.replace(stored, need=V3)
    assert catalog.files("demo") == (changed,)
    assert [derived.label for derived in catalog.derived("demo")] == ["x86_64_v3"]
    assert catalog.serial("demo") == 2
    project = catalog.project("demo")
    assert project is not None
    assert project.variants


def test_one_wheel_may_stand_in_two_projects(catalog: Catalog) -> None:
    catalog.arrivals.add(Addition("demo", new_file(), seen=None))
    catalog.arrivals.add(Addition("other", new_file(), seen=None))
    assert [file.project for file in catalog.find_file(new_file().sha256)] == ["demo", "other"]
    assert catalog.find_file("0" * 64) == ()


def test_a_selector_added_twice_is_one_and_changes_no_page(catalog: Catalog) -> None:
    catalog.arrivals.add(Addition("demo", new_file(), seen=None))
    first = catalog.add_derived("Demo", selector())
    assert (first.file_id, first.project, catalog.serial("demo")) == (None, "demo", 2)
    assert catalog.add_derived("demo", selector()) == first
    assert catalog.serial("demo") == 2
    second = catalog.add_derived("demo", selector("6" * 64))
    assert catalog.derived("demo") == (first, second)
    with pytest.raises(NoSuchProject):
        catalog.add_derived("nobody", selector())


def test_policy_changes_what_is_given_and_the_serial(catalog: Catalog) -> None:
    made = catalog.ensure_project("Demo", PolicyChange(unknown="allow"))
    assert (made.display_name, made.unknown, made.variants) == ("Demo", "allow", False)
    changed = catalog.set_policy("demo", PolicyChange(variants=True, plain="selector", build_sdist=True))
    assert (changed.variants, changed.unknown, changed.plain, changed.build_sdist) == (True, "allow", "selector", True)
    assert changed.serial > made.serial
    assert (
        catalog.set_policy("demo", PolicyChange(variants=True))
        == changed
        == catalog.ensure_project("DEMO")
        == catalog.project("demo")
    )
    with pytest.raises(NoSuchProject):
        catalog.set_policy("nobody", PolicyChange(variants=True))
    assert [project.name for project in catalog.projects()] == ["demo"]


def test_what_was_committed_is_there_after_opening_again(url: str) -> None:
    with Catalog.open(url) as first:
        stored = first.arrivals.add(Addition("demo", new_file(), seen=None, derived=[labelled()]))
    with Catalog.open(url) as second:
        assert second.files("demo") == (stored,)


def test_a_date_without_a_zone_is_refused_and_another_zone_becomes_utc(catalog: Catalog) -> None:
    dialect = catalog._engine.dialect
    summer = datetime(2026, 7, 1, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    bound = UtcDateTime().process_bind_param(summer, dialect)
    assert bound == summer
    assert bound.tzinfo is timezone.utc
    with pytest.raises(ValueError, match="time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 7, 1), dialect)  # noqa: DTZ001 - that is the point


def test_sqlite_keeps_foreign_keys_and_commits_to_the_disk(catalog: Catalog) -> None:
    with catalog._engine.connect() as connection:

        def pragma(name: str) -> object:
            return connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()

        assert [pragma(name) for name in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")] == [
            "wal",
            1,
            5000,
            2,
        ]


def test_a_value_outside_the_vocabulary_is_refused_by_the_database(catalog: Catalog) -> None:
    with pytest.raises((IntegrityError, StatementError)):
        catalog.ensure_project("demo", PolicyChange(unknown="maybe"))  # type: ignore[arg-type]  # a caller without mypy
