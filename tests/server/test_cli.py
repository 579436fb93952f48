from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cpufit_resolver import CpufitError
from cpufit_server import cli
from cpufit_server.errors import InvalidSetting

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cpufit-server.md"


def commands(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Yield each command that can be run, with its options and positional arguments."""
    words: set[str] = set()
    nested = False
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            nested = True
            for name, inner in action.choices.items():
                yield from commands(inner, (*path, name))
        elif action.dest != "help":
            words |= set(action.option_strings) or {str(action.metavar)}
    if not nested:
        yield " ".join(path), words


def sections() -> dict[str, str]:
    """Return the reference's text by the command that a heading names."""
    text = REFERENCE.read_text(encoding="utf-8")
    parts = re.split(r"^## `cpufit-server (.+?)`$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


class TestTheReference:
    def test_has_a_section_for_each_command_and_no_other(self) -> None:
        assert list(sections()) == [name for name, _ in commands(cli.make_parser())]

    def test_names_each_option_and_no_other(self) -> None:
        for name, words in commands(cli.make_parser()):
            named = set(re.findall(r"^\| `([^`\s]+)", sections()[name], flags=re.MULTILINE))
            assert named == words, name

    def test_tells_the_exit_codes(self) -> None:
        text = REFERENCE.read_text(encoding="utf-8")
        for code in (cli.DONE, cli.REFUSED, cli.USAGE, cli.INTERRUPTED):
            assert f"| {code} |" in text


class TestTheExitCode:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (None, 0),
            (CpufitError("no", where="here", hint="so"), 1),
            (InvalidSetting("no"), 2),
            (KeyboardInterrupt(), 130),
        ],
    )
    def test_follows_from_what_happened(
        self, error: BaseException | None, code: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def execute(arguments: argparse.Namespace) -> int:
            if error is not None:
                raise error
            return 0

        def parser(only: str | None) -> argparse.ArgumentParser:
            made = argparse.ArgumentParser()
            made.set_defaults(execute=execute)
            return made

        monkeypatch.setattr(cli, "make_parser", parser)
        assert cli.main([]) == code

    @pytest.mark.parametrize("arguments", [[], ["nothing"], ["token"], ["project", "set"]])
    def test_of_wrong_usage_is_2(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == cli.USAGE


def test_an_error_is_told_with_place_code_and_hint(capsys: pytest.CaptureFixture[str]) -> None:
    cli.tell(CpufitError("it is broken", where="there", hint="mend it", code="broken"))
    assert capsys.readouterr().err == "error: there: it is broken [broken]\n  hint: mend it\n"


def test_the_module_is_the_command() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "cpufit_server", "--help"], check=True, capture_output=True, text=True
    )
    assert answer.stdout.startswith("usage: cpufit-server ")


def test_asking_for_help_loads_no_web_framework() -> None:
    code = "import sys, cpufit_server.cli as c; c.make_parser(); print('fastapi' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert answer.stdout == "False\n"
