"""The reference pages that programs in ``benchmarks/`` write: the programs, their data, and what stands in the page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

_ROOT = Path(__file__).parents[1]


def program(name: str) -> ModuleType:
    """Load a program of ``benchmarks/``, which is no package."""
    spec = importlib.util.spec_from_file_location(name, _ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data(name: str) -> Any:
    """Return what was measured, by the file's name below ``benchmarks/`` without its ending; each time anew."""
    return json.loads((_ROOT / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))


def page(name: str) -> str:
    """Return a page of ``docs/reference/``, by its name without the ending."""
    return (_ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
