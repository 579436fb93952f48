from __future__ import annotations

import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.archive_limits import ArchiveLimits
from cpufit_wheelhouse.errors import (
    DistInfoMismatch,
    InvalidMetadata,
    InvalidWheelName,
    MetadataMismatch,
    NotAWheel,
    RecordMismatch,
    TagsMismatch,
    UnsafeMember,
    VariantMetadataMissing,
    WheelTooLarge,
)
from cpufit_wheelhouse.native import NativeMember

Factory = Callable[..., Path]
ELF = b"\x7fELF\x02\x01\x01\0" + bytes(56)


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def test_a_whole_wheel_is_told_as_it_is(wheel_factory: Factory) -> None:
    path = wheel_factory(
        tags="cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
        members={"small/__init__.py": b"", "small/fast.txt": ELF, "small/a.exe": b"MZ" + bytes(64)},
        metadata=["Metadata-Version: 2.1", "Name: Small", "Version: 1", "Requires-Python: >=3.8"],
    )
    info = open_wheel(path, path.name)
    assert info.filename.format() == path.name
    assert info.dist_info == "small-1.0.dist-info"
    assert info.metadata.requires_python == ">=3.8"
    assert b"A description." in info.metadata_bytes
    assert info.members[:2] == ("small/__init__.py", "small/fast.txt")
    assert info.members[-1] == "small-1.0.dist-info/RECORD"
    assert info.native == (NativeMember("small/fast.txt", "elf"), NativeMember("small/a.exe", "pe"))
    assert (info.variant_json, info.root_is_purelib) == (None, True)


def test_a_compressed_tag_line_is_expanded_too(wheel_factory: Factory) -> None:
    tags = "cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64"
    path = wheel_factory(tags=tags, wheel_lines=[f"Tag: {tags}"])
    assert open_wheel(path, path.name).filename.tags == {
        "cp39-abi3-manylinux_2_17_x86_64",
        "cp39-abi3-manylinux2014_x86_64",
    }


def test_a_dist_info_in_another_normal_form_is_the_right_one(wheel_factory: Factory) -> None:
    path = wheel_factory(name="small_thing", dist_info="Small.Thing-1.0.0.dist-info")
    assert open_wheel(path, path.name).dist_info == "Small.Thing-1.0.0.dist-info"


def test_folders_and_signatures_need_not_be_listed(wheel_factory: Factory) -> None:
    signature = "small-1.0.dist-info/RECORD.jws"
    path = wheel_factory(
        entries=[(entry("small/", stat.S_IFDIR | 0o755), b""), (entry(signature), b"{}")],
        record=lambda lines: [line for line in lines if not line.startswith(signature)],
    )
    assert signature in open_wheel(path, path.name).members


@pytest.mark.parametrize(
    "lines", [[], ["Tag: py2-none-any"], ["Tag: py3-none-any", "Tag: py2-none-any"], ["Tag: py3-none-linux_x86_64"]]
)
def test_tags_other_than_the_file_names_are_refused(wheel_factory: Factory, lines: list[str]) -> None:
    path = wheel_factory(wheel_lines=lines)
    with pytest.raises(TagsMismatch, match=r"py3-none-any|py2-none-any"):
        open_wheel(path, path.name)


@pytest.mark.parametrize("lines", [["Tag: py3"], ["Tag: a-b-c-d"]])
def test_a_tag_line_that_is_no_tag_is_refused(wheel_factory: Factory, lines: list[str]) -> None:
    path = wheel_factory(wheel_lines=lines)
    with pytest.raises(InvalidMetadata, match="not a tag"):
        open_wheel(path, path.name)


@pytest.mark.parametrize(
    "dist_info", ["other-1.0.dist-info", "small-1.1.dist-info", "small.dist-info", "small-one.dist-info"]
)
def test_a_foreign_dist_info_is_refused(wheel_factory: Factory, dist_info: str) -> None:
    path = wheel_factory(dist_info=dist_info)
    with pytest.raises(DistInfoMismatch, match=r"is not small-1\.0"):
        open_wheel(path, path.name)


@pytest.mark.parametrize("second", ["other-1.0.dist-info/METADATA", "Small-1.DIST-INFO/x"])
def test_two_dist_infos_are_refused(wheel_factory: Factory, second: str) -> None:
    path = wheel_factory(members={"small.py": b"", second: b""})
    with pytest.raises(DistInfoMismatch, match=r"2 \.dist-info folders"):
        open_wheel(path, path.name)


