"""Which indexes pip and uv are set up to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from cpufit_pip_plugin.cpu_check.installers import (
    Surroundings,
    extra_index_warnings,
    pip_config_paths,
    pip_index,
    read_existing,
    uv_config_paths,
    without_credentials,
)

CONFIG = (
    "[global]\nindex-url = https://one.example/simple\nextra_index_url =\n  https://a.example\n  https://b.example\n"
)


def around(tmp_path: Path, platform: str = "linux", **environ: str) -> Surroundings:
    return Surroundings(
        environ=environ, platform=platform, home=tmp_path, prefix=tmp_path / "venv", folder=tmp_path / "project"
    )


def test_pip_reads_the_virtual_environments_file_after_the_users(tmp_path: Path) -> None:
    paths = pip_config_paths(around(tmp_path))
    assert paths.index(tmp_path / ".config/pip/pip.conf") < paths.index(tmp_path / "venv/pip.conf")
    assert Path("/etc/pip.conf") in paths


def test_pip_config_file_is_read_last_and_devnull_silences_all(tmp_path: Path) -> None:
    assert pip_config_paths(around(tmp_path, PIP_CONFIG_FILE="/mine"))[-1] == Path("/mine")
    assert pip_config_paths(around(tmp_path, PIP_CONFIG_FILE="/dev/null")) == []


@pytest.mark.parametrize(
    ("platform", "environ", "place"),
    [
        ("linux", {"XDG_CONFIG_HOME": "/x"}, "/x/pip/pip.conf"),
        ("linux", {"XDG_CONFIG_DIRS": "/shared"}, "/shared/pip/pip.conf"),
        ("darwin", {}, "/Library/Application Support/pip/pip.conf"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/pip/pip.ini"),
    ],
)
def test_pip_settings_stand_where_the_system_puts_them(
    platform: str, environ: dict[str, str], place: str, tmp_path: Path
) -> None:
    assert Path(place) in pip_config_paths(around(tmp_path, platform, **environ))


def test_index_of_pip_comes_from_the_environment_before_the_files() -> None:
    files = [("a", CONFIG), ("b", "[install]\nindex-url = https://two.example/simple\n"), ("c", "not a config")]
    assert pip_index({"PIP_INDEX_URL": "https://env.example"}, files) == "https://env.example"
    assert pip_index({}, files) == "https://two.example/simple"
    assert pip_index({}, files[:1]) == "https://one.example/simple"
    assert pip_index({}, []) is None


def test_every_extra_index_of_pip_is_named_with_its_place() -> None:
    found = extra_index_warnings({"PIP_EXTRA_INDEX_URL": "https://e.example"}, [("/etc/pip.conf", CONFIG)], [])
    assert [(warning.where, warning.message.split()[0]) for warning in found] == [
        ("PIP_EXTRA_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
        ("/etc/pip.conf [global]", "/etc/pip.conf"),
        ("/etc/pip.conf [global]", "/etc/pip.conf"),
    ]
    assert all("beats the selector" in warning.message for warning in found)


def test_no_extra_index_no_warning() -> None:
    assert extra_index_warnings({}, [("/etc/pip.conf", "[global]\nindex-url = https://x.example\n")], []) == []


@pytest.mark.parametrize("variable", ["UV_INDEX", "UV_EXTRA_INDEX_URL"])
def test_extra_index_of_uv_in_the_environment_is_found(variable: str) -> None:
    found = extra_index_warnings({variable: "torch=https://t.example/?a=b https://u.example"}, [], [])
    assert [warning.message.split()[4] for warning in found] == ["https://t.example/?a=b:", "https://u.example:"]


def test_uv_files_are_read_and_default_and_explicit_indexes_are_no_extras() -> None:
    pytest.importorskip("tomllib")
    text = (
        'extra-index-url = ["https://a.example"]\n'
        '[[index]]\nurl = "https://b.example"\n'
        '[[index]]\nurl = "https://c.example"\ndefault = true\n'
        '[[index]]\nurl = "https://d.example"\nexplicit = true\n'
    )
    messages = [warning.message for warning in extra_index_warnings({}, [], [("uv.toml", text)])]
    assert [message.split(": at equal version")[0] for message in messages] == [
        "uv.toml adds the index https://a.example",
        "uv.toml adds the index https://b.example",
    ]
    project = '[tool.uv.pip]\nextra-index-url = ["https://e.example"]\n'
    assert len(extra_index_warnings({}, [], [("/p/pyproject.toml", project)])) == 1
    assert extra_index_warnings({}, [], [("uv.toml", "index = [")]) == []


def test_cpufit_index_itself_is_no_extra() -> None:
    environ = {"UV_INDEX": "https://mine.example/simple/"}
    assert extra_index_warnings(environ, [], [], own="https://mine.example/simple") == []


def test_projects_file_is_found_from_a_folder_inside(tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text("")
    assert tmp_path / "uv.toml" in uv_config_paths(around(tmp_path))
    assert uv_config_paths(around(tmp_path, UV_NO_CONFIG="1")) == []
    assert uv_config_paths(around(tmp_path, UV_CONFIG_FILE="/mine.toml")) == [Path("/mine.toml")]


def test_files_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("[global]")
    (tmp_path / "bad").write_bytes(b"\xff\xfe\xff")
    names = [tmp_path / name for name in ("good", "bad", "missing", "good")]
    assert read_existing(names) == [(str(tmp_path / "good"), "[global]")]


def test_credentials_are_left_out() -> None:
    assert without_credentials("https://me:p@ss@h.example:8/simple") == "https://h.example:8/simple"
