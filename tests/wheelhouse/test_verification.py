"""Verification and repair of a store: what is found, what is mended, and that nothing under way is touched."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.wheelhouse.ingest_support import LINUX, put, sdist_bytes, wheel_bytes

from cpufit_wheelhouse.blobs import STALE_AFTER
from cpufit_wheelhouse.catalog import NewDerived
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.ingest import Ingested
from cpufit_wheelhouse.upkeep.repair import REPAIRER, Repair, Repaired
from cpufit_wheelhouse.upkeep.verification import Finding, Verification

LONG_AGO = time.time() - 2 * STALE_AFTER.total_seconds()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def found(home: Home, *, young: timedelta = STALE_AFTER) -> list[Finding]:
    return list(Verification(home=home, young=young).findings())


def kinds(home: Home, *, young: timedelta = STALE_AFTER) -> list[str]:
    return [finding.kind for finding in found(home, young=young)]


def repaired(home: Home, *, young: timedelta = STALE_AFTER) -> list[Repaired]:
    return [Repair(home=home).run(finding) for finding in found(home, young=young)]


def damage(home: Home, sha256: str) -> None:
    """Change one byte, as a disk does: size and dates stay."""
    path = home.blobs.path(sha256)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def fast(home: Home) -> Ingested:
    return put(home, declared="x86_64_v3")


def labelled_of(home: Home) -> str:
    (form,) = (each for each in home.catalog.derived("demo") if each.kind == "labelled")
    return form.sha256


def test_a_whole_store_has_nothing_wrong(home: Home) -> None:
    fast(home)
    put(home, sdist_bytes(), "demo-1.0.tar.gz")
    read: list[int] = []
    assert list(Verification(home=home).findings(read.append)) == []
    assert (len(read), sum(read)) == home.blobs.extent()
    assert len(read) == 5  # two files, their metadata, one labelled form


class TestWhatIsFound:
    def test_bytes_that_are_not_there(self, home: Home) -> None:
        file = put(home).file
        home.blobs.path(file.sha256).unlink()
        (finding,) = found(home)
        assert (finding.kind, finding.sha256, finding.harmless) == ("missing", file.sha256, False)
        assert finding.references[0].filename == file.filename

    def test_bytes_with_another_hash(self, home: Home) -> None:
        file = put(home).file
        damage(home, file.metadata_sha256)
        (finding,) = found(home)
        assert (finding.kind, finding.references[0].role) == ("damaged", "metadata")

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
    def test_bytes_that_cannot_be_read(self, home: Home) -> None:
        home.blobs.path(put(home).file.sha256).chmod(0)
        assert kinds(home) == ["damaged"]

    def test_a_row_with_another_size(self, home: Home) -> None:
        file = put(home).file
        with home.catalog._writer.begin() as connection:
            connection.execute(text("UPDATE files SET size = size + 1"))
        (finding,) = found(home)
        assert (finding.kind, finding.sha256) == ("size", file.sha256)

    def test_a_blob_that_no_row_names_once_it_is_old(self, home: Home) -> None:
        home.blobs.put_bytes(b"nobody knows me")
        assert kinds(home) == []
        assert kinds(home, young=timedelta(0)) == ["orphan"]

    def test_derived_files_that_cannot_be(self, home: Home) -> None:
        file = fast(home).file
        data = home.blobs.put_bytes(b"{}")
        lost = NewDerived(version="1.0", kind="variants-json", filename="demo-9.9-variants.json", sha256=data, size=2)
        home.catalog.add_derived("demo", lost)
        with home.catalog._writer.begin() as connection:
            connection.execute(text("UPDATE derived SET version = '9.9' WHERE kind = 'variants-json'"))
            connection.execute(text("UPDATE derived SET file_id = NULL WHERE kind = 'labelled'"))
        assert kinds(home) == ["impossible", "impossible"]
        assert [one.outcome for one in repaired(home)] == ["removed", "removed"]
        assert home.catalog.derived("demo") == ()
        assert home.catalog.files("demo")[0].sha256 == file.sha256

    def test_leftovers_and_strays(self, home: Home) -> None:
        (home.path / "staging" / "left").write_bytes(b"half")
        (home.path / "blobs" / "notes.txt").write_bytes(b"a person's")
        (home.path / "held").mkdir()
        (home.path / "held" / ("0" * 64)).write_bytes(b"nobody waits")
        assert kinds(home) == ["stray"]
        assert all(finding.harmless for finding in found(home, young=timedelta(0)))
        assert [one.outcome for one in repaired(home, young=timedelta(0))] == ["removed", "removed", "kept"]
        assert kinds(home, young=timedelta(0)) == ["stray"]


class TestWhatIsMended:
    def test_metadata_from_its_wheel(self, home: Home) -> None:
        file = put(home).file
        damage(home, file.metadata_sha256)
        assert [one.outcome for one in repaired(home)] == ["mended"]
        assert found(home) == []
        assert not (home.path / "quarantine").exists()

    def test_metadata_from_its_source_distribution(self, home: Home) -> None:
        file = put(home, sdist_bytes(), "demo-1.0.tar.gz").file
        home.blobs.path(file.metadata_sha256).unlink()
        assert [one.outcome for one in repaired(home)] == ["mended"]
        assert found(home) == []

    def test_a_labelled_wheel_from_its_wheel(self, home: Home) -> None:
        fast(home)
        labelled = labelled_of(home)
        before = home.blobs.path(labelled).read_bytes()
        damage(home, labelled)
        assert [one.outcome for one in repaired(home)] == ["mended"]
        assert found(home) == []
        assert home.blobs.path(labelled).read_bytes() == before

    def test_the_size_in_a_row(self, home: Home) -> None:
        before = put(home).file
        with home.catalog._writer.begin() as connection:
            connection.execute(text("UPDATE files SET size = 1"))
        assert [one.outcome for one in repaired(home)] == ["mended"]
        assert home.catalog.files("demo")[0].size == before.size

    def test_an_orphan_goes_unless_a_row_names_it_by_then(self, home: Home) -> None:
        data = home.blobs.put_bytes(b"nobody knows me")
        (finding,) = found(home, young=timedelta(0))
        file = put(home).file
        named = replace(finding, sha256=file.sha256)
        assert Repair(home=home).run(named).outcome == "kept"
        assert home.blobs.exists(file.sha256)
        assert Repair(home=home).run(finding).outcome == "removed"
        assert not home.blobs.exists(data)


class TestWhatCannotBeMended:
    def test_is_set_aside_and_hidden_on_record(self, home: Home) -> None:
        file = fast(home).file
        damage(home, file.sha256)
        damaged = home.blobs.path(file.sha256).read_bytes()
        (done,) = repaired(home)
        assert done.outcome == "quarantined"
        assert (home.path / "quarantine" / file.sha256).read_bytes() == damaged
        snapshot = home.catalog.snapshot("demo")
        assert snapshot is not None
        assert [hiding.who for hiding in snapshot.hidings] == [REPAIRER]
        assert snapshot.shown().files == ()
        assert kinds(home) == ["missing"]

    def test_nothing_is_made_from_damaged_bytes(self, home: Home) -> None:
        file = fast(home).file
        labelled = labelled_of(home)
        for sha256 in (file.sha256, file.metadata_sha256, labelled):
            damage(home, sha256)
        assert {one.outcome for one in repaired(home)} == {"quarantined"}
        assert labelled_of(home) == labelled
        assert not home.blobs.exists(labelled)

    def test_the_same_bytes_uploaded_again_mend_it_all(self, home: Home) -> None:
        file = fast(home).file
        for sha256 in (file.sha256, file.metadata_sha256, labelled_of(home)):
            damage(home, sha256)
        repaired(home)
        assert fast(home).status == "same"
        assert [one.outcome for one in repaired(home)] == ["mended"]  # the labelled form
        assert found(home) == []
        assert home.catalog.hidings.show("demo", file.sha256)

    def test_what_an_upload_brought_back_since_it_was_found_is_left_alone(self, home: Home) -> None:
        """A verification of a large store takes hours."""
        file = fast(home).file
        damage(home, file.sha256)
        (damaged,) = found(home)
        home.blobs.path(file.sha256).unlink()
        (missing,) = found(home)
        assert fast(home).status == "same"
        for finding in (damaged, missing):
            assert Repair(home=home).run(finding).outcome == "mended"
        assert found(home) == []
        assert home.blobs.exists(file.sha256)
        assert home.catalog.hidings.of("demo") == ()

    def test_held_bytes_are_set_aside(self, home: Home) -> None:
        folder = home.path / "held"
        folder.mkdir()
        with home.catalog._writer.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO held (project, filename, sha256, size, provenance, state, created_at) "
                    "VALUES ('demo', 'demo.whl', :sha256, 4, '{}', 'waiting', '2026-01-01 00:00:00')"
                ),
                {"sha256": "0" * 64},
            )
        assert kinds(home) == ["held-missing"]
        (folder / ("0" * 64)).write_bytes(b"half")
        assert [one.outcome for one in repaired(home)] == ["quarantined"]
        assert (home.path / "quarantine" / f"held-{'0' * 64}").read_bytes() == b"half"


def test_an_upload_under_way_is_neither_found_nor_removed(home: Home) -> None:
    """A writer in a loop; a repair for which nothing is too young runs beside it, and every byte stays there."""
    stop = threading.Event()
    wrong: list[Repaired] = []

    def repair() -> None:
        with open_home(home.path, sweep=False) as own:
            while not stop.is_set():
                # staging is left out: with no age at all, what is being written counts as left behind
                for finding in Verification(home=own, young=timedelta(0)).findings():
                    if finding.kind != "staging":
                        done = Repair(home=own).run(finding)
                        if not finding.harmless:
                            wrong.append(done)

    beside = threading.Thread(target=repair)
    beside.start()
    try:
        for number in range(40):
            filename = f"demo-1.{number}-cp311-abi3-{LINUX}.whl"
            # orphans of just these bytes lie there already: each upload takes one over while they are being removed
            home.blobs.put_bytes(wheel_bytes(filename))
            put(home, filename=filename, declared="x86_64_v3")
    finally:
        stop.set()
        beside.join()
    assert wrong == []
    assert found(home) == []
    assert len(home.catalog.files("demo")) == 40


def test_a_file_deleted_between_rows_and_listing_is_not_missing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put(home).file
    listing = home.blobs.listing

    def deleted_first(prefix: str = "") -> object:
        if file.sha256.startswith(prefix) and home.blobs.exists(file.sha256):
            with home.catalog._writer.begin() as connection:
                connection.execute(text("DELETE FROM files"))
            home.blobs.remove(file.sha256)
        return listing(prefix)

    monkeypatch.setattr(home.blobs, "listing", deleted_first)
    assert found(home) == []
