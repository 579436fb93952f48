"""``cpufit config``: set, show and undo in a home of their own; the index is not asked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cpufit_pip_plugin import cli
from cpufit_pip_plugin.telling.settings import plan as planning

URL = "https://h.example/cpu/x86_64_v2/simple/"
PLAIN = "https://h.example/simple/"
Command = Callable[..., int]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """``cpufit config`` in a home of its own; the index is not asked."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_", "CPUFIT_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "network_file_system", lambda _: None)

    def run(action: str, *words: str) -> int:
        own = ("--no-check", "--index-url", "https://me:secret@h.example/") if action == "set" and not words else ()
        return cli.main(["config", action, *own, *words])

    return run


def test_set_show_and_undo(command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pip = tmp_path / ".config" / "pip" / "pip.conf"
    pip.parent.mkdir(parents=True)
    pip.write_bytes(b"# mine\r\n[global]\r\ntimeout = 5")
    assert command("set") == 0
    assert command("set") == 0
    assert "index-url = https://me:secret@h.example/cpu/" in pip.read_text()
    assert command("show") == 0
    assert command("show", "--json", "--only", "uv") == 0
    assert command("undo") == 0
    assert pip.read_bytes() == b"# mine\r\n[global]\r\ntimeout = 5"
    assert names(tmp_path / ".config") == ["pip"]
    told = capsys.readouterr()
    assert "secret" not in told.out + told.err
    assert "others may read it" in told.err
    assert "https://h.example for " in told.out


def test_a_network_file_system_wants_a_cpu_to_be_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(planning, "network_file_system", lambda _: "nfs4")
    assert command("set") == 2
    assert "(nfs4)" in capsys.readouterr().err
    assert names(tmp_path) == []
    assert command("set", "--no-check", "--index-url", PLAIN, "--cpu", "x86_64_v2") == 0
    assert URL in (tmp_path / ".config/pip/pip.conf").read_text()


def test_a_file_that_cannot_be_changed_keeps_the_other_from_being_written(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tomllib")
    uv = tmp_path / ".config" / "uv" / "uv.toml"
    uv.parent.mkdir(parents=True)
    uv.write_text('[[index]]\nurl = "https://h.example/simple/"\ndefault = true\n')
    assert command("set") == 2
    assert f"{uv}: a default index" in capsys.readouterr().err
    assert not (tmp_path / ".config" / "pip").exists()
    assert command("set", "--no-check", "--index-url", PLAIN, "--only", "pip") == 0


def test_where_the_second_file_cannot_be_written_the_first_is_restored(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    uv = tmp_path / ".config" / "uv" / "uv.toml"
    uv.parent.mkdir(parents=True)
    uv.touch()
    uv.with_name("uv.toml.cpufit-backup").mkdir()
    assert command("set", "--no-check", "--index-url", PLAIN, "--json") == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "settings-not-accessible"
    assert names(tmp_path / ".config") == ["uv"]
    assert names(uv.parent) == ["uv.toml", "uv.toml.cpufit-backup"]


def test_a_profile_of_another_cpu_and_a_changed_file_want_attention(
    command: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("set", "--no-check", "--index-url", PLAIN, "--cpu", "s390x") == 0
    capsys.readouterr()
    assert command("show", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in told["files"]] == ["other-cpu", "other-cpu"]
    assert "tells of another CPU" in told["notes"][0]
    path = tmp_path / ".config/pip/pip.conf"
    path.write_text(path.read_text() + "# more\n")
    assert command("show") == 1
    assert command("undo") == 2
    told_by = capsys.readouterr()
    assert "[settings-changed-since]" in told_by.err
    assert "uv.toml: as it was before" in told_by.out
    assert command("undo", "--force") == 0
    assert names(tmp_path) == []


def test_settings_that_are_not_read_are_not_written(
    command: Command, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert command("set") == 2
    assert "[nothing-to-set]" in capsys.readouterr().err
    assert command("show") == 0
    assert command("undo") == 0


def test_what_counts_before_the_files_is_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple/")
    monkeypatch.setenv("UV_INDEX_URL", "https://other.example/simple/")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "named.conf"))
    monkeypatch.setenv("UV_CONFIG_FILE", str(tmp_path / "named.toml"))
    assert command("set") == 0
    told = capsys.readouterr().err
    assert "PIP_INDEX_URL names another address and counts before" in told
    assert "UV_INDEX_URL is set and counts before" in told
    assert (tmp_path / "named.conf").exists()
    assert (tmp_path / "named.toml").exists()
