"""pip only unpacks: nothing that a wheel depends on runs outside the sandbox, or is fetched from where it says."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.probe.environment import interpreter_for
from cpufit_wheelhouse.probe.install import install
from cpufit_wheelhouse.probe.options import ProbeOptions

Factory = Callable[..., Path]
SOURCE = {
    "PKG-INFO": "Metadata-Version: 2.1\nName: other\nVersion: 1.0\n",
    "pyproject.toml": "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n",
    "backend.py": "open({marker!r}, 'w')\nraise SystemExit(1)\n",
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="probes run on Linux")


@pytest.fixture
def options(tmp_path: Path) -> ProbeOptions:
    for name in ("simple", "links", "env"):
        (tmp_path / name).mkdir()
    return ProbeOptions(index_url=(tmp_path / "simple").as_uri(), find_links=tmp_path / "links")


def source(folder: Path, marker: Path) -> Path:
    path = folder / "other-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in SOURCE.items():
            data = text.format(marker=str(marker)).encode() if name == "backend.py" else text.encode()
            info = tarfile.TarInfo(f"other-1.0/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def installed(tmp_path: Path, wheel: Path, options: ProbeOptions) -> str | None:
    target = tmp_path / "env" / "site"
    target.mkdir(exist_ok=True)
    return install(target, str(wheel), Path(os.path.realpath(sys.executable)), (), options)


def wanting(wheel_factory: Factory, requirement: str, name: str = "small") -> Path:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", f"Requires-Dist: {requirement}"]
    return wheel_factory(name=name, metadata=lines)


@pytest.mark.parametrize("address", ["file://{path}", "git+https://127.0.0.1:9/x", "http://127.0.0.1:9/x.tar.gz"])
def test_a_dependency_with_an_address_is_neither_fetched_nor_built(
    address: str, wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    marker = tmp_path / "ran"
    path = source(tmp_path, marker)
    wheel = wanting(wheel_factory, f"other @ {address.format(path=path)}")
    reason = installed(tmp_path, wheel, options)
    assert reason == "its dependencies cannot be had: ERROR: other is wanted from an address, not from the index"
    assert not marker.exists()


def test_neither_is_a_dependencys_dependency(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    marker = tmp_path / "ran"
    assert options.find_links is not None
    wanting(wheel_factory, f"other @ {source(tmp_path, marker).as_uri()}", "between").rename(
        options.find_links / "between-1.0-py3-none-any.whl"
    )
    reason = installed(tmp_path, wanting(wheel_factory, "between"), options)
    assert reason is not None
    assert "from an address" in reason
    assert not marker.exists()


def test_pip_starts_nothing_whatever_it_is_given(tmp_path: Path, options: ProbeOptions) -> None:
    marker = tmp_path / "ran"
    reason = installed(tmp_path, source(tmp_path, marker), options)
    assert reason is not None
    assert not marker.exists()


def test_sources_in_the_index_are_no_candidates(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    assert options.find_links is not None
    marker = tmp_path / "ran"
    source(options.find_links, marker)
    reason = installed(tmp_path, wanting(wheel_factory, "other"), options)
    assert reason is not None
    assert "other" in reason
    assert not marker.exists()


def test_wheels_from_the_index_are_unpacked(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    assert options.find_links is not None
    other = wheel_factory(name="other", members={"other/__init__.py": b"", "evil.pth": b"import nothing\n"})
    other.rename(options.find_links / other.name)
    assert installed(tmp_path, wanting(wheel_factory, "other"), options) is None
    assert (tmp_path / "env" / "site" / "other" / "__init__.py").exists()
    assert (tmp_path / "env" / "site" / "small" / "__init__.py").exists()


def test_a_wheel_that_unpacks_to_too_much_is_given_up(
    wheel_factory: Factory, tmp_path: Path, options: ProbeOptions
) -> None:
    wheel = wheel_factory(members={"small/zeros": bytes(32 << 20)})
    assert wheel.stat().st_size < 1 << 20
    reason = installed(tmp_path, wheel, replace(options, install_bytes=8 << 20))
    assert reason == "it takes more than 8388608 bytes with its dependencies"


def test_pip_that_takes_too_long_is_ended(wheel_factory: Factory, tmp_path: Path, options: ProbeOptions) -> None:
    reason = installed(tmp_path, wheel_factory(), replace(options, install_time_limit=0.0))
    assert reason == "its dependencies did not come in time"


def test_a_python_that_lies_around_the_home_is_not_shown(
    tmp_path: Path, options: ProbeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = parse_wheel_filename("small-1.0-py3-none-any.whl")
    found = interpreter_for(name, options)
    monkeypatch.setenv("HOME", str(found.prefix / "home"))
    with pytest.raises(Exception, match="no interpreter"):
        interpreter_for(name, options)
