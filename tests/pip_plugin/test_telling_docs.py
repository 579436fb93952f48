"""The reference page names every option and exit code of the commands that tell an index the CPU."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from cpufit_pip_plugin import cli
from cpufit_pip_plugin.telling import run_command, situation
from cpufit_pip_plugin.telling.settings import errors, restoring

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cpufit.md").read_text(encoding="utf-8")


def options_of(name: str) -> set[str]:
    return set(_options(_choices(cli.build_parser())[name]))


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from (option for action in parser._actions for option in action.option_strings if option.startswith("--"))
    for below in _choices(parser).values():
        yield from _options(below)


def _choices(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0].choices) if found else {}


@pytest.mark.parametrize("name", ["env", "run", "config"])
def test_every_option_is_in_the_commands_table(name: str) -> None:
    table = PAGE.split(f"| option of `{name}` |", 1)[1].split("\n\n", 1)[0]
    assert set(re.findall(r"`(--[a-z][a-z-]*)", table)) == options_of(name)


def test_every_exit_code_is_described() -> None:
    told = PAGE.split("## Exit codes of", 1)[1]
    codes = (
        situation.DONE,
        situation.ATTENTION,
        situation.USAGE,
        situation.NOT_CPUFIT,
        run_command.NOT_EXECUTABLE,
        run_command.NOT_FOUND,
    )
    assert [code for code in codes if f"\n| {code} |" not in told] == []


def test_every_error_and_state_of_settings_files_is_described() -> None:
    codes = [error.code for error in errors.SettingsError.__subclasses__()]
    assert len(codes) >= 6
    words = [*codes, *get_args(restoring.State), "restored", "other-cpu"]
    assert [word for word in words if f"`{word}`" not in PAGE] == []
