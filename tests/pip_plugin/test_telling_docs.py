"""The reference page names every option and exit code of the commands that tell an index the CPU."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from cpufit_pip_plugin import cli
from cpufit_pip_plugin.telling import run_command, situation

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cpufit.md").read_text(encoding="utf-8")


def options_of(name: str) -> set[str]:
    subparsers = next(
        action for action in cli.build_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    parser = subparsers.choices[name]
    return {option for action in parser._actions for option in action.option_strings if option.startswith("--")}


@pytest.mark.parametrize("name", ["env", "run"])
def test_every_option_is_in_the_commands_table(name: str) -> None:
    table = PAGE.split(f"| option of `{name}` |", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`(--[a-z][a-z-]*)", table)) == options_of(name)


def test_every_exit_code_is_described() -> None:
    told = PAGE.split("## Exit codes of", 1)[1]
    codes = (situation.DONE, situation.USAGE, situation.NOT_CPUFIT, run_command.NOT_EXECUTABLE, run_command.NOT_FOUND)
    assert [code for code in codes if f"\n| {code} |" not in told] == []
