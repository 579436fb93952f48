"""What is installed is judged as its wheel is: the same files, under the same names, by the same rules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.machine_code.made_images import elf

from cpufit_wheelhouse.inspection.installed import inspect_files, inspect_installed
from cpufit_wheelhouse.inspection.wheel import InspectionLimits, inspect_wheel
from cpufit_wheelhouse.installed import Installed, Place, installed_in, required_by, unowned_natives

Factory = Callable[..., Path]
LINUX = "py3-none-manylinux_2_17_x86_64"
PLAIN = b"\x90\xc3" * 20
NUMPY_CONFIG = b'CONFIG = {"SIMD Extensions": {"baseline": ["SSE", "SSE4.2"], "found": ["AVX2"]}}\n'

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the folders of these tests are those of POSIX")


def installed(wheel: Path, prefix: Path) -> tuple[Installed, Place]:
    """Let pip install a wheel into a folder, and read it there."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--ignore-installed"]
    command += ["--no-compile", "--prefix", str(prefix), str(wheel)]
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot install it here: {done.stderr[-300:]}")
    (info,) = prefix.rglob("*.dist-info")
    place = Place(site=info.parent, prefix=prefix, scripts=prefix / "bin")
    (found,) = installed_in(place)
    return found, place


@pytest.mark.parametrize(
    ("members", "token"),
    [
        ({"small/_x.so": elf()}, "x86_64_v2+avx+avx2"),
        ({"small/_a.so": elf(PLAIN), "small/_b.so": elf()}, "x86_64_v2+avx+avx2"),
        # siblings: which one is loaded is chosen by names, so names have to be those of the wheel
        ({"small/_x.so": elf(PLAIN), "small/_x_avx2.so": elf()}, "x86_64_v1"),
        ({"small/_x.so": elf(PLAIN), "small/__config__.py": NUMPY_CONFIG}, "x86_64_v2"),
        ({"small/_x.so": elf(), "small-1.0.data/data/lib/libmore.so": elf()}, "x86_64_v2+avx+avx2"),
        ({"small/_x.so": elf(PLAIN), "small-1.0.data/scripts/tool": elf()}, "x86_64_v2+avx+avx2"),
    ],
    ids=["one", "two", "siblings", "statement", "data", "scripts"],
)
def test_a_wheel_and_its_installed_form_have_one_verdict(
    members: dict[str, bytes], token: str, wheel_factory: Factory, tmp_path: Path
) -> None:
    wheel = wheel_factory(tags=LINUX, members={"small/__init__.py": b"", **members})
    found, _ = installed(wheel, tmp_path / "prefix")
    verdict = inspect_installed(found)
    assert verdict == inspect_wheel(wheel, wheel.name)
    assert verdict.need is not None
    assert verdict.need.as_dict()["x86_64"]["use"] == token


@pytest.mark.network
@pytest.mark.parametrize("project", ["numpy==2.4.6", "rapidfuzz==3.14.6", "pycryptodome==3.23.0"])
def test_a_real_wheel_and_its_installed_form_have_one_verdict(project: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run([*command, "--dest", tmp_path, project], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{project} cannot be had: {done.stderr[-200:]}")
    (wheel,) = tmp_path.glob("*.whl")
    found, _ = installed(wheel, tmp_path / "prefix")
    assert len(found.natives) > 1
    assert inspect_installed(found, threads=2) == inspect_wheel(wheel, wheel.name, threads=2)


def test_a_distribution_is_told_with_what_it_asks_for(wheel_factory: Factory, tmp_path: Path) -> None:
    head = ["Metadata-Version: 2.1", "Name: Small.Thing", "Version: 1.0", "Requires-Dist: Other_One>=2 ; extra == 'x'"]
    wheel = wheel_factory(name="small_thing", tags=LINUX, members={"s/_x.so": elf(PLAIN)}, metadata=head)
    found, _ = installed(wheel, tmp_path / "prefix")
    assert (found.name, found.version, found.requires) == ("small-thing", "1.0", frozenset({"other-one"}))
    assert found.natives == ("s/_x.so",)
    assert found.wheel.architectures() == {"x86_64"}
    assert required_by([found]) == {"other-one": ("small-thing",)}


def test_what_an_installer_wrote_itself_is_not_the_packages(wheel_factory: Factory, tmp_path: Path) -> None:
    found, place = installed(wheel_factory(tags=LINUX, members={"small/_x.so": elf(PLAIN)}), tmp_path / "prefix")
    info = place.site / "small-1.0.dist-info"
    (info / "entry_points.txt").write_text("[console_scripts]\ntool = small:main\n")
    place.scripts.mkdir()
    (place.scripts / "tool.exe").write_bytes(elf())
    with (info / "RECORD").open("a") as record:
        record.write(f"{os.path.relpath(place.scripts / 'tool.exe', place.site)},,\n")
    (found,) = installed_in(place)
    assert found.natives == ("small/_x.so",)


def test_libraries_that_nobody_lists_are_found(wheel_factory: Factory, tmp_path: Path) -> None:
    found, place = installed(wheel_factory(tags=LINUX, members={"small/_x.so": elf(PLAIN)}), tmp_path / "prefix")
    stray = place.site / "mine" / "_fast.so"
    stray.parent.mkdir()
    stray.write_bytes(elf())
    (place.site / "mine" / "text.so").write_text("not a library")
    assert unowned_natives(place, [found]) == (stray,)


def test_remains_and_folders_without_a_record_are_borne(wheel_factory: Factory, tmp_path: Path) -> None:
    _, place = installed(wheel_factory(tags=LINUX, members={"small/_x.so": elf(PLAIN)}), tmp_path / "prefix")
    (place.site / "gone-1.0.dist-info").mkdir()
    egg = place.site / "old-2.0.egg-info"
    egg.mkdir()
    (egg / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: old\nVersion: 2.0\n")
    old, small = installed_in(place)
    assert (old.name, old.recorded, old.natives) == ("old", False, ())
    assert small.recorded


def test_libraries_over_the_bounds_are_undetermined(wheel_factory: Factory, tmp_path: Path) -> None:
    found, _ = installed(wheel_factory(tags=LINUX, members={"small/_x.so": elf()}), tmp_path / "prefix")
    assert "are read" in inspect_installed(found, limits=InspectionLimits(max_library_bytes=10)).undetermined[0]
    assert "1 native" in inspect_installed(found, limits=InspectionLimits(max_libraries=0)).undetermined[0]


def test_a_library_that_cannot_be_read_leaves_it_undetermined(wheel_factory: Factory, tmp_path: Path) -> None:
    wheel = wheel_factory(tags=LINUX, members={"small/_x.so": elf()})
    found, _ = installed(wheel, tmp_path / "prefix")
    folder = tmp_path / "folder"
    folder.mkdir()
    assert not inspect_files(found.wheel, {"small/_x.so": folder}, ("small/_x.so",)).known
