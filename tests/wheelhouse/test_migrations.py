"""Migrations: the revisions make exactly the tables of the schema, once, whoever opens first."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, select, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.schema import CreateTable

from cpufit_wheelhouse.catalog import Catalog, schema
from cpufit_wheelhouse.catalog.engine import for_writing, open_engine
from cpufit_wheelhouse.catalog.revisions import newest_revision
from cpufit_wheelhouse.errors import StoreError
from cpufit_wheelhouse.lookalikes import lookalike


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'a folder with 100%' / 'catalog.sqlite3'}"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path) -> None:
    (tmp_path / "a folder with 100%").mkdir()


def test_the_revisions_make_the_tables_of_the_schema(url: str) -> None:
    with Catalog.open(url) as catalog, catalog._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*schema.metadata.tables, "alembic_version"}


def test_names_and_checks_of_the_revisions_are_those_of_the_schema(url: str, tmp_path: Path) -> None:
    """What autogenerate does not compare: names of constraints, CHECK conditions."""
    by_hand = open_engine(f"sqlite:///{tmp_path / 'by-hand.sqlite3'}")
    with for_writing(by_hand).begin() as connection:
        schema.metadata.create_all(connection)
    with Catalog.open(url) as catalog:
        for table in schema.metadata.tables:
            for facts in ("get_check_constraints", "get_unique_constraints", "get_foreign_keys", "get_indexes"):
                made, wanted = (getattr(inspect(engine), facts)(table) for engine in (catalog._engine, by_hand))
                assert sorted(map(str, made)) == sorted(map(str, wanted)), (table, facts)
    by_hand.dispose()


def test_the_tables_can_be_made_on_postgresql_too() -> None:
    dialect = PGDialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    for table in schema.metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=dialect))
        assert f"CREATE TABLE {table.name}" in statement
        assert ("TIMESTAMP WITH TIME ZONE" in statement) == any(column.name.endswith("_at") for column in table.columns)


def test_opening_again_changes_nothing(url: str) -> None:
    with Catalog.open(url) as catalog:
        catalog.ensure_project("demo")
    with Catalog.open(url) as catalog:
        assert catalog.project("demo") is not None


def test_a_catalog_of_a_newer_cpufit_is_refused_and_left_alone(url: str) -> None:
    with Catalog.open(url) as catalog, catalog._writer.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError) as caught:
        Catalog.open(url)
    assert caught.value.code == "catalog-too-new"
    engine = open_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
    engine.dispose()


def test_threads_may_open_one_new_catalog_at_once(url: str) -> None:
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            Catalog.open(url).close()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_processes_may_open_one_new_catalog_at_once(url: str) -> None:
    code = "import sys; from cpufit_wheelhouse.catalog import Catalog; Catalog.open(sys.argv[1]).close()"
    processes = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4


def test_projects_of_an_older_cpufit_are_known_by_their_looks(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "cpufit_wheelhouse")
    engine = open_engine(url)
    config = Config()
    config.set_main_option("script_location", "cpufit_wheelhouse.catalog:migrations")
    config.set_main_option("path_separator", "os")
    columns = "name, display_name, variants, unknown, plain, build_sdist, serial, created_at"
    row = "false, 'refuse', 'ordinary', false, 1, '2026-01-01 00:00:00'"
    with for_writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0012")
        for name in ("Pillow-Tools", "i0l1"):
            known = name.lower()
            connection.execute(text(f"INSERT INTO projects ({columns}) VALUES ('{known}', '{name}', {row})"))
    engine.dispose()
    with Catalog.open(url) as catalog, catalog._engine.begin() as connection:
        rows = connection.execute(select(schema.projects.c.name, schema.projects.c.lookalike))
        found = {row.name: row.lookalike for row in rows}
    assert found == {name: lookalike(name) for name in ("pillow-tools", "i0l1")}
    begun, done = (
        record.getMessage() for record in caplog.records if record.name == "cpufit_wheelhouse.catalog.engine"
    )
    assert begun.startswith(f"the catalog is brought from revision 0012 to {newest_revision()}")
    assert done.startswith(f"the catalog has revision {newest_revision()}, after ")
