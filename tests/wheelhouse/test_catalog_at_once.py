"""Many who write one catalog at once, in threads and in processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.together import together
from tests.wheelhouse.catalog_support import new_file

from cpufit_wheelhouse.catalog import Addition, Catalog, CatalogChanged, NewFile


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

    assert together(8, add_five)[1] == []
    assert len(catalog.files("demo")) == catalog.serial("demo") == 40


def test_of_many_threads_with_one_identity_one_wins(catalog: Catalog) -> None:
    catalog.ensure_project("demo")
    _, errors = together(
        8, lambda number: catalog.arrivals.add(Addition("demo", new_file(content=str(number)), seen=1))
    )
    assert [type(error) for error in errors] == [CatalogChanged] * 7
    assert len(catalog.files("demo")) == 1


def test_many_threads_may_make_one_project(catalog: Catalog) -> None:
    assert together(8, lambda _number: catalog.ensure_project("demo"))[1] == []
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
