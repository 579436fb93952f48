"""The reference page names everything that the command has."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from cpufit_pip_plugin.cpu_check import cli
from cpufit_pip_plugin.cpu_check.report import NOTABLE, SOURCES
from cpufit_resolver.features import architecture

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cpu-check.md"
SCHEMA = Path(cli.__file__).parent / "schemas" / "cpu-check.schema.json"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_option_is_described(page: str) -> None:
    options = [word for action in cli.build_parser()._actions for word in action.option_strings if word != "-h"]
    assert len(options) >= 6
    assert [option for option in options if f"`{option}" not in page] == []


def test_every_positional_argument_is_described(page: str) -> None:
    names = [action.metavar for action in cli.build_parser()._actions if not action.option_strings]
    assert names == ["PROJECT"]
    assert "cpu-check PROJECT" in page


@pytest.mark.parametrize("code", [cli.FITS, cli.NOTHING_FITS, cli.USAGE, cli.INDEX_CANNOT_ANSWER])
def test_every_exit_code_is_described_on_the_page_and_in_the_help(code: int, page: str) -> None:
    assert f"\n| {code} | " in page
    assert f"{code} " in str(cli.build_parser().epilog)


def test_every_key_and_word_of_the_schema_is_described(page: str) -> None:
    forms = json.loads(SCHEMA.read_text())["oneOf"]
    keys = {key for form in forms for key in form["properties"]} - {"error"}
    properties = forms[0]["properties"]
    words = {*properties["source"]["enum"], *properties["hidden"]["items"]["properties"]["by"]["enum"]}
    assert [word for word in sorted(keys | words) if f"`{word}`" not in page] == []


def test_every_source_has_a_sentence() -> None:
    assert set(SOURCES) == set(json.loads(SCHEMA.read_text())["oneOf"][0]["properties"]["source"]["enum"])


def test_notable_features_are_words_of_their_architecture() -> None:
    for arch, names in NOTABLE.items():
        assert set(names) <= architecture(arch).vocabulary


def test_help_can_be_printed() -> None:
    assert isinstance(cli.build_parser(), argparse.ArgumentParser)
    assert "exit codes" in cli.build_parser().format_help()
