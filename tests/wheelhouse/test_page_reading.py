"""What pages are made of reads the same without SQLAlchemy."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import text

from cpufit_resolver.need import Need, parse_need
from cpufit_wheelhouse.catalog import (
    Addition,
    Catalog,
    CatalogChanged,
    NewDerived,
    NewFile,
    PolicyChange,
    ProjectSnapshot,
)
from cpufit_wheelhouse.catalog.engine import open_engine
from cpufit_wheelhouse.catalog.reading import PageReader
from cpufit_wheelhouse.catalog.snapshots import snapshot_by_types

SAID = {"who": "mara", "why": "broken"}
Made = TypeVar("Made")
V3 = parse_need("x86_64_v3", frozenset({"x86_64"}))


def new_file(version: str, need: Need | None = None, *, sdist: bool = False) -> NewFile:
    platforms = () if sdist else ("manylinux_2_17_x86_64",)
    return NewFile(
        kind="sdist" if sdist else "wheel",
        version=version,
        filename=f"demo-{version}.tar.gz" if sdist else f"demo-{version}-cp311-abi3-manylinux_2_17_x86_64.whl",
        need=need,
        sha256=f"{version:a<63}{'s' if sdist else 'w'}",
        blake2="b" * 64,
        size=5_000_000_000,
        metadata_sha256="e" * 64,
        requires_python=None if sdist else ">=3.10",
        dependencies_key="{}",
        tags=tuple(f"cp311-abi3-{platform}" for platform in platforms),
        platforms=platforms,
        build=() if sdist else (2, "avx"),
        has_native=not sdist,
        provenance={"source": "upload", "naïve": [1, None]},
        attestations_sha256=None if sdist else "a" * 64,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a folder with 100%" / "catalog.sqlite3"


@pytest.fixture
def catalog(path: Path) -> Iterator[Catalog]:
    path.parent.mkdir()
    with Catalog.open(f"sqlite:///{path}") as opened:
        yield opened


@pytest.fixture
def reader(path: Path, catalog: Catalog) -> Iterator[PageReader]:
    del catalog  # the tables are there
    found = PageReader.open(path)
    assert found is not None
    yield found
    found.close()


def fill(catalog: Catalog) -> None:
    """Make a project with something in every column that a page is made of."""
    inspected = Need.of(dict(V3.by_arch), source="inspected", evidence=("demo.so: vpaddd at 0x10",))
    label = NewDerived(
        version="1.0",
        kind="labelled",
        filename="demo-1.0-cp311-abi3-manylinux_2_17_x86_64-x86_64_v3.whl",
        sha256="1" * 64,
        size=7,
        label="x86_64_v3",
        properties={"x86_64": {"level": ["v3"]}},
        metadata_sha256="e" * 64,
    )
    catalog.arrivals.add(Addition("DEMO", new_file("1.0", inspected), seen=None, derived=[label]))
    for file in (new_file("1.0", sdist=True), new_file("1.1"), new_file("2.0", V3)):
        catalog.arrivals.add(Addition("demo", file, seen=catalog.serial("demo")))
    selector = NewDerived(version="1.0", kind="selector", filename="demo-1.0.tar.gz", sha256="5" * 64, size=9)
    catalog.add_derived("demo", selector)
    catalog.set_policy("demo", PolicyChange(variants=True, build_sdist=True, instead="Other.One", upstream="merge"))
    first, _, third, last = catalog.files("demo")
    seen = catalog.serial("demo")
    assert seen is not None
    catalog.freezes.set("demo", "1.0", selector.sha256, [first], seen=seen, **SAID)
    catalog.freezes.set("demo", "1.0", selector.sha256, [first], seen=seen + 1, **SAID)  # ends the one before
    catalog.lifecycle.yank("demo", [third], seen=seen + 2, **SAID)
    catalog.hidings.hide("demo", last.sha256, **SAID)
    catalog.hidings.hide("demo", first.sha256, **SAID)
    catalog.hidings.show("demo", first.sha256)
    catalog.lifecycle.set_status("demo", "archived", **SAID)


def read_by_types(path: Path, name: str) -> ProjectSnapshot | None:
    """Return a snapshot as it is read where the database is another one than SQLite."""
    engine = open_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            return snapshot_by_types(connection, name)
    finally:
        engine.dispose()


def test_a_snapshot_is_what_the_columns_hold(path: Path, catalog: Catalog, reader: PageReader) -> None:
    fill(catalog)
    catalog.ensure_project("Another", PolicyChange(unknown="allow", plain="selector"))
    for name in ("demo", "Demo", "another", "missing"):
        wanted, found = read_by_types(path, name), reader.snapshot(name)
        assert catalog.snapshot(name) == found
        # needs are equal whoever found them out
        assert (found == wanted, repr(found)) == (True, repr(wanted))
        assert reader.serial(name) == catalog.serial(name)
    assert reader.names() == catalog.names() == tuple(each.name for each in catalog.projects())
    whole = reader.snapshot("demo")
    assert whole is not None
    for records in (whole.files, whole.derived, whole.hidings, whole.freezes):
        assert records, "there is something to compare"
    for field in dataclasses.fields(NewFile):
        assert any(getattr(file, field.name) not in (None, (), False) for file in whole.files), field.name


def test_files_that_are_the_same_still_are_taken_again(catalog: Catalog, reader: PageReader) -> None:
    fill(catalog)
    for source in (catalog, reader):
        before = source.snapshot("demo")
        assert before is not None
        again = source.snapshot("demo", before.files)
        assert again is not None
        assert again.files == before.files
        assert all(one is other for one, other in zip(again.files, before.files, strict=True))
        first, second, *_ = before.files
        catalog.lifecycle.yank("demo", [first], seen=before.project.serial, **SAID)
        changed = source.snapshot("demo", before.files)
        assert changed is not None
        assert changed.files[0].yanked == "broken"
        assert changed.files[1] is second
        catalog.lifecycle.unyank("demo", [first], seen=changed.project.serial, **SAID)
        back = source.snapshot("demo", changed.files)
        assert back is not None
        assert back.files == before.files
        assert back.files[1] is second


def test_it_sees_what_was_committed_since(catalog: Catalog, reader: PageReader) -> None:
    assert reader.snapshot("demo") is None
    fill(catalog)
    assert reader.snapshot("demo") == catalog.snapshot("demo")


def test_it_writes_nothing(catalog: Catalog, reader: PageReader) -> None:
    fill(catalog)
    selector = NewDerived(version="1.1", kind="selector", filename="demo-1.1.tar.gz", sha256="6" * 64, size=9)
    before = catalog.snapshot("demo")
    with pytest.raises(CatalogChanged):
        reader.add_derived("demo", selector)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("DELETE FROM derived")
    assert catalog.snapshot("demo") == before


def test_a_catalog_that_is_not_there_is_not_made(path: Path) -> None:
    assert PageReader.open(path) is None
    assert not path.exists()


@pytest.mark.parametrize("revision", ["0001", "9999"])
def test_tables_of_another_revision_are_left_to_who_knows_them(revision: str, path: Path, catalog: Catalog) -> None:
    with catalog._writer.begin() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{revision}'"))
    assert PageReader.open(path) is None


def test_what_is_no_catalog_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database" * 1000)
    assert PageReader.open(path) is None
    assert path.read_bytes() == b"no database" * 1000


def test_sqlalchemy_is_not_loaded_for_it() -> None:
    code = "import sys, cpufit_wheelhouse.catalog.reading; print('sqlalchemy' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
