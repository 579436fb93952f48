"""Packed selectors in the hands of real installers: a small index on loopback, stock pip and uv."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pip_plugin.selector_index import (
    UV,
    Index,
    Machine,
    isolated,
    make_source,
    new_machine,
    serving_three_releases,
    sha,
)

pytestmark = pytest.mark.flow

needs_uv = pytest.mark.skipif(UV is None, reason="uv is not installed")


@pytest.fixture
def index() -> Iterator[Index]:
    with serving_three_releases() as made:
        yield made


@pytest.mark.parametrize(("cpu", "build"), [("x86_64_v2", "v2"), ("x86_64_v3", "v3")])
def test_pip_installs_the_wheel_that_the_cpu_takes(index: Index, tmp_path: Path, cpu: str, build: str) -> None:
    machine = new_machine(tmp_path, cpu)
    done = machine.pip(index, "install", "fitdemo<3")
    assert done.returncode == 0, done.stderr
    assert machine.installed() == f"2.0 {build}"


def test_pip_says_what_is_missing_and_what_fits_and_installs_nothing(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    done = machine.pip(index, "install", "fitdemo")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    for line in (
        "cpufit: fitdemo 3.0 has no wheel that runs on this CPU, so it is not installed.",
        "this CPU:  x86_64_v2  (as CPUFIT_CPU says)",
        "needs avx, f16c",
        f"pip install 'fitdemo<3.0' --index-url {index.url}/simple/",
        f"cpu-check fitdemo --index {index.url}/simple/",
    ):
        assert line in said
    assert "Traceback" not in said
    assert machine.installed() == ""
    assert not [path for path in index.requests if path.startswith("/files/")]


def test_the_line_to_copy_does_what_it_says(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    refused = machine.pip(index, "install", "fitdemo")
    offer = re.search(r"pip install '([^']+)'", refused.stdout + refused.stderr)
    assert offer is not None
    assert machine.pip(index, "install", offer.group(1)).returncode == 0
    assert machine.installed() == "2.0 v2"


def test_pip_wheel_makes_the_wheel_and_pip_download_fetches_the_selector(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    out = tmp_path / "out"
    assert machine.pip(index, "wheel", "--wheel-dir", str(out), "fitdemo==2.0").returncode == 0
    assert [path.name for path in out.iterdir()] == ["fitdemo-2.0-py3-none-any.whl"]
    assert zipfile.ZipFile(out / "fitdemo-2.0-py3-none-any.whl").read("fitdemo.py") == b"BUILD = 'v2'\n"
    fetched = tmp_path / "fetched"
    assert machine.pip(index, "download", "--dest", str(fetched), "fitdemo==2.0").returncode == 0
    assert [path.read_bytes() for path in fetched.iterdir()] == [index.selector("2.0")]


def test_a_required_hash_is_the_selectors(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"fitdemo==2.0 --hash=sha256:{sha(index.selector('2.0'))}\n")
    done = machine.pip(index, "install", "--require-hashes", "-r", str(wanted))
    assert (done.returncode, machine.installed()) == (0, "2.0 v2"), done.stderr
    wanted.write_text(f"fitdemo==2.0 --hash=sha256:{'0' * 64}\n")
    again = machine.pip(index, "install", "--force-reinstall", "--require-hashes", "-r", str(wanted))
    assert "DO NOT MATCH THE HASHES" in again.stderr


@pytest.mark.parametrize("order", [("x86_64_v2", "x86_64_v3"), ("x86_64_v3", "x86_64_v2")])
def test_machines_that_share_a_pip_cache_do_not_share_wheels(
    index: Index, tmp_path: Path, order: tuple[str, str]
) -> None:
    for turn, cpu in enumerate((*order, *order)):
        machine = new_machine(tmp_path, cpu, str(turn))
        done = machine.pip(index, "install", "fitdemo==2.0", cache=tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        assert machine.installed() == f"2.0 {cpu[-2:]}"


@needs_uv
@pytest.mark.parametrize("order", [("x86_64_v2", "x86_64_v3"), ("x86_64_v3", "x86_64_v2")])
def test_machines_that_share_a_uv_cache_do_not_share_wheels(
    index: Index, tmp_path: Path, order: tuple[str, str]
) -> None:
    for turn, cpu in enumerate((*order, *order)):
        machine = new_machine(tmp_path, cpu, str(turn))
        done = machine.uv(index, "install", "fitdemo==2.0", cache=tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        assert machine.installed() == f"2.0 {cpu[-2:]}"


@needs_uv
@pytest.mark.parametrize("order", [("x86_64_v2", "x86_64_v3"), ("x86_64_v3", "x86_64_v2")])
def test_one_uv_lock_serves_machines_that_share_a_cache(index: Index, tmp_path: Path, order: tuple[str, str]) -> None:
    assert UV is not None
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\ndependencies = ["fitdemo==2.0"]\n'
        f'[[tool.uv.index]]\nurl = "{index.url}/simple/"\ndefault = true\n'
    )
    common = ["--cache-dir", str(tmp_path / "cache"), "--python", sys.executable]
    locker = new_machine(tmp_path, order[0], "locker")
    # without UV_NO_CONFIG: the index stands in the project's own table, which that variable hides
    environ = {name: value for name, value in isolated(tmp_path / "home", order[0]).items() if name != "UV_NO_CONFIG"}
    subprocess.run([UV, "lock", *common], env=environ, cwd=project, check=True, capture_output=True)
    assert not [path for path in index.requests if path.startswith("/files/")], "locking ran code"
    assert locker.installed() == ""
    for turn, cpu in enumerate((*order, *order)):
        machine = Machine(tmp_path / f"synced-{turn}", cpu)
        subprocess.run(
            [UV, "sync", "--frozen", *common],
            env=environ | {"CPUFIT_CPU": cpu, "UV_PROJECT_ENVIRONMENT": str(machine.place)},
            cwd=project,
            check=True,
            capture_output=True,
        )
        assert machine.installed() == f"2.0 {cpu[-2:]}"


@needs_uv
def test_uv_shows_the_refusal_and_installs_nothing(index: Index, tmp_path: Path) -> None:
    machine = new_machine(tmp_path, "x86_64_v2")
    done = machine.uv(index, "install", "fitdemo", cache=tmp_path / "cache")
    assert done.returncode != 0
    assert "needs avx, f16c" in done.stderr
    assert "pip install 'fitdemo<3.0'" in done.stderr
    assert machine.installed() == ""


def test_the_source_is_built_where_no_wheel_fits_and_the_index_allows_it(index: Index, tmp_path: Path) -> None:
    index.sources["3.0"] = make_source("3.0")
    machine = new_machine(tmp_path, "x86_64_v2")
    without_pip = machine.pip(index, "install", "fitdemo==3.0")
    assert "cannot be built because this Python has no pip" in without_pip.stdout + without_pip.stderr
    assert machine.installed() == ""
    venv.create(machine.place, with_pip=True)
    done = machine.pip(index, "install", "fitdemo==3.0")
    assert (done.returncode, machine.installed()) == (0, "3.0 source"), done.stdout + done.stderr
    fitting = new_machine(tmp_path, "x86_64_v3")
    assert fitting.pip(index, "install", "fitdemo==3.0").returncode == 0
    assert fitting.installed() == "3.0 v3"
