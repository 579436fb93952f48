from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from cpufit_wheelhouse.errors import NotAWheel
from cpufit_wheelhouse.framing import LOCAL, data_ranges, find_directory
from cpufit_wheelhouse.rewrite import Changes, _Entry, _Writer, rewrite_zip


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("old/", "")
        script = zipfile.ZipInfo("old/script", (2026, 11, 22, 23, 59, 58))
        script.external_attr = (stat.S_IFREG | 0o755) << 16
        script.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(script, b"#!python\n" * 500)
        archive.writestr("old/RECORD", "first")
        archive.writestr("old/gone", "x")
        archive.writestr("old/née.txt", "utf-8")
        archive.writestr("old/changed", "before")
    return path


def rewritten(source: Path, changes: Changes) -> bytes:
    target = io.BytesIO()
    rewrite_zip(source, target, changes)
    return target.getvalue()


CHANGES = Changes(
    contents={"new/changed": b"after", "new/added": b"1", "new/aaa": b"2", "new/RECORD": b"last"},
    last="new/RECORD",
    rename=lambda name: name.replace("old/", "new/", 1),
    dropped=frozenset({"old/gone"}),
)


def raw_bytes(path: Path, name: str) -> bytes:
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        directory = find_directory(file, max_members=100_000, max_bytes=1 << 30)
        for info, begin in data_ranges(file, archive.infolist(), directory):
            if info.filename == name:
                file.seek(begin)
                return file.read(info.compress_size)
    raise AssertionError(name)


def test_members_are_renamed_replaced_dropped_and_added_in_order(source: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(rewritten(source, CHANGES))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "new/", "new/script", "new/née.txt", "new/changed", "new/aaa", "new/added", "new/RECORD",
        ]  # fmt: skip
        assert archive.read("new/changed") == b"after"
        assert archive.read("new/née.txt") == b"utf-8"
        assert archive.read("new/RECORD") == b"last"


def test_kept_members_keep_their_compressed_bytes_time_and_mode(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.zip"
    copy.write_bytes(rewritten(source, CHANGES))
    assert raw_bytes(copy, "new/script") == raw_bytes(source, "old/script")
    with zipfile.ZipFile(copy) as archive:
        info = archive.getinfo("new/script")
        assert info.date_time == (2026, 11, 22, 23, 59, 58)
        assert info.external_attr >> 16 == stat.S_IFREG | 0o755
        new = archive.getinfo("new/added")
        assert (new.date_time, new.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), stat.S_IFREG | 0o644)
        assert new.compress_type == zipfile.ZIP_STORED


def test_the_same_source_and_changes_give_the_same_bytes(source: Path) -> None:
    assert rewritten(source, CHANGES) == rewritten(source, CHANGES)


def test_a_copy_without_changes_is_copied_to_the_same_bytes_again(source: Path, tmp_path: Path) -> None:
    keep = Changes(contents={"old/RECORD": b"first"}, last="old/RECORD")
    first = rewritten(source, keep)
    (tmp_path / "first.zip").write_bytes(first)
    assert rewritten(tmp_path / "first.zip", keep) == first


def test_sizes_behind_a_member_are_put_into_its_header(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"1234" * 100)
    path = tmp_path / "x.zip"
    path.write_bytes(pipe.getvalue())
    copy = rewritten(path, Changes(contents={"RECORD": b""}, last="RECORD"))
    header = LOCAL.unpack_from(copy)
    assert (header[2], header[8]) == (0, 400)
    with zipfile.ZipFile(io.BytesIO(copy)) as archive:
        assert archive.read("a") == b"1234" * 100


def test_more_members_than_16_bits_can_count_make_a_zip64(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(0x10000):
            archive.writestr(str(number), b"")
    target = tmp_path / "copy.zip"
    with target.open("wb") as file:
        rewrite_zip(path, file, Changes(contents={"RECORD": b"r"}, last="RECORD"))
    with target.open("rb") as file:
        assert find_directory(file, max_members=1 << 20, max_bytes=1 << 30).count == 0x10001
    with zipfile.ZipFile(target) as archive:
        assert len(archive.namelist()) == 0x10001
        assert archive.read("RECORD") == b"r"


def sparse_source(path: Path, size: int) -> None:
    """Write a zip with one stored member of zeros, whose checksum nobody asks for, and a small one behind it."""
    with path.open("wb") as file:
        extra = struct.pack("<2H2Q", 1, 16, size, size)
        local = LOCAL.pack(b"PK\x03\x04", 45, 0, 0, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, 5, len(extra))
        file.write(local + b"zeros" + extra)
        file.seek(size, io.SEEK_CUR)
        second = file.tell()
        file.write(LOCAL.pack(b"PK\x03\x04", 20, 0, 0, 0, 33, 0, 0, 0, 5, 0) + b"empty")
        start = file.tell()
        central = struct.Struct("<4s6H3L5H2L")
        big = (b"PK\x01\x02", 45, 45, 0, 0, 0, 33, 0, 0xFFFFFFFF, 0xFFFFFFFF, 5, len(extra), 0, 0, 0, 0, 0)
        offset = struct.pack("<2HQ", 1, 8, second)
        small = (b"PK\x01\x02", 45, 45, 0, 0, 0, 33, 0, 0, 0, 5, len(offset), 0, 0, 0, 0, 0xFFFFFFFF)
        file.write(central.pack(*big) + b"zeros" + extra + central.pack(*small) + b"empty" + offset)
        end = file.tell()
        file.write(struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2, 2, end - start, start))
        file.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1))
        file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 2, 2, end - start, 0xFFFFFFFF, 0))


def test_a_source_beyond_4_gib_is_understood(tmp_path: Path) -> None:
    path, size = tmp_path / "large.zip", (4 << 30) + 5
    sparse_source(path, size)
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        directory = find_directory(file, max_members=9, max_bytes=1 << 20)
        found = [(info.filename, begin) for info, begin in data_ranges(file, archive.infolist(), directory)]
    assert found == [("zeros", 55), ("empty", 55 + size + 35)]


def test_a_member_beyond_4_gib_and_those_behind_it_are_found_again(tmp_path: Path) -> None:
    # as rewrite_zip writes them, but for the zeros themselves: the file system fills the hole
    path, size = tmp_path / "large.zip", (4 << 30) + 5
    large = _Entry(
        name=b"zeros", flags=0, method=0, date_time=(1980, 1, 1, 0, 0, 0), crc=0, packed=size, size=size,
        create_system=3, external=0,
    )  # fmt: skip
    with path.open("wb") as target:
        writer = _Writer(target)
        writer._begin(large)
        target.seek(size, io.SEEK_CUR)
        writer._position += size
        writer.add("RECORD", b"r")
        writer.finish()
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        assert [(info.filename, info.file_size) for info in archive.infolist()] == [("zeros", size), ("RECORD", 1)]
        assert archive.getinfo("RECORD").header_offset > size
        assert archive.read("RECORD") == b"r"
        directory = find_directory(file, max_members=9, max_bytes=1 << 20)
        assert len(list(data_ranges(file, archive.infolist(), directory))) == 2


def test_a_source_that_contradicts_itself_is_refused(source: Path) -> None:
    data = source.read_bytes()
    source.write_bytes(data.replace(b"old/gone", b"old/here", 1))
    with pytest.raises(NotAWheel, match="another name"):
        rewritten(source, CHANGES)
