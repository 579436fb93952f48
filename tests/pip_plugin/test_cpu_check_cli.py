"""The command ``cpu-check``: what this CPU can run, how the command is called, and what it says when that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from tests.pip_plugin.cpu_check_support import COMMAND, ROOTS, SCHEMA, answer, forget_settings

from cpufit_pip_plugin.cpu_check import cli

LINUX = sys.platform == "linux" and os.uname().machine == "x86_64"

pytestmark = pytest.mark.skipif(not LINUX, reason="the reports of these tests are of Linux on x86-64")


@pytest.fixture(autouse=True)
def bare_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path)


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_schema_refuses_what_is_not_the_report() -> None:
    body = {"profile": "x86_64_v2", "features": []}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(body)


def test_report_names_the_cpu_and_what_it_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--cpu", "x86_64_v2+avx"]) == 0
    out = capsys.readouterr().out
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["level"] == "x86_64_v2"
    assert lines["token"] == "x86_64_v2+avx"
    assert "avx" in lines["has"].split()
    assert "avx2" in lines["lacks"].split()
    assert "\x1b" not in out, "no colours into a pipe"


def test_this_machine_is_told_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, body = answer(capsys)
    assert code == 0
    assert body["arch"] == "x86_64"
    assert body["features"] == sorted(body["features"])
    assert body["brand"]


def test_token_alone_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--token", "--cpu", "x86_64_v2 avx aes"]) == 0
    assert capsys.readouterr().out == "x86_64_v2+aes+avx\n"


def test_environment_overrides_the_machine(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPUFIT_CPU", "aarch64_8_2a+asimddp")
    code, body = answer(capsys)
    assert (code, body["profile"], body["source"]) == (0, "aarch64_8_2a+asimddp", "environment")


@pytest.mark.parametrize(
    "argv",
    [
        ["--cpu", "x86_64_v77"],
        ["demo"],
        ["demo", "--index", "ftp://h/"],
        ["--index", "http://h/"],
        ["--all"],
        ["demo", "--token"],
        ["--json", "--token"],
    ],
)
def test_wrong_usage_is_exit_two_with_a_sentence(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code: object = cli.main(argv)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert "cpu-check: " in capsys.readouterr().err


def test_missing_index_names_the_ways_to_give_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo"]) == 2
    err = capsys.readouterr().err
    assert "--index" in err
    assert "CPUFIT_INDEX" in err


@pytest.mark.parametrize("name", ["../etc", "demo==1.2", "demo>=1", "-"])
def test_what_is_no_project_name_is_never_asked_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, body = answer(capsys, "--index", "http://127.0.0.1:9/", name)
    assert (code, body["error"]["code"]) == (2, "invalid-project-name")
    assert "name alone" in body["error"]["hint"]


@pytest.mark.parametrize("variable", ["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_certificates_that_cannot_be_read_are_named(
    variable: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    missing = str(tmp_path / "none.pem")
    monkeypatch.setenv(variable, missing)
    code, body = answer(capsys, "demo", "--index", "https://127.0.0.1:9/")
    assert (code, body["error"]["where"]) == (3, variable)
    assert missing in body["error"]["message"]
    monkeypatch.setenv(variable, str(tmp_path))
    assert "no answer" in answer(capsys, "demo", "--index", "https://127.0.0.1:9/")[1]["error"]["message"]


def test_reader_that_goes_away_gets_no_traceback() -> None:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(ROOTS), "PYTHONUNBUFFERED": "1"}
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, *COMMAND, "--cpu", "x86_64_v2"]
    done = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (cli.NOBODY_READS, "")


def test_server_that_is_not_there_is_exit_three(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--index", "http://127.0.0.1:9/simple/"]) == 3
    assert "no answer" in capsys.readouterr().err


def test_extra_index_is_warned_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:pw@other.example/simple")
    _, body = answer(capsys)
    assert [warning["code"] for warning in body["warnings"]] == ["extra-index-configured"]
    assert "other.example" in body["warnings"][0]["message"]
    assert "pw" not in body["warnings"][0]["message"]
    cli.main([])
    assert "the crash is back" in capsys.readouterr().err


def test_plain_report_loads_neither_httpx_nor_packaging_nor_py_cpuinfo() -> None:
    heavy = "'httpx', 'packaging', 'cpuinfo', 'platform', 'argparse'"
    program = "import sys; from cpufit_pip_plugin.cpu_check.cli import main; main(['--json']); "
    program += f"print([name for name in ({heavy}) if name in sys.modules], file=sys.stderr)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(ROOTS)}
    done = subprocess.run([sys.executable, "-S", "-c", program], env=env, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "['argparse']"
