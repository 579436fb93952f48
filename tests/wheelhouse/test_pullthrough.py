from __future__ import annotations

import dataclasses
import errno
import hashlib
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from cpufit_wheelhouse.errors import DigestMismatch, WheelError, WheelTooLarge
from cpufit_wheelhouse.pullthrough import FileCache, PageCache, StoredPage
from cpufit_wheelhouse.pullthrough.metadata import Range, metadata_of_file, read_metadata
from cpufit_wheelhouse.pullthrough.pages import pack

PAGE_VERSION, PACKED = pack(b"<a href='x'>x</a>")
PAGE = StoredPage(
    url="https://index.example/simple/a/",
    content_type="text/html",
    etag='"1"',
    last_modified=None,
    validated_at=1000.0,
    lifetime=60.0,
    version=PAGE_VERSION,
    packed=PACKED,
)


def age(cache: FileCache, sha256: str, seconds: int) -> None:
    """Let a file have been used that long ago."""
    os.utime(cache.path(sha256), (1_700_000_000 - seconds,) * 2)


def kept(root: Path) -> list[Path]:
    return [path for path in (root / "kept").rglob("*") if path.is_file()]


class TestFiles:
    def test_what_was_used_longest_ago_makes_room(self, tmp_path: Path) -> None:
        cache = FileCache(tmp_path, 3000)
        first, second, third = (cache.put(letter * 1000) for letter in (b"a", b"b", b"c"))
        for number, sha256 in enumerate((first, second, third)):
            age(cache, sha256, 100 - number)
        reading = cache.open(first)  # a use: the second is the oldest now
        assert reading is not None
        reading.close()
        fourth = cache.put(b"d" * 1000)
        assert [cache.has(sha256) for sha256 in (first, second, third, fourth)] == [True, False, False, True]

    def test_a_file_that_is_being_read_stays_and_goes_afterwards(self, tmp_path: Path) -> None:
        cache = FileCache(tmp_path, 1500)
        first = cache.put(b"a" * 1000)
        reading = cache.open(first)
        assert reading is not None
        age(cache, first, 100)
        cache.put(b"b" * 1000)
        assert cache.has(first)
        assert reading.read_at(10, 5) == b"aaaaa"
        reading.close()
        reading.close()
        age(cache, first, 100)
        assert cache.evict() == 1
        assert not cache.has(first)

    def test_a_file_larger_than_the_quota_is_not_kept(self, tmp_path: Path) -> None:
        cache = FileCache(tmp_path, 100)
        assert not cache.has(cache.put(b"a" * 1000))

    def test_what_is_kept_makes_room_on_a_disk_that_is_smaller_than_the_quota(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cache = FileCache(tmp_path, 1 << 20)
        kept_ones = [cache.put(letter * 1000) for letter in (b"a", b"b", b"c")]
        for number, sha256 in enumerate(kept_ones):
            age(cache, sha256, 100 - number)

        def disk_of_3500(_: Path) -> SimpleNamespace:
            return SimpleNamespace(free=3500 - sum(path.stat().st_size for path in kept(tmp_path)))

        monkeypatch.setattr("shutil.disk_usage", disk_of_3500)
        with pytest.raises(OSError, match="No space left"):
            cache.make_room(4000)
        assert len(kept(tmp_path)) == 3  # all of it would not have been enough
        cache.make_room(2000)
        assert [cache.has(sha256) for sha256 in kept_ones] == [False, False, True]

    def test_the_quota_counts_what_an_earlier_process_left(self, tmp_path: Path) -> None:
        old = FileCache(tmp_path, 1 << 20)
        left = old.put(b"a" * 1000)
        age(old, left, 100)
        cache = FileCache(tmp_path, 1500)
        cache.put(b"b" * 1000)
        assert not cache.has(left)

    def test_a_spool_is_read_while_it_grows_and_after_it_is_kept(self, tmp_path: Path) -> None:
        cache = FileCache(tmp_path, 1 << 20)
        spool = cache.stage(hashlib.sha256(b"onetwo").hexdigest())
        spool.write(b"one")
        reading = spool.open()
        assert reading.read_at(0, 100) == b"one"
        spool.write(b"two")
        spool.keep()
        assert reading.read_at(1, 100) == b"netwo"
        reading.close()
        assert cache.read(spool.sha256) == b"onetwo"
        spool.discard()
        assert cache.has(spool.sha256)

    def test_whoever_joins_when_it_just_went_into_the_cache_reads_it_there(self, tmp_path: Path) -> None:
        cache = FileCache(tmp_path, 1 << 20)
        spool = cache.stage(hashlib.sha256(b"one").hexdigest())
        spool.write(b"one")
        spool.keep()
        reading = spool.open()
        assert reading.read_at(0, 100) == b"one"
        reading.close()

    def test_one_that_was_discarded_is_not_opened(self, tmp_path: Path) -> None:
        spool = FileCache(tmp_path, 1 << 20).stage("0" * 64)
        spool.discard()
        with pytest.raises(FileNotFoundError):
            spool.open()

    def test_one_that_a_read_only_disk_keeps_is_discarded_and_swept_when_that_can_be_done(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refused(path: Path, *, missing_ok: bool = False) -> None:
            raise OSError(errno.EROFS, "Read-only file system", str(path))

        spool = FileCache(tmp_path, 1 << 20).stage("0" * 64)
        (left,) = (tmp_path / "staging").iterdir()
        os.utime(left, (0, 0))
        with monkeypatch.context() as read_only:
            read_only.setattr(Path, "unlink", refused)
            spool.discard()
            FileCache(tmp_path, 1 << 20)
        assert left.exists()
        FileCache(tmp_path, 1 << 20)
        assert not left.exists()

    def test_wrong_bytes_are_never_kept(self, tmp_path: Path) -> None:
        cache = FileCache(tmp_path, 1 << 20)
        spool = cache.stage("0" * 64)
        spool.write(b"x")
        with pytest.raises(DigestMismatch):
            spool.keep()
        spool.discard()
        assert kept(tmp_path) == []
        assert list((tmp_path / "staging").iterdir()) == []

    def test_what_a_killed_process_left_is_swept_after_an_hour(self, tmp_path: Path) -> None:
        spool = FileCache(tmp_path, 100).stage("0" * 64)
        (left,) = (tmp_path / "staging").iterdir()
        FileCache(tmp_path, 100)
        assert left.exists(), "another process may be writing it"
        os.utime(left, (0, 0))
        FileCache(tmp_path, 100)
        assert not left.exists()
        spool.discard()

    def test_many_threads_put_and_read_within_the_quota(self, tmp_path: Path) -> None:
        cache = FileCache(tmp_path, 20_000)
        wrong: list[str] = []

        def work(number: int) -> None:
            for turn in range(30):
                data = f"{number} {turn} ".encode() * 100
                sha256 = cache.put(data)
                found = cache.read(sha256)
                if found not in (None, data):
                    wrong.append(sha256)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert sum(path.stat().st_size for path in kept(tmp_path)) <= 20_000


class TestPages:
    def test_a_page_comes_back_with_its_validators_and_belongs_to_one_index(self, tmp_path: Path) -> None:
        PageCache(tmp_path, "https://index.example/simple", 1 << 20).put("a", PAGE)
        again = PageCache(tmp_path, "https://index.example/simple", 1 << 20)
        found = again.get("a")
        assert found == PAGE
        assert found.body == b"<a href='x'>x</a>"
        assert again.get("b") is None
        assert PageCache(tmp_path, "https://other.example/simple", 1 << 20).get("a") is None
        again.remove("a")
        assert again.get("a") is None

    @pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"\0" * len(data), lambda _: b"{}\n"])
    def test_a_torn_page_is_none(self, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
        pages = PageCache(tmp_path, "index", 1 << 20)
        pages.put("a", PAGE)
        (path,) = kept(tmp_path)
        path.write_bytes(damage(path.read_bytes()))
        assert pages.get("a") is None

    def test_pages_have_a_quota(self, tmp_path: Path) -> None:
        pages = PageCache(tmp_path, "index", 2000)
        noisy = dataclasses.replace(PAGE, packed=b"\0" * 900)
        for name in "abc":
            pages.put(name, noisy)
        assert sum(path.stat().st_size for path in kept(tmp_path)) <= 2000
        assert pages.get("c") == noisy

    @pytest.mark.parametrize(("now", "fresh"), [(1000.0, True), (1059.9, True), (1060.0, False), (999.0, False)])
    def test_a_page_is_fresh_for_its_lifetime(self, now: float, fresh: bool) -> None:
        assert PAGE.is_fresh(now) is fresh


class TestMetadata:
    def ranges(self, path: Path, max_bytes: int = 1 << 20) -> tuple[bytes, list[Range]]:
        data = path.read_bytes()
        reading = read_metadata(path.name, len(data), max_bytes=max_bytes)
        asked = [next(reading)]
        while True:
            part = data[asked[-1].start : asked[-1].stop]
            try:
                asked.append(reading.send(part))
            except StopIteration as end:
                return end.value, asked

    def test_a_small_wheel_takes_one_range(self, wheel_factory: Callable[..., Path]) -> None:
        path = wheel_factory()
        found, asked = self.ranges(path)
        assert found.startswith(b"Metadata-Version: 2.1\nName: small\n")
        assert len(asked) == 1
        assert metadata_of_file(path, path.name, max_bytes=1 << 20) == found

    def test_a_large_wheel_takes_few_ranges_and_little_of_it(self, wheel_factory: Callable[..., Path]) -> None:
        members = {f"small/m{number:05}.py": os.urandom(300) for number in range(5000)}
        head = ["Metadata-Version: 2.1", "Name: small", "Version: 1.0", f"Summary: {os.urandom(40_000).hex()}"]
        path = wheel_factory(members=members, metadata=head)
        found, asked = self.ranges(path)
        assert len(found) > 80_000
        assert len(asked) <= 4
        assert sum(one.stop - one.start for one in asked) < path.stat().st_size / 2

    def test_what_is_no_wheel_of_that_name_has_no_metadata(self, wheel_factory: Callable[..., Path]) -> None:
        data = wheel_factory().read_bytes()
        reading = read_metadata("other-1.0-py3-none-any.whl", len(data), max_bytes=1000)
        next(reading)
        with pytest.raises(WheelError):
            reading.send(data)

    def test_garbage_and_short_answers_end_it(self) -> None:
        for answer in (b"x" * 100, b"x"):
            reading = read_metadata("small-1.0-py3-none-any.whl", 100, max_bytes=1000)
            next(reading)
            with pytest.raises(WheelError):
                reading.send(answer)

    def test_a_metadata_beyond_the_limit_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "small-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("small-1.0.dist-info/METADATA", b"\0" * 100_000)
        with pytest.raises(WheelTooLarge):
            metadata_of_file(path, path.name, max_bytes=1000)
