"""What tests of ``cpu-check`` share: a machine without settings, and the report read back."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import cpufit_pip_plugin.cpu_check
import cpufit_resolver
from cpufit_pip_plugin.cpu_check import cli

PACKAGE = Path(cpufit_pip_plugin.cpu_check.__file__).parent
SCHEMA = json.loads((PACKAGE / "schemas" / "cpu-check.schema.json").read_text())
COMMAND = ("-m", "cpufit_pip_plugin.cpu_check.cli")
ROOTS = [str(Path(cpufit_resolver.__file__).parents[1]), str(PACKAGE.parents[1])]
"""The source roots that the command needs when nothing is installed."""


def forget_settings(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Take away what the machine's pip, uv and cpufit are set up to do, and give them a home of their own."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "CPUFIT_", "VIRTUAL_ENV")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "settings"))


def answer(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    """Run the command and return its exit code and its report, which is as its schema says."""
    code = cli.main([*argv, "--json"])
    body = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(body)
    return code, body
