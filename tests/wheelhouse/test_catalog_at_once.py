"""Many who write one catalog at once, in threads and in processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.wheelhouse.catalog_support import new_file

from cpufit_wheelhouse.catalog import Addition, Catalog, CatalogChanged, NewFile


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'catalog.sqlite3'}"


@pytest.fixture
def catalog(url: str) -> Iterator[Catalog]:
    with Catalog.open(url) as opened:
        yield opened


def in_threads(count: int, work: Callable[[int], object]) -> list[BaseException]:
    gate = threading.Barrier(count)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        gate.wait()
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def add_until_it_is_in(catalog: Catalog, new: NewFile) -> None:
    while True:
        try:
            catalog.arrivals.add(Addition("demo", new, seen=catalog.serial("demo")))
        except CatalogChanged:
            continue
        return


def test_many_threads_lose_no_file(catalog: Catalog) -> None:
    def add_five(number: int) -> None:
        for step in range(5):
            add_until_it_is_in(catalog, new_file(f"{number}.{step}", content=f"{number}.{step}"))

    assert in_threads(8, add_five) == []
    assert len(catalog.files("demo")) == catalog.serial("demo") == 40


def test_of_many_threads_with_one_identity_one_wins(catalog: Catalog) -> None:
    catalog.ensure_project("demo")
    errors = in_threads(8, lambda number: catalog.arrivals.add(Addition("demo", new_file(content=str(number)), seen=1)))
    assert [type(error) for error in errors] == [CatalogChanged] * 7
    assert len(catalog.files("demo")) == 1


def test_many_threads_may_make_one_project(catalog: Catalog) -> None:
    assert in_threads(8, lambda _number: catalog.ensure_project("demo")) == []
    assert len(catalog.projects()) == 1


WRITER = """
import sys
from cpufit_wheelhouse.catalog import Catalog
sys.path.insert(0, sys.argv[2])
from tests.wheelhouse.catalog_support import new_file
from tests.wheelhouse.test_catalog_at_once import add_until_it_is_in
with Catalog.open(sys.argv[1]) as catalog:
    for step in range(20):
        add_until_it_is_in(catalog, new_file(f"9.{step}", content=f"9.{step}"))
        print(step, flush=True)
"""


def test_a_second_process_may_write_at_the_same_time(catalog: Catalog, url: str) -> None:
    command = [sys.executable, "-c", WRITER, url, str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        for step in range(20):
            add_until_it_is_in(catalog, new_file(f"1.{step}", content=f"1.{step}"))
        other.stdout.read()
    assert other.returncode == 0
    assert len(catalog.files("demo")) == catalog.serial("demo") == 40
