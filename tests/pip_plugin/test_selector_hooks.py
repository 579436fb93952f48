"""The hooks of a packed selector, called as an installer's child process calls them, on every Python found here."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pip_plugin.selector_index import Index, isolated, serving_three_releases


@pytest.fixture
def index() -> Iterator[Index]:
    with serving_three_releases() as made:
        yield made


def find_python(version: str) -> str | None:
    """Return an interpreter of that version, from PATH or among pyenv's."""
    found = shutil.which(f"python{version}")
    if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
        return found
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    return next((str(each) for each in sorted(versions.glob(f"{version}.*/bin/python"))), None)


def call_hooks(index: Index, version: str, python: str, folder: Path, cpu: str, **more: str) -> dict[str, str]:
    """Unpack a selector and call its hooks as an installer's child process would."""
    with tarfile.open(fileobj=io.BytesIO(index.selector(version))) as archive:
        archive.extractall(folder, filter="data")
    top = folder / f"fitdemo-{version}"
    code = (
        "import sys; sys.path.insert(0, '.')\n"
        "from _cpufit_selector import backend\n"
        "assert backend.get_requires_for_build_wheel({}) == []\n"
        "print(backend.prepare_metadata_for_build_wheel('../meta'))\n"
        "print(backend.build_wheel('../out', {}, '../meta'))\n"
    )
    done = subprocess.run(
        [python, "-W", "error", "-c", code],
        cwd=top,
        env=isolated(folder / "home", cpu) | more,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.split()
    wheel = folder / "out" / lines[-1] if len(lines) == 2 else None
    return {
        "status": str(done.returncode),
        "errors": done.stderr,
        "metadata": (folder / "meta" / lines[0] / "METADATA").read_text() if lines else "",
        "build": zipfile.ZipFile(wheel).read("fitdemo.py").decode() if wheel else "",
    }


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"])
def test_the_backend_runs_on_every_python_from_3_8(index: Index, tmp_path: Path, version: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    for cpu, build in (("x86_64_v2", "v2"), ("x86_64_v3", "v3")):
        told = call_hooks(index, "2.0", python, tmp_path / cpu, cpu)
        assert (told["status"], told["build"]) == ("0", f"BUILD = {build!r}\n"), told["errors"]
        assert "Name: fitdemo" in told["metadata"]


@pytest.mark.parametrize("version", ["3.6", "3.7"])
def test_an_older_python_gets_a_sentence(index: Index, tmp_path: Path, version: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    told = call_hooks(index, "2.0", python, tmp_path, "x86_64_v3")
    assert told["status"] == "1"
    assert told["errors"] == f"cpufit: the selector needs Python 3.8 or newer; this is {version}\n"


def test_an_importable_resolver_or_packaging_is_not_taken_for_the_one_inside(index: Index, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    for name in ("cpufit_resolver", "packaging"):
        (foreign / f"{name}.py").write_text("raise RuntimeError('the wrong one')\n")
    told = call_hooks(index, "2.0", sys.executable, tmp_path, "x86_64_v3", PYTHONPATH=str(foreign))
    assert told["status"] == "0", told["errors"]


def test_without_an_override_the_machine_itself_is_looked_at(index: Index, tmp_path: Path) -> None:
    told = call_hooks(index, "1.0", sys.executable, tmp_path, "")
    assert told["build"] == "BUILD = 'v1'\n", told["errors"]


def test_a_cpu_token_that_cannot_be_read_is_said_to_be_so(index: Index, tmp_path: Path) -> None:
    told = call_hooks(index, "2.0", sys.executable, tmp_path, "x86_64_v9")
    assert told["status"] == "1"
    assert "unknown CPU level 'x86_64_v9'" in told["errors"]
    assert "CPUFIT_CPU" in told["errors"]
    assert "Traceback" not in told["errors"]


def test_wrong_bytes_are_never_left_behind(index: Index, tmp_path: Path) -> None:
    index.broken_bytes = True
    told = call_hooks(index, "2.0", sys.executable, tmp_path, "x86_64_v3")
    assert told["status"] == "1"
    assert "has the SHA-256" in told["errors"]
    assert list((tmp_path / "out").iterdir()) == []
