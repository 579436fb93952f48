"""The reference page names everything that the command has."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest

from cpufit_pip_plugin.cpu_check import cli
from cpufit_pip_plugin.cpu_check.report import NOTABLE, SOURCES
from cpufit_resolver.features import architecture
from cpufit_resolver.microarchitectures import microarchitectures

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
    assert names == ["PROJECT|WHEEL"]
    assert "cpu-check PROJECT" in page
    assert "cpu-check WHEEL" in page


@pytest.mark.parametrize("code", [cli.FITS, cli.NOTHING_FITS, cli.USAGE, cli.INDEX_CANNOT_ANSWER, cli.NOT_TOLD])
def test_every_exit_code_is_described_on_the_page_and_in_the_help(code: int, page: str) -> None:
    assert f"\n| {code} | " in page
    assert f"{code} " in str(cli.build_parser().epilog)


def test_every_key_and_word_of_the_schema_is_described(page: str) -> None:
    forms = json.loads(SCHEMA.read_text())["oneOf"]
    keys = {key for form in forms for key in form["properties"]} - {"error"}
    properties = forms[0]["properties"]
    words = {*properties["source"]["enum"], *properties["hidden"]["items"]["properties"]["by"]["enum"]}
    assert [word for word in sorted(keys | words) if f"`{word}`" not in page] == []


def test_every_question_and_word_of_its_answer_is_described(page: str) -> None:
    forms = json.loads(SCHEMA.read_text())["oneOf"]
    told: set[str] = set()
    pending: list[object] = list(forms)
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            told |= set(part.get("properties", ())) | {word for word in part.get("enum", ()) if word}
            pending += [*part.get("properties", {}).values(), part.get("items"), *part.get("oneOf", ())]
    assert [word for word in sorted(told) if f"`{word}`" not in page and f'"{word}"' not in page] == []


def test_every_warning_is_described(page: str) -> None:
    modules = (Path(cli.__file__).parent / name for name in ("installers.py", "surroundings.py"))
    codes = {code for module in modules for code in re.findall(r'Warned\(\s*code="([a-z-]+)"', module.read_text())}
    assert len(codes) == 3
    assert [code for code in codes if f"`{code}`" not in page] == []


def test_every_microarchitecture_is_named(page: str) -> None:
    assert [name for name in microarchitectures() if f"`{name}`" not in page] == []


def test_every_source_has_a_sentence() -> None:
    assert set(SOURCES) == set(json.loads(SCHEMA.read_text())["oneOf"][0]["properties"]["source"]["enum"])


def test_notable_features_are_words_of_their_architecture() -> None:
    for arch, names in NOTABLE.items():
        assert set(names) <= architecture(arch).vocabulary


def test_help_can_be_printed() -> None:
    assert isinstance(cli.build_parser(), argparse.ArgumentParser)
    assert "exit codes" in cli.build_parser().format_help()
