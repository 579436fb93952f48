from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from cpufit_wheelhouse.archive_limits import ArchiveLimits
from cpufit_wheelhouse.errors import (
    InvalidMetadata,
    InvalidWheelName,
    MetadataMismatch,
    NotAWheel,
    UnsafeMember,
    WheelTooLarge,
)
from cpufit_wheelhouse.sdist import open_sdist

NAME = "small-1.0.tar.gz"
PKG_INFO = b"Metadata-Version: 2.2\nName: small\nVersion: 1.0\nRequires-Dist: numpy\n"


def member(
    name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(data), kind, link
    return info, data


def make(folder: Path, members: Sequence[tuple[tarfile.TarInfo, bytes]], *, metadata: bytes | None = PKG_INFO) -> Path:
    path = folder / NAME
    with tarfile.open(path, "w:gz") as archive:
        for info, data in [*([member("small-1.0/PKG-INFO", metadata)] if metadata is not None else []), *members]:
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_whole_source_distribution_is_told_as_it_is(tmp_path: Path) -> None:
    path = make(
        tmp_path,
        [
            member("small-1.0", kind=tarfile.DIRTYPE),
            member("small-1.0/setup.py", b"x"),
            member("small-1.0/nested/PKG-INFO", b"not this one"),
            member("small-1.0/docs/link", kind=tarfile.SYMTYPE, link="../setup.py"),
            member("small-1.0/hard", kind=tarfile.LNKTYPE, link="small-1.0/setup.py"),
        ],
    )
    info = open_sdist(path, NAME)
    assert (info.filename.name, info.metadata.requires_dist, info.metadata_bytes) == ("small", ("numpy",), PKG_INFO)


def test_names_that_begin_with_a_dot_are_read(tmp_path: Path) -> None:
    path = make(tmp_path, [member(".", kind=tarfile.DIRTYPE), member("./small-1.0/PKG-INFO", PKG_INFO)], metadata=None)
    assert open_sdist(path, NAME).metadata.name == "small"


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (member("small-1.0/../../evil", b"x"), "lead elsewhere"),
        (member("/etc/evil", b"x"), "lead elsewhere"),
        (member("small-1.0/a\\b", b"x"), "lead elsewhere"),
        (member("small-1.0/link", kind=tarfile.SYMTYPE, link="../../etc"), "leads out"),
        (member("small-1.0/link", kind=tarfile.SYMTYPE, link="/etc/passwd"), "leads out"),
        (member("small-1.0/link", kind=tarfile.SYMTYPE, link="a/../b"), "leads out"),
        (member("small-1.0/link", kind=tarfile.LNKTYPE, link="/etc/passwd"), "leads out"),
        (member("small-1.0/link", kind=tarfile.LNKTYPE, link="other/x"), "leads out"),
        (member("small-1.0/pipe", kind=tarfile.FIFOTYPE), "neither"),
        (member("small-1.0/device", kind=tarfile.CHRTYPE), "neither"),
        (member("small-1.0/holes", kind=tarfile.GNUTYPE_SPARSE), "sparse"),
    ],
)
def test_a_member_that_could_leave_its_place_is_refused(
    tmp_path: Path, bad: tuple[tarfile.TarInfo, bytes], what: str
) -> None:
    with pytest.raises(UnsafeMember, match=what):
        open_sdist(make(tmp_path, [bad]), NAME)


def test_a_member_below_a_link_is_refused(tmp_path: Path) -> None:
    link = member("small-1.0/link", kind=tarfile.SYMTYPE, link="docs")
    with pytest.raises(UnsafeMember, match="below a link"):
        open_sdist(make(tmp_path, [link, member("small-1.0/link/x", b"x")]), NAME)


def test_one_folder_stands_at_the_top(tmp_path: Path) -> None:
    with pytest.raises(NotAWheel, match="two folders"):
        open_sdist(make(tmp_path, [member("other/x", b"x")]), NAME)
    with pytest.raises(NotAWheel, match="beside the top folder"):
        open_sdist(make(tmp_path, [member("small-1.0", b"x")]), NAME)


