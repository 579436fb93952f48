"""``cpu-check --environment`` on real wheels: on this machine, and on emulated CPUs that lack what they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.flow.flow_machines import HERE, NEHALEM, QEMU64, Machine, clean_environment
from tests.flow.native_wheels import V3

import cpufit_pip_plugin.cpu_check
import cpufit_resolver
import cpufit_wheelhouse
from cpufit_pip_plugin.cpu_check import cli
from cpufit_server.machines import find_emulator, make_emulated_venv, make_venv

PROJECTS = ("polars==2.1.0", "polars-runtime-32==2.1.0", "duckdb==2.0.0", "numpy==2.4.6")
COMMAND = ("-m", "cpufit_pip_plugin.cpu_check.cli", "--environment")
SCHEMA = json.loads(
    (Path(cpufit_pip_plugin.cpu_check.__file__).parent / "schemas" / "cpu-check.schema.json").read_text()
)
DEAD: Mapping[Machine, set[str]] = {
    NEHALEM: {"duckdb", "polars-runtime-32"},
    QEMU64: {"duckdb", "polars-runtime-32", "numpy"},
}

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="qemu-x86_64 runs on Linux"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the real packages, installed by pip."""
    folder = tmp_path_factory.mktemp("real") / "site-packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--no-compile"]
    done = subprocess.run([*pip, "--target", str(folder), *PROJECTS], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"the packages cannot be had: {done.stderr[-300:]}")
    return folder


def environment(machine: Machine, folder: Path, *imports: Path) -> Path:
    """Return the Python of an environment on a machine that imports from some folders as well."""
    if machine.model is None:
        python = make_venv(folder)
    elif find_emulator() is None:
        pytest.skip("qemu-x86_64 is not installed (Debian: qemu-user)")
    else:
        python = make_emulated_venv(folder, machine.model).python
    own = next((folder / "lib").glob("python3*")) / "site-packages"
    (own / "more.pth").write_text("".join(f"{path}\n" for path in imports), encoding="utf-8")
    return python


def tool(machine: Machine, folder: Path) -> Path:
    """Return a Python on a machine that has this command."""
    modules = (cpufit_resolver, cpufit_wheelhouse, cpufit_pip_plugin)
    roots = [Path(str(module.__file__)).parents[1] for module in modules]
    return environment(machine, folder, *roots, Path(sysconfig.get_paths()["purelib"]))


def asked(python: Path, scratch: Path, *argv: str, timeout: float = 600) -> tuple[int, dict[str, Any]]:
    """Run the command by a Python and return the exit code and what it says."""
    roots = os.pathsep.join(path for path in sys.path if path)
    extra = {"PYTHONPATH": roots} if python == Path(sys.executable) else {}
    done = subprocess.run(
        [str(python), *COMMAND, *argv, "--json"],
        env=clean_environment(scratch, **extra),
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.stdout, done.stderr
    body: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(body)
    return done.returncode, body


def states(body: dict[str, Any], state: str) -> set[str]:
    return {one["name"] for one in body["packages"] if one["state"] == state}


def test_all_is_well_where_the_cpu_has_everything(site: Path, tmp_path: Path) -> None:
    if HERE.best is not V3:
        pytest.skip("this machine cannot run them itself")
    code, body = asked(Path(sys.executable), tmp_path, str(environment(HERE, tmp_path / "venv", site)))
    assert (code, body["method"]) == (cli.FITS, "machine-code")
    assert states(body, "runs") >= DEAD[QEMU64]


@pytest.mark.emulated
@pytest.mark.parametrize("machine", DEAD, ids=lambda machine: machine.name)
def test_the_cpu_is_that_of_the_environments_python(machine: Machine, site: Path, tmp_path: Path) -> None:
    python = environment(machine, tmp_path / "venv", site)
    code, body = asked(Path(sys.executable), tmp_path, str(python))
    assert (code, body["method"]) == (cli.NOTHING_FITS, "machine-code")
    assert states(body, "cannot-run") == DEAD[machine]
    packages = {one["name"]: one for one in body["packages"]}
    assert packages["polars-runtime-32"]["brought_by"] == ["polars"]
    assert all(one["missing_features"] for one in body["packages"] if one["state"] == "cannot-run")
    assert "uv-detects-another-cpu" in {warning["code"] for warning in body["warnings"]}


@pytest.mark.emulated
def test_a_cpu_that_cannot_run_numpy_still_names_what_dies(site: Path, tmp_path: Path) -> None:
    python = environment(QEMU64, tmp_path / "venv", site)
    code, body = asked(tool(QEMU64, tmp_path / "tool"), tmp_path, str(python))
    assert (code, body["method"]) == (cli.NOTHING_FITS, "trial")
    assert states(body, "cannot-run") == DEAD[QEMU64]
    libraries = {one["name"]: [lib["library"] for lib in one["libraries"]] for one in body["packages"]}
    assert libraries["polars-runtime-32"] == ["_polars_runtime_32/_polars_runtime.abi3.so"]
    assert libraries["numpy"][0].startswith("numpy/_core/_multiarray_umath.")
    code, body = asked(tool(QEMU64, tmp_path / "again"), tmp_path, str(python), "--no-try")
    assert (code, body["error"]["code"]) == (cli.NOT_TOLD, "inspection-cannot-run")


@pytest.mark.emulated
def test_what_is_tried_is_what_is_read(site: Path, tmp_path: Path) -> None:
    python = environment(NEHALEM, tmp_path / "venv", site)
    code, body = asked(tool(NEHALEM, tmp_path / "tool"), tmp_path, str(python), "--try")
    assert (code, body["method"]) == (cli.NOTHING_FITS, "trial")
    assert states(body, "cannot-run") == DEAD[NEHALEM]
    assert "numpy" in states(body, "runs")


@pytest.mark.emulated
@pytest.mark.grid
@pytest.mark.skipif(not os.environ.get("CPUFIT_TEST_GRID"), reason="takes minutes: numba compiles on the emulated CPU")
def test_machine_code_is_read_on_an_emulated_cpu_as_well(site: Path, tmp_path: Path) -> None:
    python = environment(NEHALEM, tmp_path / "venv", site)
    code, body = asked(tool(NEHALEM, tmp_path / "tool"), tmp_path, str(python), "--no-try", timeout=1800)
    assert (code, body["method"]) == (cli.NOTHING_FITS, "machine-code")
    assert states(body, "cannot-run") == DEAD[NEHALEM]
