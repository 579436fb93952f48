"""Backups taken while others write, and homes made of them."""

from __future__ import annotations

import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.wheelhouse.ingest_support import LINUX, NAME, put, sdist_bytes, wheel_bytes

from cpufit_wheelhouse.catalog import NewHeld
from cpufit_wheelhouse.errors import DigestMismatch, StoreError
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.upkeep.backup import Backup
from cpufit_wheelhouse.upkeep.copies import MANIFEST, NotABackup
from cpufit_wheelhouse.upkeep.restoring import restore
from cpufit_wheelhouse.upkeep.verification import Verification


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        put(opened, declared="x86_64_v3")
        put(opened, sdist_bytes(), "demo-1.0.tar.gz")
        yield opened


def hold(home: Home, data: bytes = b"held bytes") -> str:
    """Hold a file as an upload that waits does."""
    sha256 = home.blobs.put_bytes(data)
    (home.path / "held").mkdir(exist_ok=True)
    home.blobs.path(sha256).rename(home.path / "held" / sha256)
    new = NewHeld(project="demo", filename=NAME, sha256=sha256, size=len(data), declared=None, provenance={})
    home.catalog.inspections.hold(new)
    return sha256


def delete(home: Home, filename: str) -> None:
    """Delete a file, row first, as nobody does while a reader is to find it."""
    (file,) = (one for one in home.catalog.files("demo") if one.filename == filename)
    with home.catalog._writer.begin() as connection:
        connection.execute(text("DELETE FROM derived WHERE file_id = :id"), {"id": file.id})
        connection.execute(text("DELETE FROM files WHERE id = :id"), {"id": file.id})
    home.blobs.remove(file.sha256)


def same(one: Home, other: Home) -> bool:
    """Tell whether two homes have the same projects, and the second all bytes of them."""
    return one.catalog.snapshot("demo") == other.catalog.snapshot("demo") and not list(
        Verification(home=other).findings()
    )


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_a_backup_becomes_a_home_with_all_that_was_there(home: Home, tmp_path: Path, name: str) -> None:
    sha256 = hold(home)
    done = Backup(home=home, target=tmp_path / name).run()
    assert (done.files, done.added, done.lost) == (6, 6, ())
    restored = restore(tmp_path / name, tmp_path / "new")
    assert (restored.files, restored.size, restored.lost) == (6, done.size, ())
    with open_home(tmp_path / "new") as new:
        assert same(home, new)
        assert (new.path / "held" / sha256).read_bytes() == b"held bytes"
        assert [held.state for held in new.catalog.inspections.held()] == ["waiting"]


@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_what_is_deleted_when_it_is_in_the_copy_is_counted(home: Home, tmp_path: Path, name: str) -> None:
    brought: list[int] = []

    def advance(size: int) -> None:
        brought.append(size)
        if len(brought) == 5:  # the last one
            delete(home, "demo-1.0.tar.gz")

    done = Backup(home=home, target=tmp_path / name).run(advance)
    assert (done.files, done.lost) == (5, ())
    restored = restore(tmp_path / name, tmp_path / "new")
    assert (restored.files, restored.size, restored.lost) == (5, done.size, ())
    assert (restored.manifest.files, restored.manifest.size) == (5, done.size)


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
@pytest.mark.parametrize("name", ["copy", "copy.tar"])
def test_nobody_else_reads_a_backup(home: Home, tmp_path: Path, name: str) -> None:
    Backup(home=home, target=tmp_path / name).run()
    assert (tmp_path / name).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("link", [True, False])
def test_files_are_linked_where_that_is_wanted(home: Home, tmp_path: Path, link: bool) -> None:
    Backup(home=home, target=tmp_path / "copy", link=link).run()
    file = home.catalog.files("demo")[0]
    assert (home.blobs.path(file.sha256).stat().st_nlink == 2) is link