def test_a_zip_without_dist_info_or_its_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small.py", "")
    with pytest.raises(DistInfoMismatch, match=r"0 \.dist-info"):
        open_wheel(path, "small-1.0-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("small-1.0.dist-info/METADATA", "")
    with pytest.raises(DistInfoMismatch, match="WHEEL is missing"):
        open_wheel(path, "small-1.0-py3-none-any.whl")


@pytest.mark.parametrize("line", ["Name: other", "Version: 2.0"])
def test_metadata_of_another_project_is_refused(wheel_factory: Factory, line: str) -> None:
    field = line.partition(":")[0]
    lines = ["Metadata-Version: 2.1", "Name: small", "Version: 1.0"]
    path = wheel_factory(metadata=[line if have.startswith(field + ":") else have for have in lines])
    with pytest.raises(MetadataMismatch, match=field):
        open_wheel(path, path.name)


def test_a_label_without_variant_json_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(label="x86_64_v3")
    with pytest.raises(VariantMetadataMissing, match="x86_64_v3"):
        open_wheel(path, path.name)
    path = wheel_factory(label="x86_64_v3", variant_json=b"{}")
    assert open_wheel(path, path.name).variant_json == b"{}"


def test_a_name_that_is_none_is_refused_before_the_file_is_touched(tmp_path: Path) -> None:
    with pytest.raises(InvalidWheelName):
        open_wheel(tmp_path / "missing", "../small-1.0-py3-none-any.whl")


def test_record_must_hold_every_member_as_it_is(wheel_factory: Factory) -> None:
    def refused(what: str, record: Callable[[list[str]], list[str]]) -> None:
        path = wheel_factory(record=record)
        with pytest.raises(RecordMismatch, match=what):
            open_wheel(path, path.name)

    refused("not listed: 'small/__init__.py'", lambda lines: lines[1:])
    refused("listed, but not in the wheel: 'ghost'", lambda lines: [*lines, "ghost,sha256=x,1"])
    refused("without a hash", lambda lines: ["small/__init__.py,,", *lines[1:]])
    refused("sha256 of 'small/__init__.py'", lambda lines: [lines[0].replace("sha256=", "sha256=AAAA"), *lines[1:]])
    refused("12 bytes, RECORD says 13", lambda lines: [lines[0][:-2] + "13", *lines[1:]])


@pytest.mark.parametrize(
    "name",
    ["../evil.py", "/etc/evil", "small/../../evil", "C:/evil", "c:evil", "small\\..\\evil", "small//evil", "./evil",
     "small/evil\n", "small/\x7f", "small/\x85"],
)  # fmt: skip
def test_a_member_that_could_leave_its_place_is_refused(wheel_factory: Factory, name: str) -> None:
    path = wheel_factory(entries=[(entry(name), b"x")])
    with pytest.raises(UnsafeMember) as caught:
        open_wheel(path, path.name)
    assert caught.value.code == "unsafe-member-path"
    assert "\n" not in str(caught.value)


def test_a_name_in_an_unknown_encoding_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(entries=[(entry("small/evil_end"), b"x")])
    path.write_bytes(path.read_bytes().replace(b"evil_end", b"evil\xe9end"))
    with pytest.raises(UnsafeMember, match="unknown encoding"):
        open_wheel(path, path.name)


def test_a_folder_with_contents_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(entries=[(entry("small/evil_"), b"x")])
    path.write_bytes(path.read_bytes().replace(b"small/evil_", b"small/evil/"))
    with pytest.raises(UnsafeMember, match="a folder with contents"):
        open_wheel(path, path.name)


def test_a_wheel_of_a_later_format_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents["small-1.0.dist-info/WHEEL"] = b"Wheel-Version: 2.0\nTag: py3-none-any\n"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    with pytest.raises(InvalidMetadata, match=r"Wheel-Version '2\.0'"):
        open_wheel(path, path.name)


def test_a_name_with_a_nul_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(entries=[(entry("small/evil_end"), b"x")])
    path.write_bytes(path.read_bytes().replace(b"evil_end", b"evil\0end"))
    with pytest.raises(UnsafeMember):
        open_wheel(path, path.name)


@pytest.mark.parametrize(
    ("mode", "what"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "neither"), (stat.S_IFCHR, "neither")]
)
def test_links_and_devices_are_refused(wheel_factory: Factory, mode: int, what: str) -> None:
    path = wheel_factory(entries=[(entry("small/link", mode | 0o777), b"/etc/passwd")])
    with pytest.raises(UnsafeMember, match=what):
        open_wheel(path, path.name)


