"""The shape of the house holds: which room may import which, and what the rooms that travel may import at all."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def _modules(folder: str) -> list[Path]:
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def _imported(module: Path) -> Iterator[str]:
    """Give the top-level name of each absolute import of a module, wherever in it the import stands."""
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            yield node.module.split(".")[0]


def test_imports_run_in_one_direction() -> None:
    """The contracts are in ``pyproject.toml``; this is the command that holds them."""
    linter = Path(sys.executable).with_name("lint-imports")
    held = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert held.returncode == 0, held.stdout + held.stderr
    assert " 0 broken" in held.stdout


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        # packaging travels along in the selector
        ("resolver/cpufit_resolver", {"packaging"}),
        ("pip_plugin/cpufit_pip_plugin/selector/backend", {"packaging"}),
    ],
    ids=["the resolver", "the selector's backend"],
)
def test_what_travels_in_the_selector_imports_little(folder: str, allowed: set[str]) -> None:
    """It runs on a client that has nothing installed: the standard library, and what travels beside it."""
    standard = sys.stdlib_module_names
    for module in _modules(folder):
        foreign = set(_imported(module)) - standard - allowed - {"cpufit_resolver"}
        assert not foreign, f"{module.relative_to(ROOT)} imports {', '.join(sorted(foreign))}"


def test_the_conformance_suite_can_be_taken_elsewhere() -> None:
    """Somebody with another index takes the folder alone."""
    for module in _modules("tests/conformance"):
        foreign = set(_imported(module)) - sys.stdlib_module_names - {"httpx", "packaging", "pytest"}
        assert not foreign, f"{module.relative_to(ROOT)} imports {', '.join(sorted(foreign))}"


@pytest.mark.parametrize("folder", ["resolver", "wheelhouse", "pip_plugin", "server"])
def test_a_source_root_is_no_package(folder: str) -> None:
    """An ``__init__.py`` there would make ``import server`` work, and clash with somebody else's."""
    assert not (ROOT / folder / "__init__.py").exists()
