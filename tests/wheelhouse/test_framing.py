from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.errors import NotAWheel, WheelTooLarge
from cpufit_wheelhouse.framing import data_ranges, extra_fields, find_directory, unpacked

Factory = Callable[..., Path]


def refused(path: Path, data: bytes, what: str) -> None:
    path.write_bytes(data)
    with pytest.raises(NotAWheel, match=what) as caught:
        open_wheel(path, path.name)
    assert caught.value.code == "not-a-wheel"


class Unseekable(io.RawIOBase):
    """Makes zipfile write sizes behind each member, as it must to a pipe."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # bytes are all that zipfile writes
        self.data += bytes(data)
        return len(data)


def rewritten_as_stream(path: Path, compression: int) -> bytes:
    target = Unseekable()
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", compression) as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    return target.data


@pytest.mark.parametrize("data", [b"", b"not a zip at all", b"PK\x05\x06", b"PK\x03\x04" + bytes(100)])
def test_what_is_no_zip_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path / "small-1.0-py3-none-any.whl", data, "not a zip")


def test_bytes_around_the_zip_are_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    data = path.read_bytes()
    refused(path, b"#!/bin/sh\n" + data, "does not end where it says")
    refused(path, data + b"more", "behind the zip's end")
    refused(path, data[:-5], "cut off|not a zip")


def test_a_comment_of_the_zip_is_allowed(wheel_factory: Factory) -> None:
    path = wheel_factory()
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"built at night"
    assert open_wheel(path, path.name).filename.version.public == "1.0"


def test_a_member_hidden_from_the_directory_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    data = path.read_bytes()
    hidden = io.BytesIO()
    with zipfile.ZipFile(hidden, "w") as archive:
        archive.writestr("small/evil.py", "x")
    local = hidden.getvalue()[: hidden.getvalue().index(b"PK\x01\x02")]
    at = data.index(b"PK\x01\x02")
    end = len(data) - 22
    offset = struct.unpack_from("<L", data, end + 16)[0] + len(local)
    moved = data[:at] + local + data[at:end] + data[end : end + 16] + struct.pack("<L", offset) + data[end + 20 :]
    refused(path, moved, "between the last member")


@pytest.mark.parametrize(
    ("at", "value", "what"),
    [
        (30, b"S", "another name"),  # the first letter of the name
        (8, b"\0", "another method"),
        (7, b"\x08", "other flags"),
        (14, b"\xff", "another size or checksum"),
        (18, b"\xff", "another size or checksum"),
        (0, b"X", "no local header"),
    ],
)
def test_a_local_header_that_says_something_else_is_refused(
    wheel_factory: Factory, at: int, value: bytes, what: str
) -> None:
    path = wheel_factory()
    data = path.read_bytes()
    refused(path, data[:at] + value + data[at + 1 :], what)


def test_sizes_behind_a_deflated_member_are_checked(wheel_factory: Factory) -> None:
    path = wheel_factory()
    data = rewritten_as_stream(path, zipfile.ZIP_DEFLATED)
    assert b"PK\x07\x08" in data
    path.write_bytes(data)
    assert open_wheel(path, path.name).native == ()
    at = data.index(b"PK\x07\x08") + 4
    refused(path, data[:at] + b"\xff\xff" + data[at + 2 :], "data descriptor")


def test_sizes_behind_a_stored_member_are_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    refused(path, rewritten_as_stream(path, zipfile.ZIP_STORED), "size stands behind")


def test_a_second_name_in_an_extra_field_is_refused(wheel_factory: Factory) -> None:
    info = zipfile.ZipInfo("small/plain.py")
    value = struct.pack("<BL", 1, zlib.crc32(b"small/plain.py")) + b"small/evil.py"
    info.extra = struct.pack("<2H", 0x7075, len(value)) + value
    path = wheel_factory(entries=[(info, b"x")])
    with pytest.raises(NotAWheel, match="second name"):
        open_wheel(path, path.name)


def test_other_extra_fields_do_not_matter(wheel_factory: Factory) -> None:
    info = zipfile.ZipInfo("small/plain.py")
    info.extra = struct.pack("<2HL", 0x5455, 4, 1)
    path = wheel_factory(entries=[(info, b"x")])
    assert "small/plain.py" in open_wheel(path, path.name).members


def test_extra_fields_are_told_apart() -> None:
    extra = struct.pack("<2H", 1, 2) + b"ab" + struct.pack("<2H", 7, 0) + b"xy"
    assert list(extra_fields(extra)) == [(1, b"ab"), (7, b"")]
    with pytest.raises(NotAWheel, match="cut off"):
        list(extra_fields(struct.pack("<2H", 1, 9) + b"ab"))


def test_a_zip64_member_is_read_as_any_other(wheel_factory: Factory) -> None:
    path = wheel_factory()
    with zipfile.ZipFile(path) as source:
        contents = {name: source.read(name) for name in source.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(data)
    assert open_wheel(path, path.name).members == tuple(contents)


def test_a_directory_beyond_the_limits_is_never_read(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    # says: 60,000 members in a directory of 4 GB; there is none of it
    path.write_bytes(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 60000, 60000, 0xFFFFFFF0, 0, 0))
    with path.open("rb") as file, pytest.raises(WheelTooLarge, match="60000 members"):
        find_directory(file, max_members=100_000, max_bytes=1 << 20)


def test_a_zip_in_several_parts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(struct.pack("<4s4H2LH", b"PK\x05\x06", 1, 0, 0, 0, 0, 0, 0))
    with path.open("rb") as file, pytest.raises(NotAWheel, match="several parts"):
        find_directory(file, max_members=10, max_bytes=1 << 20)


def test_a_zip64_end_that_is_elsewhere_or_broken_is_refused(tmp_path: Path) -> None:
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 0, 0, 0, 0)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path = tmp_path / "x.zip"

    def read(data: bytes) -> int:
        path.write_bytes(data)
        with path.open("rb") as file:
            return find_directory(file, max_members=10, max_bytes=1 << 20).count

    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    assert read(end64 + locator + end) == 0
    with pytest.raises(NotAWheel, match="not where its locator says"):
        read(b"x" + end64 + locator + end)
    with pytest.raises(NotAWheel, match="cannot be read"):
        read(b"X" + end64[1:] + locator + end)


def ends_of(path: Path) -> tuple[bytes, tuple[int, ...]]:
    data = path.read_bytes()
    return data[:-22], struct.unpack("<4s4H2LH", data[-22:])[1:]


def test_an_end_that_counts_fewer_members_than_there_are_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    body, (_, _, here, count, size, offset, _) = ends_of(path)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, here - 1, count - 1, size, offset, 0)
    refused(path, body + end, f"has {count} members, its end says {count - 1}")


def test_two_end_records_that_differ_are_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    body, (_, _, here, count, size, offset, _) = ends_of(path)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, here, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 1)

    def ending(*numbers: int) -> bytes:
        return body + end64 + locator + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *numbers, 0)

    for numbers in ((here, count, size, offset), (0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)):
        path.write_bytes(ending(*numbers))
        assert len(open_wheel(path, path.name).members) == count
    refused(path, ending(1, 1, size - 50, offset + 50), "two end records")


@pytest.mark.parametrize("described", [False, True])
def test_bytes_behind_a_deflate_stream_are_refused(wheel_factory: Factory, *, described: bool) -> None:
    path = wheel_factory()

    def built(behind: bytes) -> bytes:
        # a reader of the stream finds the next member where the first one's deflate stream ends
        out, directory, flags = b"", b"", 8 if described else 0
        with zipfile.ZipFile(path) as source:
            contents = {name.encode(): source.read(name) for name in source.namelist()}
        for name, data in contents.items():
            deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = deflate.compress(data) + deflate.flush() + (b"" if out else behind)
            sizes = struct.pack("<3L", zlib.crc32(data), len(packed), len(data))
            local = bytes(12) if described else sizes
            directory += struct.pack("<4s6H", b"PK\x01\x02", 20, 20, flags, 8, 0, 33) + sizes
            directory += struct.pack("<5H2L", len(name), 0, 0, 0, 0, 0, len(out)) + name
            out += struct.pack("<4s5H", b"PK\x03\x04", 20, flags, 8, 0, 33) + local
            out += struct.pack("<2H", len(name), 0) + name + packed + (b"PK\x07\x08" + sizes if described else b"")
        count = len(contents)
        return out + directory + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(out), 0)

    clean, dirty = built(b""), built(b"PK\x03\x04 and a member of its own")
    path.write_bytes(clean)
    assert open_wheel(path, path.name).native == ()
    refused(path, dirty, "behind the end of a deflate stream")


def test_a_deflate_stream_that_is_cut_off_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(members={"small/data.py": bytes(range(256)) * 40})
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        info = archive.getinfo("small/data.py")
        begin = 30 + len(info.filename)
        assert b"".join(unpacked(file, info, begin)) == bytes(range(256)) * 40
        info.compress_size -= 3
        with pytest.raises(NotAWheel, match="cut off"):
            list(unpacked(file, info, begin))


def test_a_member_that_unpacks_to_more_than_it_says_is_stopped_there(wheel_factory: Factory) -> None:
    path = wheel_factory(members={"small/zeros": bytes(10 << 20)})
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        info = archive.getinfo("small/zeros")
        info.file_size = 1 << 20
        begin, seen = 30 + len(info.filename), 0
        with pytest.raises(NotAWheel, match="unpacks to more bytes, its header says 1048576"):  # noqa: PT012  # counts
            for piece in unpacked(file, info, begin):
                seen += len(piece)
        assert seen <= 1 << 20


def with_central(data: bytes, at: int, value: bytes) -> bytes:
    """Return a zip with other bytes in the first entry of its directory."""
    start = data.index(b"PK\x01\x02") + at
    return data[:start] + value + data[start + len(value) :]


def test_what_the_directory_alone_says_of_a_member_is_checked(wheel_factory: Factory) -> None:
    path = wheel_factory()
    data = path.read_bytes()
    refused(path, with_central(data, 34, b"\1\0"), "another disk")
    local = data[:6] + b"\x10\0" + data[8:]
    refused(path, with_central(local, 8, b"\x10\0"), "unknown flags 0x0010")
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("small.py")
        info.comment = b"hidden"
        archive.writestr(info, "")
    refused(path, path.read_bytes(), "a comment on a member")


ZIP64 = struct.Struct("<2H2Q")


@pytest.mark.parametrize(
    ("sizes", "extra"),
    [
        # the sizes stand in the header and in the field
        ((1, 1), ZIP64.pack(1, 16, 1, 1)),
        ((1, 1), ZIP64.pack(1, 16, 2, 2)),
        ((1, 0xFFFFFFFF), ZIP64.pack(1, 16, 1, 1)),
        # half a field, a field and a half, two fields
        ((0xFFFFFFFF, 0xFFFFFFFF), struct.pack("<2HQ", 1, 8, 1)),
        ((0xFFFFFFFF, 0xFFFFFFFF), struct.pack("<2H3Q", 1, 24, 1, 1, 0)),
        ((0xFFFFFFFF, 0xFFFFFFFF), ZIP64.pack(1, 16, 1, 1) * 2),
        ((0xFFFFFFFF, 0xFFFFFFFF), ZIP64.pack(1, 16, 1, 1) + ZIP64.pack(1, 16, 2, 2)),
    ],
)
def test_a_local_zip64_field_that_tools_read_differently_is_refused(
    tmp_path: Path, sizes: tuple[int, int], extra: bytes
) -> None:
    packed, size = sizes
    crc = zlib.crc32(b"x")
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 0, 0, 33, crc, packed, size, 4, len(extra)) + b"a.py" + extra
    central = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 45, 45, 0, 0, 0, 33, crc, 1, 1, 4, 0, 0, 0, 0, 0, 0) + b"a.py"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + 1, 0)
    refused(tmp_path / "small-1.0-py3-none-any.whl", local + b"x" + central + end, "zip64 field that tools read")


@pytest.mark.parametrize(
    ("extra", "taken"),
    [
        (struct.pack("<2HQ", 1, 8, 1), True),
        (struct.pack("<2HQ", 1, 8, 0), True),  # where it begins
        (ZIP64.pack(1, 16, 1, 1), True),
        (struct.pack("<2H3Q", 1, 24, 1, 1, 0), True),
        (struct.pack("<2HQ", 1, 8, 7), False),
        (ZIP64.pack(1, 16, 1, 7), False),
        (struct.pack("<2H3QL", 1, 28, 1, 1, 0, 0), False),
        (struct.pack("<2H", 1, 0), False),
        (struct.pack("<2HQ", 1, 8, 1) * 2, False),
    ],
)
def test_a_zip64_field_of_the_directory_says_what_the_member_has(tmp_path: Path, extra: bytes, *, taken: bool) -> None:
    path = tmp_path / "small-1.0-py3-none-any.whl"
    crc = zlib.crc32(b"x")
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 45, 0, 0, 0, 33, crc, 1, 1, 4, 0) + b"a.py"
    numbers = (45, 45, 0, 0, 0, 33, crc, 1, 1, 4, len(extra), 0, 0, 0, 0, 0)
    central = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", *numbers) + b"a.py" + extra
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(central), len(local) + 1, 0)
    path.write_bytes(local + b"x" + central + end)
    with path.open("rb") as file:
        directory = find_directory(file, max_members=10, max_bytes=1 << 20)
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
        if taken:
            assert [begin for _, begin in data_ranges(file, infos, directory)] == [34]
        else:
            with pytest.raises(NotAWheel, match="zip64 field that tools read"):
                list(data_ranges(file, infos, directory))
