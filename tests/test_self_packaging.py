"""What we ship: the exact contents of our own wheel and source distribution, and that it can be imported."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="hatchling, the build backend, is not installed")

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "wheelhouse": "cpufit_wheelhouse",
    "resolver": "cpufit_resolver",
    "server": "cpufit_server",
    "pip_plugin": "cpufit_pip_plugin",
}


def _build(source: Path, target: Path, kind: str) -> Path:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return next(target.glob("cpufit-*"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


def _members(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _tree() -> set[str]:
    """Return every file of the four packages in the tree, by the name that it has in the wheel."""
    return {
        path.relative_to(ROOT / folder).as_posix()
        for folder, package in PACKAGES.items()
        for path in (ROOT / folder / package).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


class TestTheWheel:
    def test_holds_the_four_packages_and_nothing_else(self, wheel: Path) -> None:
        assert {name for name in _members(wheel) if ".dist-info/" not in name} == _tree()

    def test_claims_no_import_name_that_others_may_have(self, wheel: Path) -> None:
        top = {name.split("/")[0] for name in _members(wheel)}
        assert {name for name in top if not name.endswith(".dist-info")} == set(PACKAGES.values())

    @pytest.mark.parametrize("package", PACKAGES.values())
    def test_says_that_its_packages_are_typed(self, package: str, wheel: Path) -> None:
        assert f"{package}/py.typed" in _members(wheel)

    def test_has_its_commands(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            name = next(name for name in archive.namelist() if name.endswith("/entry_points.txt"))
            entry_points = ConfigParser()
            entry_points.read_string(archive.read(name).decode())
        assert set(entry_points["console_scripts"]) == {"cpu-check", "cpufit", "cpufit-server"}

    def test_can_be_imported_from_where_pip_puts_it(self, wheel: Path, tmp_path: Path) -> None:
        install = [sys.executable, "-m", "pip", "install", "--no-index", "--no-deps", "--quiet", "--no-warn-conflicts"]
        subprocess.run([*install, "--target", str(tmp_path / "site"), str(wheel)], check=True, capture_output=True)
        code = (
            f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
            f"for name in {sorted(PACKAGES.values())!r}: print(__import__(name).__file__)\n"
            "import cpufit_server.cli, cpufit_pip_plugin.cpu_check.cli\n"
        )
        # isolated, and away from the tree: what is found is what was installed; and no coverage is taken of the copy
        environ = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        told = subprocess.run(
            [sys.executable, "-I", "-c", code], cwd=tmp_path, env=environ, check=True, capture_output=True
        )
        found = told.stdout.decode().splitlines()
        assert found == [str(tmp_path / "site" / name / "__init__.py") for name in sorted(PACKAGES.values())]


class TestTheSourceDistribution:
    def test_holds_what_a_packager_needs(self, sdist: Path) -> None:
        with tarfile.open(sdist) as archive:
            names = {name.split("/", 1)[1] for name in archive.getnames()}
        assert {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "PKG-INFO"} <= names
        assert {".ci/run", "tests/test_self_packaging.py", "docs/how-to/run-the-tests.md"} <= names

    def test_holds_nothing_that_tools_left_behind(self, sdist: Path) -> None:
        with tarfile.open(sdist) as archive:
            parts = {part for name in archive.getnames() for part in name.split("/")}
        assert not [part for part in parts if "cache" in part.lower() and not part.endswith((".py", ".md"))]
        assert not [part for part in parts if part.endswith((".pyc", ".egg-info", ".sqlite3", ".whl"))]

    def test_builds_the_same_wheel_as_the_tree(self, sdist: Path, wheel: Path, tmp_path: Path) -> None:
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path, filter="data")
        source = next(tmp_path.glob("cpufit-*"))
        assert _members(_build(source, tmp_path / "out", "wheel")) == _members(wheel)