@pytest.mark.parametrize(
    ("first", "second"),
    [("small/A.py", "small/a.py"), ("Small/x", "small/X"), ("small/é", "small/e\u0301"), ("small/ß", "small/SS")],
)
def test_members_that_some_system_would_write_over_each_other_are_refused(
    wheel_factory: Factory, first: str, second: str
) -> None:
    path = wheel_factory(members={first: b"1", second: b"2"})
    with pytest.raises(UnsafeMember, match="one file on some systems"):
        open_wheel(path, path.name)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(entries=[(entry("small/__init__.py"), b"evil")])
    with pytest.raises(UnsafeMember, match="one file"):
        open_wheel(path, path.name)


def test_a_name_that_is_file_and_folder_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(members={"small/a": b"1", "small/a!": b"", "small/A/b": b"2"})
    with pytest.raises(UnsafeMember, match="a file and a folder"):
        open_wheel(path, path.name)
    path = wheel_factory(members={"small/a": b"1", "small/a.py": b"", "small/a!/b": b"2"})
    assert open_wheel(path, path.name).members[:3] == ("small/a", "small/a.py", "small/a!/b")


def test_only_stored_and_deflated_members_are_read(wheel_factory: Factory) -> None:
    path = wheel_factory(compression=zipfile.ZIP_STORED)
    open_wheel(path, path.name)
    path = wheel_factory(compression=zipfile.ZIP_LZMA)
    with pytest.raises(NotAWheel, match="compression method 14"):
        open_wheel(path, path.name)


def test_an_encrypted_member_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(NotAWheel, match="encrypted"):
        open_wheel(path, path.name)


def test_a_member_whose_bytes_are_damaged_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory(compression=zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"answer = 42", b"answer = 43"))
    with pytest.raises(NotAWheel, match="CRC-32"):
        open_wheel(path, path.name)


@pytest.mark.parametrize(
    ("compression", "what"), [(zipfile.ZIP_DEFLATED, "unpacks to 12 bytes"), (zipfile.ZIP_STORED, "two sizes")]
)
def test_a_member_that_claims_another_size_is_refused(wheel_factory: Factory, compression: int, what: str) -> None:
    path = wheel_factory(compression=compression)
    data = bytearray(path.read_bytes())
    data[22] = data[data.index(b"PK\x01\x02") + 24] = 13
    path.write_bytes(data)
    with pytest.raises(NotAWheel, match=what):
        open_wheel(path, path.name)


def test_the_limits_hold(wheel_factory: Factory) -> None:
    def refused(path: Path, limits: ArchiveLimits) -> None:
        with pytest.raises(WheelTooLarge) as caught:
            open_wheel(path, path.name, limits=limits)
        assert caught.value.hint is not None

    path = wheel_factory()
    refused(path, ArchiveLimits(max_members=3))
    refused(path, ArchiveLimits(max_unpacked_bytes=100))
    refused(path, ArchiveLimits(max_text_bytes=10))
    refused(path, ArchiveLimits(max_record_bytes=10))
    refused(path, ArchiveLimits(max_directory_bytes=10))
    bomb = wheel_factory(members={"small/zeros": bytes(65 << 20)})
    refused(bomb, ArchiveLimits())
    open_wheel(bomb, bomb.name, limits=ArchiveLimits(max_ratio=2000))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_wheel(wheel_factory: Factory) -> None:
    path = wheel_factory(members={"small/zeros": bytes(200 << 20)}, compression=zipfile.ZIP_STORED)
    # VmHWM belongs to the program that runs; getrusage's peak would still hold what this process had before exec
    script = (
        "import sys, pathlib\nfrom cpufit_wheelhouse.archive import open_wheel\n"
        "path = pathlib.Path(sys.argv[1]); open_wheel(path, path.name)\n"
        "print(pathlib.Path('/proc/self/status').read_text().partition('VmHWM:')[2].split()[0])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100 << 10, "the peak of the process that opened 200 MiB, in KiB"
