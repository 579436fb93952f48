"""A page that is made while files of its project are deleted: it is made anew, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.wheelhouse.ingest_support import NAME, put

from cpufit_server.client import NOBODY, Asker, View
from cpufit_server.negotiation import JSON_TYPE, Form
from cpufit_server.pages import Pages
from cpufit_server.selectors import Selectors
from cpufit_wheelhouse.catalog import DerivedFile, ProjectSnapshot
from cpufit_wheelhouse.errors import NoSuchFile
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.sweeping import forget

SAID = {"who": "mara", "why": "broken"}
BASE = "http://127.0.0.1"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        for version in ("1.0", "2.0"):
            put(opened, filename=NAME.replace("1.0", version), declared="x86_64_v3")
        yield opened


class Overtaken(Selectors):
    """Lets something happen between the snapshot and the first selector that is made of it."""

    def __init__(self, home: Home, happens: Callable[[], object]) -> None:
        super().__init__(home, BASE)
        self._happens: list[Callable[[], object]] = [happens]

    def of(self, snapshot: ProjectSnapshot) -> dict[str, DerivedFile]:
        while self._happens:
            self._happens.pop()()
        return super().of(snapshot)


def page(home: Home, happens: Callable[[], object], asker: Asker = NOBODY) -> str | None:
    pages = Pages(home, Overtaken(home, happens), entries=10, weight=1 << 20)
    made = pages.project("demo", asker, Form(media_type=JSON_TYPE, coding=None), "../../")
    return None if made is None else made.body.decode()


def delete(home: Home, version: str, *, forgotten: bool) -> None:
    snapshot = home.catalog.snapshot("demo")
    assert snapshot is not None
    files = [file for file in snapshot.files if file.version == version]
    gone = home.catalog.lifecycle.delete("demo", files, seen=snapshot.project.serial, **SAID)
    if forgotten:
        forget(home.catalog, home.blobs, gone)


@pytest.mark.parametrize("forgotten", [False, True], ids=["rows alone", "blobs too"])
@pytest.mark.parametrize("asker", [NOBODY, Asker(view=View.VARIANT)], ids=["plain", "variant"])
def test_a_release_that_goes_meanwhile_is_not_on_the_page(home: Home, asker: Asker, *, forgotten: bool) -> None:
    shown = page(home, lambda: delete(home, "1.0", forgotten=forgotten), asker)
    assert shown is not None
    assert "demo-2.0" in shown
    assert "demo-1.0" not in shown
    assert home.catalog.references.impossible() == (), "a selector of the release that is gone"


def test_a_project_that_goes_meanwhile_has_no_page(home: Home) -> None:
    def delete_all() -> None:
        snapshot = home.catalog.snapshot("demo")
        assert snapshot is not None
        home.catalog.lifecycle.delete_project("demo", snapshot.files, seen=snapshot.project.serial, **SAID)

    assert page(home, delete_all) is None


def test_what_is_lost_for_good_is_told_and_not_tried_for_ever(home: Home) -> None:
    for file in home.catalog.files("demo"):
        home.blobs.remove(file.metadata_sha256)
    with pytest.raises(NoSuchFile, match="no file with SHA-256"):
        page(home, lambda: None)
