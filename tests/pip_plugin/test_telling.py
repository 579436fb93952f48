"""What tells an index the CPU: addresses, User-Agent data, the index that is meant, variables and shells."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cpufit_pip_plugin.cpu_check.index import InvalidIndexUrl
from cpufit_pip_plugin.cpu_check.installers import uv_default_index
from cpufit_pip_plugin.telling.addresses import names_a_cpu, plain_url, profile_url, readable_address
from cpufit_pip_plugin.telling.indexes import ChosenIndex, index_of_pip, index_of_uv
from cpufit_pip_plugin.telling.shells import (
    SHELLS,
    quote_fish,
    quote_posix,
    quote_powershell,
    script,
    usual_shell,
)
from cpufit_pip_plugin.telling.user_data import token_in, with_profile
from cpufit_pip_plugin.telling.variables import Variables, installs_here, names_an_index, variables_for

TOKEN = "x86_64_v2+avx"
NASTY = "http://h.example/a'b\"$(touch${IFS}pwned)`id`;&|<>\\%20\u2019@NAME@/simple/"


def chosen(url: str, *, explicit: bool = False, named: str = "") -> ChosenIndex:
    return ChosenIndex(address=readable_address(url), where="a test", explicit=explicit, named=named)


@pytest.mark.parametrize(
    "url", ["https://h.example", "https://h.example/simple/", "https://h.example/cpu/x86_64_v1/simple/"]
)
def test_every_address_of_an_index_leads_to_the_same_two(url: str) -> None:
    address = readable_address(url)
    assert plain_url(address) == "https://h.example/simple/"
    assert profile_url(address, TOKEN) == "https://h.example/cpu/x86_64_v2+avx/simple/"


def test_credentials_stay_in_the_address_and_out_of_what_is_shown() -> None:
    address = readable_address("https://me:p%40ss@h.example/root/simple/")
    assert profile_url(address, TOKEN) == "https://me:p%40ss@h.example/root/cpu/x86_64_v2+avx/simple/"
    assert "p%40ss" not in address.shown


@pytest.mark.parametrize("url", ["https://h.example/\nexport X=1", "https://h.example/a b/", "file:///x", "https://"])
def test_an_address_that_a_reader_of_urls_would_mend_is_refused(url: str) -> None:
    with pytest.raises(InvalidIndexUrl):
        readable_address(url)


def test_a_folder_called_cpu_names_no_cpu() -> None:
    assert names_a_cpu(readable_address("https://h.example/cpu/x86_64_v3+avx512f/simple/"))
    assert not names_a_cpu(readable_address("https://h.example/cpu/wheels/simple/"))
    assert not names_a_cpu(readable_address("https://h.example/simple/"))


@pytest.mark.parametrize(
    ("own", "told"),
    [
        (None, "cpufit=x86_64_v2+avx"),
        ("  ", "cpufit=x86_64_v2+avx"),
        ("team=red", "team=red; cpufit=x86_64_v2+avx"),
        ("team=red;cpufit=x86_64_v1", "team=red; cpufit=x86_64_v2+avx"),
        ("cpufit=x86_64_v1+aes; team=red", "team=red; cpufit=x86_64_v2+avx"),
        ("notcpufit=x86_64_v1", "notcpufit=x86_64_v1; cpufit=x86_64_v2+avx"),
        ("[1, 2]", "[1, 2]; cpufit=x86_64_v2+avx"),
        ('{"a": "ü"}', '{"a": "ü", "cpufit": "x86_64_v2+avx"}'),
        ('{"cpufit": "x86_64_v1", "a": 1}', '{"cpufit": "x86_64_v2+avx", "a": 1}'),
        ("{half", "{half; cpufit=x86_64_v2+avx"),
    ],
)
def test_the_users_own_data_stays_beside_the_profile(own: str | None, told: str) -> None:
    assert with_profile(own, TOKEN) == told
    assert token_in(told) == TOKEN
    assert with_profile(told, TOKEN) == told


@pytest.mark.parametrize("text", ["", "team=red", '{"cpufit": 5}', "{" * 100_000, "[" * 100_000, "cpufit="])
def test_data_without_a_profile_tells_none(text: str) -> None:
    assert token_in(text) is None


def test_the_index_named_to_cpufit_comes_before_what_installers_are_told() -> None:
    environ = {"PIP_INDEX_URL": "https://pip.example/simple", "UV_INDEX_URL": "https://uv.example/simple"}
    pip = index_of_pip("https://mine.example", environ, [])
    assert pip is not None
    assert (pip.address.base, pip.explicit) == ("https://mine.example", True)
    pip, uv = index_of_pip(None, environ, []), index_of_uv(None, environ, [], [])
    assert pip is not None
    assert uv is not None
    assert (pip.where, uv.where) == ("PIP_INDEX_URL", "UV_INDEX_URL")
    both = index_of_uv(None, {**environ, "CPUFIT_INDEX": "https://own.example"}, [], [])
    assert both is not None
    assert both.where == "CPUFIT_INDEX"


def test_uv_without_an_index_of_its_own_takes_pips() -> None:
    files = [("pip.conf", "[global]\nindex-url = https://pip.example/simple\n")]
    uv = index_of_uv(None, {}, [], files)
    assert uv is not None
    assert (uv.address.base, uv.where) == ("https://pip.example", "pip's settings")
    assert index_of_uv(None, {}, [], []) is None
    # uv is told a folder: that is its own business, and pip's index is not put in its place
    assert index_of_uv(None, {"UV_INDEX_URL": "/srv/wheels"}, [], files) is None


def test_a_name_that_uv_gives_its_index_is_kept_for_its_credentials() -> None:
    environ = {"UV_DEFAULT_INDEX": "corp=https://h.example/simple?a=b"}
    uv = index_of_uv(None, environ, [], [])
    assert uv is not None
    told = variables_for(TOKEN, environ, None, uv)
    assert told.installing == {"UV_DEFAULT_INDEX": "corp=https://h.example/cpu/x86_64_v2+avx/simple/"}


def test_a_bad_address_named_to_cpufit_says_where_it_stands() -> None:
    with pytest.raises(InvalidIndexUrl) as caught:
        index_of_pip(None, {"CPUFIT_INDEX": "ftp://h"}, [])
    assert caught.value.where == "CPUFIT_INDEX"


def test_uv_settings_name_the_default_index_the_project_first() -> None:
    pytest.importorskip("tomllib")
    user = ("/home/me/.config/uv/uv.toml", 'index-url = "https://user.example"')
    project = ("/p/pyproject.toml", '[[tool.uv.index]]\nurl = "https://p.example"\ndefault = true\n')
    assert uv_default_index([user, project]) == "https://p.example"
    assert uv_default_index([user]) == "https://user.example"
    assert uv_default_index([("x/uv/uv.toml", '[pip]\nindex-url = "https://pip.example"\n')]) == "https://pip.example"
    assert uv_default_index([("x/uv/uv.toml", '[[index]]\nurl = "https://extra.example"\n')]) is None


def test_pip_keeps_its_index_and_only_what_installs_gets_the_profile_url() -> None:
    told = variables_for(TOKEN, {}, chosen("https://h.example"), chosen("https://h.example"))
    assert told.everywhere == {
        "PIP_USER_AGENT_USER_DATA": f"cpufit={TOKEN}",
        "UV_INDEX_URL": "https://h.example/simple/",
    }
    assert told.installing == {"UV_INDEX_URL": f"https://h.example/cpu/{TOKEN}/simple/"}


def test_a_profile_url_of_pip_gives_way_because_it_would_count_before_the_user_agent() -> None:
    told = variables_for(TOKEN, {}, chosen("https://h.example/cpu/x86_64_v1/simple/"), None)
    assert told.everywhere["PIP_INDEX_URL"] == "https://h.example/simple/"
    assert told.installing == {}


@pytest.mark.parametrize(
    ("command", "installs"),
    [
        ("uv pip install x", True),
        ("/opt/bin/uv --quiet pip sync r.txt", True),
        ("C:\\bin\\uv.exe pip install x", True),
        ("python3.12 -m uv pip install x", True),
        ("uv tool install x", True),
        ("uvx ruff", True),
        ("pipx install x", True),
        ("python -m pipx install x", True),
        ("uv lock", False),
        ("uv sync", False),
        ("uv add pip", False),
        ("uv run --with x pip", False),
        ("uv pip compile r.in", False),
        ("uv pip -v compile r.in", False),
        ("poetry install", False),
        ("pdm lock", False),
        ("make all", False),
        ("python -m", False),
        ("uv", False),
    ],
)
def test_what_writes_a_lock_is_told_from_what_installs(command: str, installs: bool) -> None:
    assert installs_here(command.split(" ")) is installs


def test_an_index_on_the_command_line_is_seen() -> None:
    assert names_an_index(["uv", "pip", "install", "--default-index=https://x", "y"])
    assert names_an_index(["uv", "pip", "install", "-i", "https://x", "y"])
    assert not names_an_index(["uv", "pip", "install", "index-url"])


def test_each_shell_has_a_quoting() -> None:
    assert SHELLS == ("bash", "zsh", "fish", "powershell")
    assert quote_posix("a'b") == "'a'\"'\"'b'"
    assert quote_fish("a'b\\") == "'a\\'b\\\\'"
    assert quote_powershell("a'b\u2019c") == "'a''b\u2019\u2019c'"


@pytest.mark.parametrize(
    ("environ", "platform", "shell"),
    [
        ({"SHELL": "/usr/bin/fish"}, "linux", "fish"),
        ({"SHELL": "/bin/zsh"}, "darwin", "zsh"),
        ({"SHELL": "/bin/dash"}, "linux", "bash"),
        ({}, "linux", "bash"),
        ({}, "win32", "powershell"),
    ],
)
def test_the_usual_shell(environ: dict[str, str], platform: str, shell: str) -> None:
    assert usual_shell(environ, platform) == shell


def test_an_address_stands_in_powershell_as_one_quoted_text() -> None:
    told = variables_for(TOKEN, {}, None, chosen(NASTY))
    url = told.everywhere["UV_INDEX_URL"]
    assert f"$env:UV_INDEX_URL = {quote_powershell(url)}\n" in script(told, "powershell")


_CALLS = (
    "uv pip install x",
    "uv -q pip -v compile x",
    "uv lock",
    "uv sync",
    "uv run pip install",
    "uv tool install x",
    "uvx x",
    "pipx install x",
)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_takes_it_in_and_runs_nothing_of_an_odd_address(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    for name in ("uv", "uvx", "pipx"):
        stand_in = tmp_path / name
        stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$UV_INDEX_URL"\n')
        stand_in.chmod(0o755)
    told = variables_for(TOKEN, {}, None, chosen(NASTY))
    text = script(told, shell) + "\n".join([*_CALLS, 'printf "%s\\n" "$PIP_USER_AGENT_USER_DATA"']) + "\n"
    (tmp_path / "script").write_text(text, encoding="utf-8")
    variables = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    ended = subprocess.run(
        [program, "script"], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    plain, profile = told.everywhere["UV_INDEX_URL"], told.installing["UV_INDEX_URL"]
    assert ended.stdout.splitlines() == [
        profile,
        plain,
        plain,
        plain,
        plain,
        profile,
        profile,
        profile,
        f"cpufit={TOKEN}",
    ]
    assert not (tmp_path / "pwned").exists()


def test_the_functions_in_a_shell_follow_the_rule_that_run_follows(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (tmp_path / "uv").write_text('#!/bin/sh\nprintf "%s\\n" "$UV_INDEX_URL"\n')
    (tmp_path / "uv").chmod(0o755)
    calls = [call for call in (*_CALLS, "uv --directory pip lock", "uv python list", "uv -v tool run lock") if
             call.startswith("uv ")]  # fmt: skip
    told = Variables(everywhere={"UV_INDEX_URL": "plain"}, installing={"UV_INDEX_URL": "profile"})
    ended = subprocess.run(
        [bash, "-c", script(told, "bash") + "\n".join(calls)],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert ended.stdout.split() == ["profile" if installs_here(call.split()) else "plain" for call in calls]


def test_user_data_as_json_reads_back_as_json() -> None:
    assert json.loads(with_profile('{"a": {"b": [1]}}', TOKEN)) == {"a": {"b": [1]}, "cpufit": TOKEN}
