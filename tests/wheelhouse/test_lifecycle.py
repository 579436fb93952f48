"""Yanks, statuses and deletions: what goes, what stays, what is remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.wheelhouse.ingest_support import NAME, on_disk, put, sdist_bytes, state, wheel_bytes

from cpufit_wheelhouse.catalog import CatalogChanged, NewDerived, StoredFile
from cpufit_wheelhouse.errors import FileNameDeleted, NoSuchProject, ProjectClosed
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.sweeping import forget

SAID = {"who": "mara", "why": "broken"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def serial(home: Home) -> int:
    found = home.catalog.serial("demo")
    assert found is not None
    return found


def files(home: Home, version: str | None = None) -> list[StoredFile]:
    return [file for file in home.catalog.files("demo") if version in (None, file.version)]


def remove(home: Home, *gone: StoredFile) -> frozenset[str]:
    return home.catalog.lifecycle.delete("demo", gone, seen=serial(home), **SAID)


def derived(home: Home, kind: str, version: str = "1.0", data: bytes = b"made") -> NewDerived:
    return NewDerived(
        version=version,
        kind=kind,  # type: ignore[arg-type]  # one of the three
        filename=f"demo-{version}-{kind}",
        sha256=home.blobs.put_bytes(data),
        size=len(data),
    )


def told(home: Home) -> list[tuple[str, str | None]]:
    return [(entry.action, entry.filename) for entry in reversed(home.catalog.journal.of("Demo"))]


class TestYanking:
    def test_is_of_files_and_can_be_ended(self, home: Home) -> None:
        put(home)
        put(home, sdist_bytes(), "demo-1.0.tar.gz")
        before = serial(home)
        home.catalog.lifecycle.yank("Demo", files(home)[:1], seen=before, **SAID)
        assert [file.yanked for file in files(home)] == ["broken", None]
        assert serial(home) > before
        home.catalog.lifecycle.unyank("demo", files(home), seen=serial(home), who="mara", why="it was not")
        assert [file.yanked for file in files(home)] == [None, None]
        assert told(home) == [("yank", NAME), ("unyank", NAME), ("unyank", "demo-1.0.tar.gz")]

    def test_is_decided_anew_where_the_project_moved_on(self, home: Home) -> None:
        put(home)
        seen = serial(home)
        put(home, sdist_bytes(), "demo-1.0.tar.gz")
        with pytest.raises(CatalogChanged):
            home.catalog.lifecycle.yank("demo", files(home), seen=seen, **SAID)
        assert [file.yanked for file in files(home)] == [None, None]
        assert told(home) == []


class TestStatus:
    def test_is_told_with_its_reason_and_the_same_again_changes_nothing(self, home: Home) -> None:
        put(home)
        for _ in range(2):
            project = home.catalog.lifecycle.set_status("Demo", "archived", who="mara", why="use other")
            assert (project.status, project.status_reason, project.serial) == ("archived", "use other", 2)
        project = home.catalog.lifecycle.set_status("demo", "active", who="mara", why="sorry")
        assert (project.status, project.status_reason) == ("active", None)
        assert [entry.why for entry in home.catalog.journal.of("demo")] == ["active: sorry", "archived: use other"]

    def test_of_a_project_that_is_not_here(self, home: Home) -> None:
        with pytest.raises(NoSuchProject):
            home.catalog.lifecycle.set_status("demo", "archived", **SAID)

    @pytest.mark.parametrize("status", ["archived", "quarantined"])
    def test_lets_nothing_in_and_a_refusal_leaves_nothing(self, home: Home, status: str) -> None:
        put(home)
        home.catalog.lifecycle.set_status("demo", status, **SAID)  # type: ignore[arg-type]  # two of the four
        before = state(home)
        for data, name in ((wheel_bytes(), NAME), (sdist_bytes(), "demo-1.0.tar.gz")):
            with pytest.raises(ProjectClosed) as caught:
                put(home, data, name)
            assert (caught.value.code, "broken" in caught.value.message) == (f"project-{status}", True)
        assert state(home) == before

    def test_deprecated_takes_files(self, home: Home) -> None:
        put(home)
        home.catalog.lifecycle.set_status("demo", "deprecated", **SAID)
        assert put(home, sdist_bytes(), "demo-1.0.tar.gz").status == "new"


class TestDeleting:
    def test_a_file_takes_its_labelled_forms_and_what_was_made_of_its_release(self, home: Home) -> None:
        put(home, declared="x86_64_v3")
        other = NAME.replace("1.0", "2.0")
        put(home, filename=other, declared="x86_64_v3")
        for version in ("1.0", "2.0"):
            for kind in ("selector", "variants-json"):
                home.catalog.add_derived("demo", derived(home, kind, version, f"{kind} {version}".encode()))
        assert {made.version for made in home.catalog.derived("demo")} == {"1.0", "2.0"}
        before = serial(home)
        blobs = remove(home, *files(home, "1.0"))
        assert serial(home) == before + 1
        assert [file.filename for file in files(home)] == [other]
        assert [(made.version, made.kind) for made in home.catalog.derived("demo")] == [
            ("2.0", "labelled"),
            ("2.0", "selector"),
            ("2.0", "variants-json"),
        ]
        assert told(home) == [("delete", NAME)]
        forget(home.catalog, home.blobs, blobs)
        snapshot = home.catalog.snapshot("demo")
        assert snapshot is not None
        named = {file.sha256 for file in snapshot.files} | {made.sha256 for made in snapshot.derived}
        assert set(on_disk(home)) == named | {file.metadata_sha256 for file in snapshot.files}

    def test_the_last_file_leaves_the_project_hosted(self, home: Home) -> None:
        put(home)
        remove(home, *files(home))
        assert files(home) == []
        assert home.catalog.project("demo") is not None

    def test_a_project_leaves_its_journal_and_a_serial_to_count_on_from(self, home: Home) -> None:
        put(home, declared="x86_64_v3")
        (file,) = files(home)
        home.catalog.hidings.hide("demo", file.sha256, **SAID)
        home.catalog.add_derived("demo", derived(home, "selector"))
        home.catalog.freezes.set("demo", "1.0", "5" * 64, [file], seen=serial(home), **SAID)
        last = serial(home)
        blobs = home.catalog.lifecycle.delete_project("demo", [file], seen=last, **SAID)
        assert home.catalog.snapshot("demo") is None
        assert told(home)[-2:] == [("delete", NAME), ("delete-project", None)]
        forget(home.catalog, home.blobs, blobs)
        assert on_disk(home) == []
        put(home, filename=NAME.replace("1.0", "2.0"))
        assert serial(home) > last

    def test_is_decided_anew_where_the_project_moved_on(self, home: Home) -> None:
        put(home)
        seen = serial(home)
        put(home, sdist_bytes(), "demo-1.0.tar.gz")
        for change in (home.catalog.lifecycle.delete, home.catalog.lifecycle.delete_project):
            with pytest.raises(CatalogChanged):
                change("demo", files(home), seen=seen, **SAID)
        assert len(files(home)) == 2
        assert told(home) == []


class TestAFreeze:
    def freeze(self, home: Home) -> NewDerived:
        put(home, declared="x86_64_v3")
        selector = derived(home, "selector")
        home.catalog.add_derived("demo", selector)
        home.catalog.freezes.set("demo", "1.0", selector.sha256, files(home), seen=serial(home), **SAID)
        return selector

    def test_names_its_selector_until_it_ends(self, home: Home) -> None:
        selector = self.freeze(home)
        with home.catalog._writer.begin() as connection:
            connection.execute(text("DELETE FROM derived"))
        forget(home.catalog, home.blobs, [selector.sha256])
        assert home.blobs.exists(selector.sha256)
        assert home.catalog.freezes.end("demo", "1.0", **SAID)
        forget(home.catalog, home.blobs, [selector.sha256])
        assert not home.blobs.exists(selector.sha256)

    def test_ends_with_a_file_that_its_selector_could_choose(self, home: Home) -> None:
        self.freeze(home)
        remove(home, *files(home))
        snapshot = home.catalog.snapshot("demo")
        assert snapshot is not None
        assert snapshot.freezes == ()
        (freeze,) = home.catalog.freezes.of("demo")
        assert (freeze.ended_who, freeze.ended_why) == ("mara", "a file was deleted: broken")

    def test_holds_when_another_file_goes_and_its_selector_stays(self, home: Home) -> None:
        selector = self.freeze(home)
        put(home, sdist_bytes(), "demo-1.0.tar.gz")
        home.catalog.add_derived("demo", derived(home, "selector", data=b"of the sdist too"))
        remove(home, *(file for file in files(home) if file.kind == "sdist"))
        snapshot = home.catalog.snapshot("demo")
        assert snapshot is not None
        assert snapshot.frozen("1.0") is not None
        assert [made.sha256 for made in snapshot.derived if made.kind == "selector"] == [selector.sha256]


class TestADeletedName:
    def test_takes_no_other_bytes_and_the_same_only_from_who_may_bring_them_back(self, home: Home) -> None:
        put(home)
        blobs = remove(home, *files(home))
        forget(home.catalog, home.blobs, blobs)
        before = state(home)
        for content in ("first", "second"):
            with pytest.raises(FileNameDeleted, match="deleted here on"):
                put(home, wheel_bytes(content=content))
        restoring = home.ingest.restoring()
        with home.blobs.stage() as staged:
            staged.write(wheel_bytes(content="second"))
            with pytest.raises(FileNameDeleted):
                restoring.wheel(staged, NAME)
        assert state(home) == before
        with home.blobs.stage() as staged:
            staged.write(wheel_bytes(content="first"))
            assert restoring.wheel(staged, NAME).status == "new"
        # here again, it is a file like any other
        assert put(home).status == "same"

    def test_is_remembered_of_a_project_that_was_deleted(self, home: Home) -> None:
        put(home)
        home.catalog.lifecycle.delete_project("demo", files(home), seen=serial(home), **SAID)
        with pytest.raises(FileNameDeleted):
            put(home, wheel_bytes(content="second"))
        assert home.catalog.project("demo") is None
