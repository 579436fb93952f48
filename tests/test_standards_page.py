"""The page on standards names tests that there are, for every PEP that the code names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reference" / "standards.md").read_text(encoding="utf-8")
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
_PEP = re.compile(r"PEPs? (\d{3})(?: and (\d{3}))?")


def rows() -> list[list[str]]:
    """Return the cells of each row of each table, without the heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| standard ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_each_test_that_the_page_names_is_there() -> None:
    named = _TEST.findall(PAGE)
    assert named
    for path, name in named:
        tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{path}::{name}"


def test_each_standard_that_is_implemented_is_tested() -> None:
    for standard, what, tested in rows():
        assert bool(_TEST.search(tested)) or what.startswith("not:"), standard


def peps_in(text: str) -> set[str]:
    return {number for numbers in _PEP.findall(text) for number in numbers if number}


def test_each_pep_that_the_code_names_has_a_row() -> None:
    told = peps_in("\n".join(standard for standard, *_ in rows()))
    for folder in ("server", "wheelhouse", "pip_plugin"):
        for module in (ROOT / folder).rglob("*.py"):
            named = peps_in(module.read_text(encoding="utf-8"))
            assert named <= told, f"{module.relative_to(ROOT)} names {sorted(named - told)}"
