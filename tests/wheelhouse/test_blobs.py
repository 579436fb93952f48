"""Blobs: staged, hashed, committed whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from cpufit_wheelhouse.blobs import BlobStore
from cpufit_wheelhouse.errors import NoSuchFile


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


def test_bytes_come_out_as_they_went_in(blobs: BlobStore) -> None:
    with blobs.stage() as staged:
        assert staged.write(b"one ") == 4
        staged.write(memoryview(b"two"))
        sha256 = blobs.commit(staged)
    assert sha256 == hashlib.sha256(b"one two").hexdigest()
    with blobs.open(sha256) as stream:
        assert stream.read() == b"one two"


def test_a_blob_lies_under_its_digest(blobs: BlobStore, tmp_path: Path) -> None:
    sha256 = blobs.put_bytes(b"x")
    assert files_below(tmp_path) == [tmp_path / "blobs" / sha256[:2] / sha256[2:4] / sha256]
    assert blobs.path(sha256) == files_below(tmp_path)[0]


def test_the_three_digests_of_the_upload_form_are_known_before_the_commit(blobs: BlobStore) -> None:
    data = os.urandom(100_000)
    with blobs.stage() as staged:
        for start in range(0, len(data), 999):
            staged.write(data[start : start + 999])
        assert staged.size == staged.tell() == len(data)
        assert staged.digests.sha256 == hashlib.sha256(data).hexdigest()
        assert staged.digests.blake2b == hashlib.blake2b(data, digest_size=32).hexdigest()
        assert staged.digests.md5 == hashlib.md5(data).hexdigest()


def test_what_was_flushed_can_be_read_at_the_staging_path(blobs: BlobStore) -> None:
    with blobs.stage() as staged:
        staged.write(b"abc")
        staged.flush()
        assert staged.path.read_bytes() == b"abc"


def test_nothing_is_left_when_the_block_ends_without_a_commit(blobs: BlobStore, tmp_path: Path) -> None:
    def refused() -> None:
        with blobs.stage() as staged:
            staged.write(b"abc")
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        refused()
    assert files_below(tmp_path) == []


def test_a_sealed_file_takes_no_more(blobs: BlobStore) -> None:
    with blobs.stage() as staged:
        staged.write(b"abc")
        staged.seal()
        staged.seal()
        with pytest.raises(ValueError, match="closed"):
            staged.write(b"d")
        assert staged.path.read_bytes() == b"abc"


def test_the_same_bytes_twice_are_one_blob_whose_date_is_renewed(blobs: BlobStore, tmp_path: Path) -> None:
    first = blobs.path(blobs.put_bytes(b"same")).stat()
    second = blobs.path(blobs.put_bytes(b"same")).stat()
    assert first.st_ino == second.st_ino
    assert second.st_mtime_ns > first.st_mtime_ns
    assert len(files_below(tmp_path)) == 1


def test_a_blob_that_was_cut_short_is_replaced(blobs: BlobStore) -> None:
    sha256 = blobs.put_bytes(b"whole")
    blobs.path(sha256).write_bytes(b"who")
    assert blobs.put_bytes(b"whole") == sha256
    assert blobs.path(sha256).read_bytes() == b"whole"


def test_many_threads_may_commit_the_same_bytes_at_once(blobs: BlobStore, tmp_path: Path) -> None:
    data = os.urandom(200_000)
    gate = threading.Barrier(8)
    results: list[str] = []

    def put() -> None:
        gate.wait()
        results.append(blobs.put_bytes(data))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [hashlib.sha256(data).hexdigest()] * 8
    assert [path.read_bytes() for path in files_below(tmp_path)] == [data]


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n", "0" * 64])
def test_what_is_no_digest_or_is_not_here_is_not_found(blobs: BlobStore, name: str) -> None:
    assert not blobs.exists(name)
    with pytest.raises(NoSuchFile):
        blobs.open(name)


def test_a_sweep_takes_what_a_dead_process_left_and_leaves_what_is_being_written(
    blobs: BlobStore, tmp_path: Path
) -> None:
    left = tmp_path / "staging" / "left"
    left.write_bytes(b"half")
    os.utime(left, (0, 0))
    with blobs.stage() as staged:
        staged.write(b"abc")
        assert blobs.sweep() == 1
        assert files_below(tmp_path) == [staged.path]
        assert blobs.sweep(timedelta(hours=-1)) == 1


def test_a_folder_that_is_on_the_disk_is_not_waited_for_again(blobs: BlobStore, tmp_path: Path) -> None:
    with blobs.stage() as first, blobs.stage() as second, blobs.stage() as third:
        for staged in (first, second, third):
            staged.write(b"the same bytes")
        sha256 = first.digests.sha256
        outer = tmp_path / "blobs" / sha256[:2]
        assert blobs.move(first) == (outer / sha256[2:4], outer, tmp_path / "blobs")
        blobs.make_ready(second)
        assert blobs.move(second) == (outer / sha256[2:4],)
        shutil.rmtree(outer)
        assert blobs.move(third) == (outer / sha256[2:4], outer, tmp_path / "blobs")
    assert blobs.exists(sha256)


def test_made_ready_is_not_there_yet(blobs: BlobStore) -> None:
    with blobs.stage() as staged:
        staged.write(b"x")
        blobs.make_ready(staged)
        assert not blobs.exists(staged.digests.sha256)
        with pytest.raises(ValueError, match="closed"):
            staged.write(b"y")
        assert blobs.exists(blobs.commit(staged))