class TestAnOlderBackupInTheFolder:
    def test_is_brought_up_to_date(self, home: Home, tmp_path: Path) -> None:
        target = tmp_path / "copy"
        Backup(home=home, target=target).run()
        before = set(target.rglob("*"))
        put(home, filename=f"demo-2.0-cp311-abi3-{LINUX}.whl")
        delete(home, "demo-1.0.tar.gz")
        done = Backup(home=home, target=target).run()
        assert done.added == 2  # the wheel and its metadata
        assert len(list(target.glob("catalog-*"))) == 1
        assert before - set(target.rglob("*"))  # what was deleted went
        restore(target, tmp_path / "new")
        with open_home(tmp_path / "new") as new:
            assert same(home, new)

    def test_stays_what_it_was_until_the_newer_one_is_whole(
        self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = tmp_path / "copy"
        Backup(home=home, target=target).run()
        put(home, filename=f"demo-2.0-cp311-abi3-{LINUX}.whl")

        def killed(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("cpufit_wheelhouse.upkeep.copies.Manifest.as_json", killed)
            with pytest.raises(KeyboardInterrupt):
                Backup(home=home, target=target).run()
        restore(target, tmp_path / "old")
        with open_home(tmp_path / "old") as old:
            assert {file.version for file in old.catalog.files("demo")} == {"1.0"}
            assert list(Verification(home=old).findings()) == []
        assert Backup(home=home, target=target).run().lost == ()

    def test_is_mended_where_it_was_damaged(self, home: Home, tmp_path: Path) -> None:
        target = tmp_path / "copy"
        Backup(home=home, target=target, link=False).run()
        file = home.catalog.files("demo")[0]
        (copied,) = target.rglob(file.sha256)
        copied.write_bytes(bytes(file.size))
        assert Backup(home=home, target=target, link=False).run().lost == ()
        assert copied.read_bytes() == home.blobs.path(file.sha256).read_bytes()


class TestWhileOthersWrite:
    def test_every_row_of_the_copy_has_its_bytes(self, home: Home, tmp_path: Path) -> None:
        stop = threading.Event()

        def write() -> None:
            with open_home(home.path, sweep=False) as own:
                number = 0
                while not stop.is_set():
                    number += 1
                    filename = f"demo-2.{number}-cp311-abi3-{LINUX}.whl"
                    put(own, filename=filename, declared="x86_64_v3")
                    if number % 3 == 0:
                        delete(own, filename)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(4):
                assert Backup(home=home, target=tmp_path / "copy").run().lost == ()
                restored = restore(tmp_path / "copy", tmp_path / f"new{number}")
                assert restored.lost == ()
                with open_home(tmp_path / f"new{number}") as new:
                    assert [one for one in Verification(home=new).findings() if not one.harmless] == []
        finally:
            stop.set()
            writer.join()

    def test_what_is_deleted_after_the_catalog_was_copied_is_not_missed(
        self, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy_to = home.catalog.copy_to
        rounds: list[Path] = []

        def and_delete(target: Path) -> None:
            copy_to(target)
            rounds.append(target)
            if len(rounds) == 1:
                delete(home, "demo-1.0.tar.gz")

        monkeypatch.setattr(home.catalog, "copy_to", and_delete)
        assert Backup(home=home, target=tmp_path / "copy").run().lost == ()
        assert len(rounds) == 2
        restore(tmp_path / "copy", tmp_path / "new")
        with open_home(tmp_path / "new") as new:
            assert same(home, new)


class TestALoss:
    def test_in_the_store_is_told_and_the_rest_is_backed_up(self, home: Home, tmp_path: Path) -> None:
        wheel, sdist = home.catalog.files("demo")
        home.blobs.path(wheel.sha256).unlink()
        home.blobs.path(sdist.sha256).write_bytes(bytes(sdist.size))
        done = Backup(home=home, target=tmp_path / "copy").run()
        assert {name.rpartition("/")[2] for name in done.lost} == {wheel.sha256, sdist.sha256}
        restored = restore(tmp_path / "copy", tmp_path / "new")
        assert set(restored.lost) == set(done.lost)

    def test_of_the_copys_catalog_is_refused(self, home: Home, tmp_path: Path) -> None:
        Backup(home=home, target=tmp_path / "copy").run()
        (catalog,) = (tmp_path / "copy").glob("catalog-*")
        catalog.write_bytes(catalog.read_bytes()[:-1] + b"?")
        with pytest.raises(DigestMismatch, match="catalog of the backup"):
            restore(tmp_path / "copy", tmp_path / "new")
        assert not (tmp_path / "new" / "catalog.sqlite3").exists()


class TestWhatIsRefused:
    def test_a_home_that_is_not_empty(self, home: Home, tmp_path: Path) -> None:
        Backup(home=home, target=tmp_path / "copy").run()
        with pytest.raises(StoreError) as caught:
            restore(tmp_path / "copy", home.path)
        assert caught.value.code == "home-not-empty"

    def test_a_target_with_something_else(self, home: Home) -> None:
        with pytest.raises(NotABackup):
            Backup(home=home, target=home.path).run()
        assert len(home.catalog.files("demo")) == 2

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda _: None,
            lambda _: b"{",
            lambda manifest: json.dumps({**json.loads(manifest), "format": 2}).encode(),
            lambda manifest: json.dumps({**json.loads(manifest), "catalog": "../elsewhere"}).encode(),
        ],
    )
    def test_a_folder_without_a_manifest_that_can_be_read(
        self, home: Home, tmp_path: Path, spoil: Callable[[bytes], bytes | None]
    ) -> None:
        Backup(home=home, target=tmp_path / "copy").run()
        manifest = tmp_path / "copy" / MANIFEST
        spoilt = spoil(manifest.read_bytes())
        manifest.unlink()
        if spoilt is not None:
            manifest.write_bytes(spoilt)
        with pytest.raises(NotABackup):
            restore(tmp_path / "copy", tmp_path / "new")
        assert not (tmp_path / "new").exists()

    def test_what_is_no_tar(self, tmp_path: Path) -> None:
        (tmp_path / "copy.tar").write_bytes(b"no tar at all")
        with pytest.raises(NotABackup):
            restore(tmp_path / "copy.tar", tmp_path / "new")


def test_a_tar_appears_when_it_is_whole(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cpufit_wheelhouse.upkeep.copies.Manifest.as_json", killed)
    with pytest.raises(KeyboardInterrupt):
        Backup(home=home, target=tmp_path / "copy.tar").run()
    assert not list(tmp_path.glob("copy*"))


def test_names_in_a_tar_lead_nowhere_else(home: Home, tmp_path: Path) -> None:
    Backup(home=home, target=tmp_path / "copy.tar").run()
    with tarfile.open(tmp_path / "copy.tar") as tar:
        names = tar.getnames()
    assert names[-1] == MANIFEST
    with tarfile.open(tmp_path / "evil.tar", "w") as evil, tarfile.open(tmp_path / "copy.tar") as tar:
        for member in tar:
            evil.addfile(member, tar.extractfile(member))
        (tmp_path / "x").write_bytes(b"x")
        evil.add(tmp_path / "x", "../../outside")
    restore(tmp_path / "evil.tar", tmp_path / "a" / "new")
    assert not (tmp_path / "outside").exists()


def test_a_wheel_that_came_twice_is_one_file_of_the_copy(home: Home, tmp_path: Path) -> None:
    put(home, wheel_bytes(), as_project="other")
    with home.catalog._writer.begin() as connection:
        connection.execute(text("UPDATE files SET metadata_sha256 = (SELECT metadata_sha256 FROM files LIMIT 1)"))
    done = Backup(home=home, target=tmp_path / "copy").run()
    assert replace(done, size=0, files=0).added == done.files