def test_pkg_info_must_be_there_and_match(tmp_path: Path) -> None:
    with pytest.raises(InvalidMetadata, match="PKG-INFO is missing"):
        open_sdist(make(tmp_path, [member("small-1.0/setup.py")], metadata=None), NAME)
    with pytest.raises(InvalidMetadata, match="plain file"):
        open_sdist(make(tmp_path, [member("small-1.0/PKG-INFO", kind=tarfile.DIRTYPE)], metadata=None), NAME)
    with pytest.raises(MetadataMismatch, match="Version"):
        open_sdist(make(tmp_path, [], metadata=PKG_INFO.replace(b"1.0", b"1.1")), NAME)
    with pytest.raises(InvalidWheelName):
        open_sdist(make(tmp_path, []), "small-1.0.zip")


@pytest.mark.parametrize("data", [b"", b"no gzip", gzip.compress(b"no tar" * 200), gzip.compress(b"")])
def test_what_is_no_tar_gz_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / NAME
    path.write_bytes(data)
    with pytest.raises((NotAWheel, InvalidMetadata)):
        open_sdist(path, NAME)


def test_a_cut_off_archive_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, [member("small-1.0/big", bytes(range(256)) * 4000)])
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(NotAWheel, match="cannot be read"):
        open_sdist(path, NAME)


def test_the_limits_hold(tmp_path: Path) -> None:
    path = make(tmp_path, [member("small-1.0/big", bytes(100_000))])
    for limits in (
        ArchiveLimits(max_members=1),
        ArchiveLimits(max_unpacked_bytes=50_000),
        ArchiveLimits(max_text_bytes=10),
    ):
        with pytest.raises(WheelTooLarge):
            open_sdist(path, NAME, limits=limits)
    with pytest.raises(WheelTooLarge, match="unpacks to more"):
        open_sdist(make(tmp_path, [member("small-1.0/big", bytes(70 << 20))]), NAME)


def test_a_header_that_claims_gigabytes_takes_no_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("small-1.0/x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / NAME
    path.write_bytes(gzip.compress(header.tobuf() + bytes(4096)))
    with pytest.raises(WheelTooLarge, match="a header of"):
        open_sdist(path, NAME)


def test_the_files_are_told_by_their_names_below_the_top(tmp_path: Path) -> None:
    nested = [member("small-1.0/a", kind=tarfile.DIRTYPE), member("small-1.0/a/LICENSE", b"x")]
    assert open_sdist(make(tmp_path, nested), NAME).members == {"PKG-INFO", "a/LICENSE"}


def test_pkg_info_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeMember, match="PKG-INFO stands twice"):
        open_sdist(make(tmp_path, [member("small-1.0/PKG-INFO", PKG_INFO)]), NAME)


def test_what_stands_behind_the_tar_or_the_stream_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, [])
    data, tar = path.read_bytes(), gzip.decompress(path.read_bytes())

    def refused(data: bytes, what: str) -> None:
        path.write_bytes(data)
        with pytest.raises(NotAWheel, match=what):
            open_sdist(path, NAME)

    refused(gzip.compress(tar + b"more"), "behind the end of the tar")
    refused(gzip.compress(tar + bytes(1 << 20) + b"more"), "behind the end of the tar")
    refused(data + b"more", "behind the end of the gzip stream")
    refused(data + data, "behind the end of the gzip stream")
    refused(gzip.compress(tar[:1024]) + gzip.compress(tar[1024:]), "behind the end of the gzip stream")
    refused(data[:-4], "cut off")
    refused(data[:-8] + bytes(8), "incorrect data check")
    path.write_bytes(gzip.compress(tar + bytes(1 << 20)))
    assert open_sdist(path, NAME).metadata.name == "small"


def test_a_file_that_is_a_zip_too_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, [])
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("evil.py", "x")
    data = path.read_bytes()
    several = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 2) + struct.pack("<4s4H2LH", b"PK\x05\x06", *[0] * 7)
    for zipped in (inner.getvalue(), several):
        path.write_bytes(data + zipped)
        with pytest.raises(NotAWheel, match="a zip file too"):
            open_sdist(path, NAME)


def test_a_tar_that_is_not_ended_is_read_to_its_last_byte(tmp_path: Path) -> None:
    path = make(tmp_path, [])
    tar = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(tar[:1024]))
    assert open_sdist(path, NAME).metadata_bytes == PKG_INFO


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that cannot be read, as Linux has one")
def test_a_disk_that_cannot_be_read_is_no_fault_of_the_file() -> None:
    with pytest.raises(OSError, match="Input/output error"):
        open_sdist(Path("/proc/self/mem"), "small-1.0.tar.gz")
