from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.errors import DistInfoMismatch, InvalidMetadata, InvalidWheelName
from cpufit_wheelhouse.rename import rename_wheel, renamed_metadata

Factory = Callable[..., Path]
METADATA = [
    "Metadata-Version: 2.1",
    "Name: Small-LTS.cpu",
    "Version: 1.0",
    "Requires-Dist: numpy>=1 ; extra == 'numpy'",
    "Requires-Dist: small_lts_cpu[numpy,other] ; extra == 'all'",
    "Requires-Dist: small-lts-cpu-tools",
    "Provides-Extra: all",
]


@pytest.fixture
def lts(wheel_factory: Factory) -> Path:
    return wheel_factory(
        name="small_lts_cpu",
        tags="cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64",
        dist_info="Small_LTS.cpu-1.0.0.dist-info",
        metadata=METADATA,
        members={
            "small/__init__.py": b"answer = 42\n",
            "small_lts_cpu-1.0.data/scripts/tool": b"#!python\n",
            "small_lts_cpu-2.0.data/x": b"not of this version",
        },
    )


def renamed(path: Path, name: str = "Sm.all", url: str | None = None) -> tuple[str, bytes]:
    target = io.BytesIO()
    return rename_wheel(path, path.name, name, target, url=url), target.getvalue()


def test_the_renamed_wheel_passes_every_check(lts: Path, tmp_path: Path) -> None:
    name, data = renamed(lts)
    assert name == "sm_all-1.0-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    (tmp_path / "renamed").write_bytes(data)
    info = open_wheel(tmp_path / "renamed", name)
    assert (info.metadata.name, info.dist_info) == ("Sm.all", "sm_all-1.0.0.dist-info")
    assert info.metadata.requires_dist == (
        "numpy>=1 ; extra == 'numpy'",
        "Sm.all[numpy,other] ; extra == 'all'",
        "small-lts-cpu-tools",
    )
    assert info.members == (
        "small/__init__.py",
        "sm_all-1.0.data/scripts/tool",
        "small_lts_cpu-2.0.data/x",
        "sm_all-1.0.0.dist-info/METADATA",
        "sm_all-1.0.0.dist-info/WHEEL",
        "sm_all-1.0.0.dist-info/cpufit-provenance.json",
        "sm_all-1.0.0.dist-info/RECORD",
    )


def test_where_it_came_from_is_told_inside(lts: Path) -> None:
    name, data = renamed(lts, url="https://example.org/lts.whl")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        provenance = json.loads(archive.read("sm_all-1.0.0.dist-info/cpufit-provenance.json"))
    assert provenance == {
        "name": "small-lts-cpu",
        "filename": lts.name,
        "sha256": hashlib.sha256(lts.read_bytes()).hexdigest(),
        "url": "https://example.org/lts.whl",
    }
    assert name.startswith("sm_all-")


def test_the_same_wheel_gives_the_same_bytes(lts: Path) -> None:
    assert renamed(lts) == renamed(lts)


def test_a_wheel_that_has_the_name_is_copied_as_it_is(lts: Path) -> None:
    assert renamed(lts, "Small.LTS_CPU") == (lts.name, lts.read_bytes())


def test_a_label_and_variant_json_move_with_it(wheel_factory: Factory, tmp_path: Path) -> None:
    path = wheel_factory(label="x86_64_v3", variant_json=b"{}")
    name, data = renamed(path, "tiny")
    (tmp_path / "renamed").write_bytes(data)
    assert name == "tiny-1.0-py3-none-any-x86_64_v3.whl"
    assert open_wheel(tmp_path / "renamed", name).variant_json == b"{}"


def test_what_cannot_be_renamed_is_refused(wheel_factory: Factory) -> None:
    path = wheel_factory()
    with pytest.raises(InvalidWheelName, match="not a project name"):
        renamed(path, "../evil")
    with pytest.raises(DistInfoMismatch):
        renamed(wheel_factory(dist_info="other-1.0.dist-info"))
    with pytest.raises(InvalidMetadata, match="0 Name fields"):
        renamed(wheel_factory(metadata=["Metadata-Version: 2.1"]))


def test_only_the_headers_of_metadata_change() -> None:
    before = b"Name: old\r\nRequires-Dist: Old[x]>=1\r\nRequires-Dist: older\r\n\r\nName: old\r\nRequires-Dist: old\r\n"
    after = b"Name: new\r\nRequires-Dist: new[x]>=1\r\nRequires-Dist: older\r\n\r\nName: old\r\nRequires-Dist: old\r\n"
    assert renamed_metadata(before, canonicalize_name("old"), "new") == after


def test_pip_installs_the_renamed_wheel_and_finds_it_whole(wheel_factory: Factory, tmp_path: Path) -> None:
    path = wheel_factory(
        name="small_lts", members={"small.py": b"answer = 42\n", "small_lts-1.0.data/purelib/more.py": b"answer = 43\n"}
    )
    name, data = renamed(path, "small")
    (tmp_path / name).write_bytes(data)
    target = tmp_path / "target"
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(tmp_path / name),
    ]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    code = "import small, more, importlib.metadata as m; print(small.answer, more.answer, m.version('small'))"
    done = subprocess.run([sys.executable, "-c", code], cwd=target, capture_output=True, text=True, check=True)
    assert done.stdout == "42 43 1.0\n"
