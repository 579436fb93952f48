from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.labelled import for_platform, labelled_filename, make_labelled
from cpufit_wheelhouse.variant import Properties, variant_json

Factory = Callable[..., Path]
TAGS = "cp39.cp310-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64"
V3: Properties = {"x86_64": {"level": ["v3"]}}


def labelled(path: Path, platform: str = "manylinux2014_x86_64") -> tuple[str, bytes]:
    target = io.BytesIO()
    name = make_labelled(path, open_wheel(path, path.name), "x86_64_v3", V3, platform, target)
    return name, target.getvalue()


@pytest.mark.parametrize("platform", ["manylinux_2_17_x86_64", "manylinux2014_x86_64"])
@pytest.mark.parametrize("compressed_line", [True, False])
def test_each_platform_tag_gets_a_whole_wheel_of_its_own(
    wheel_factory: Factory, tmp_path: Path, platform: str, compressed_line: bool
) -> None:
    path = wheel_factory(tags=TAGS, build="3", wheel_lines=[f"Tag: {TAGS}"] if compressed_line else None)
    name, data = labelled(path, platform)
    assert name == f"small-1.0-3-cp39.cp310-abi3-{platform}-x86_64_v3.whl"
    (tmp_path / "labelled").write_bytes(data)
    info = open_wheel(tmp_path / "labelled", name)
    assert info.variant_json == variant_json("x86_64_v3", V3)
    assert info.members[-1] == "small-1.0.dist-info/RECORD"
    assert info.metadata == open_wheel(path, path.name).metadata


def test_other_members_keep_their_compressed_bytes(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=TAGS, members={"small/data": bytes(range(256)) * 99})
    _, data = labelled(path)
    with zipfile.ZipFile(path) as before, zipfile.ZipFile(io.BytesIO(data)) as after:
        old, new = before.getinfo("small/data"), after.getinfo("small/data")
        assert (old.compress_size, old.CRC, old.date_time) == (new.compress_size, new.CRC, new.date_time)
        raw = path.read_bytes()[30 + len("small/data") :][: old.compress_size]
        assert raw in data


def test_the_same_wheel_gives_the_same_bytes(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=TAGS)
    assert labelled(path) == labelled(path)


def test_a_label_and_variant_json_that_were_there_are_replaced(wheel_factory: Factory, tmp_path: Path) -> None:
    path = wheel_factory(tags=TAGS, label="mine", variant_json=b'{"old": 1}')
    name, data = labelled(path)
    assert name == "small-1.0-cp39.cp310-abi3-manylinux2014_x86_64-x86_64_v3.whl"
    (tmp_path / "labelled").write_bytes(data)
    info = open_wheel(tmp_path / "labelled", name)
    assert info.variant_json == variant_json("x86_64_v3", V3)
    assert info.members.count("small-1.0.dist-info/variant.json") == 1


def test_signatures_that_no_longer_hold_are_left_out(wheel_factory: Factory, tmp_path: Path) -> None:
    signature = "small-1.0.dist-info/RECORD.p7s"
    path = wheel_factory(
        tags=TAGS,
        entries=[(zipfile.ZipInfo(signature), b"x")],
        record=lambda lines: [line for line in lines if signature not in line],
    )
    name, data = labelled(path)
    (tmp_path / "labelled").write_bytes(data)
    assert signature not in open_wheel(tmp_path / "labelled", name).members


def test_a_label_never_stands_on_a_compressed_platform_set(wheel_factory: Factory) -> None:
    path = wheel_factory(tags=TAGS)
    info = open_wheel(path, path.name)
    for platform in ("manylinux_2_17_x86_64.manylinux2014_x86_64", "win_amd64"):
        with pytest.raises(ValueError, match="none of the wheel's platform tags"):
            labelled_filename(info, "x86_64_v3", platform)
    with pytest.raises(InvalidWheelName):
        labelled_filename(info, "V3", "manylinux2014_x86_64")


def test_tag_lines_stand_where_they_stood_and_other_lines_stay() -> None:
    wheel = b"Wheel-Version: 1.0\r\nTag: py2.py3-none-a.b\r\nTag: py3-none-a\r\nBuild: 3\r\n\r\n"
    expected = b"Wheel-Version: 1.0\nTag: py2-none-b\nTag: py3-none-b\nBuild: 3\n\n"
    assert for_platform(wheel, "b") == expected


def test_a_line_that_is_no_utf8_or_holds_odd_separators_stays_as_it_is() -> None:
    line = b"Generator: caf\xe9\x0bTag: py3-none-b"
    assert for_platform(line + b"\nTag: py3-none-b\n", "b") == line + b"\nTag: py3-none-b\n"
