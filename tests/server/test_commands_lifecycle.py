"""``cpufit-server project yank``, ``unyank``, ``status``, ``delete``, ``journal``, and ``sweep``."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from cpufit_server.cli import main

NAME = "fast-1.0-py3-none-any.whl"


@pytest.fixture
def run(
    server: Any,
    make_wheel: Callable[..., Any],
    make_sdist: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Any]:
    """Run a command of ``project`` on an index with two releases of ``fast``; returns its status and what it wrote."""
    monkeypatch.setenv("CPUFIT_HOME", str(server.settings.home))
    for file in (make_wheel(), make_sdist(), make_wheel(version="2.0")):
        server.upload(file)

    def command(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["project", *words])
        written = capsys.readouterr()
        return status, written.out, written.err

    return command


def test_a_release_is_yanked_and_unyanked(server: Any, run: Callable[..., Any]) -> None:
    status, out, _ = run("yank", "fast", "--release", "1.0.0", "--why", "wrong", "--who", "mara")
    assert (status, sorted(out.splitlines())) == (0, [f"{NAME}: yanked: wrong", "fast-1.0.tar.gz: yanked: wrong"])
    assert {file.filename for file in server.home.catalog.files("fast") if file.yanked == "wrong"} == {
        NAME,
        "fast-1.0.tar.gz",
    }
    told = server.client.get("/api/v1/projects/fast").json()["releases"][1]["files"]
    assert [file["yanked"] for file in told] == ["wrong", "wrong"]
    assert "    yanked: wrong\n" in run("show", "fast")[1]
    assert run("yank", "fast", "--release", "1.0", "--why", "wrong")[1] == "fast: yanked for this reason already\n"
    status, out, _ = run("unyank", "fast", "--file", NAME, "--why", "right", "--json")
    assert (status, [file["filename"] for file in json.loads(out)["files"]]) == (0, [NAME])
    assert [file.yanked for file in server.home.catalog.files("fast")] == [None, "wrong", None]


def test_a_status_is_set_and_keeps_files_out(
    server: Any, run: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    status, out, _ = run("status", "fast", "archived", "--why", "moved", "--json")
    assert (status, json.loads(out)) == (0, {"project": "fast", "status": "archived", "reason": "moved"})
    answer = server.upload(make_wheel(version="3.0"))
    assert (answer.status_code, answer.json()["code"]) == (403, "project-archived")
    assert "  archived: moved\n" in run("show", "fast")[1]
    assert run("status", "fast", "active", "--why", "back")[1] == "fast is active\n"
    assert server.upload(make_wheel(version="3.0")).status_code == 200


def test_a_deletion_is_told_first_and_done_with_yes(
    server: Any, run: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    (digest,) = (file.sha256 for file in server.home.catalog.files("fast") if file.filename == NAME)
    words = ("delete", "fast", "--file", digest[:8], "--why", "a secret")
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert NAME in err
    assert "[not-confirmed]" in err
    assert server.home.catalog.find_file(digest)
    status, out, _ = run(*words, "--yes", "--json")
    told = json.loads(out)
    assert (status, told["project"], [file["sha256"] for file in told["files"]]) == (0, "fast", [digest])
    assert told["removed_blobs"] >= 1
    assert server.client.get(f"/files/{digest}/{NAME}").status_code == 404
    assert NAME not in server.names()
    assert server.upload(make_wheel(extra=b"#")).json()["code"] == "filename-was-deleted"


def test_a_project_goes_and_its_journal_stays(server: Any, run: Callable[..., Any]) -> None:
    run("status", "fast", "deprecated", "--why", "old", "--who", "mara")
    status, out, _ = run("delete", "fast", "--everything", "--why", "gone", "--who", "mara", "--yes")
    assert (status, "fast is not hosted here any more" in out) == (0, True)
    assert server.client.get("/simple/fast/").status_code == 404
    assert [path for path in (server.settings.home / "blobs").rglob("*") if path.is_file()] == []
    status, out, _ = run("journal", "fast")
    lines = out.splitlines()
    assert (status, len(lines)) == (0, 5)
    assert lines[0].endswith("  delete-project  fast  mara: gone")
    assert lines[-1].endswith("  status  fast  mara: deprecated: old")
    entries = json.loads(run("journal", "fast", "--limit", "2", "--json")[1])["entries"]
    assert [entry["action"] for entry in entries] == ["delete-project", "delete"]


def test_hidings_freezes_and_settings_are_in_the_journal_too(run: Callable[..., Any]) -> None:
    assert run("hide", "fast", NAME, "--why", "slow", "--who", "mara")[0] == 0
    assert run("unhide", "fast", NAME)[0] == 0
    assert run("set", "fast", "--variants", "on")[0] == 0
    assert [entry["action"] for entry in json.loads(run("journal", "fast", "--json")[1])["entries"]] == [
        "settings",
        "unhide",
        "hide",
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("yank", "slow", "--release", "1.0", "--why", "x"), "no-such-project"),
        (("yank", "fast", "--release", "7", "--why", "x"), "no-such-release"),
        (("yank", "fast", "--release", "no version", "--why", "x"), "no-such-release"),
        (("unyank", "fast", "--file", "other.whl", "--why", "x"), "no-such-file"),
        (("status", "slow", "archived", "--why", "x"), "no-such-project"),
        (("delete", "fast", "--release", "7", "--why", "x", "--yes"), "no-such-release"),
        (("journal", "slow"), "no-such-project"),
    ],
)
def test_what_cannot_be_done_is_told(run: Callable[..., Any], words: tuple[str, ...], code: str) -> None:
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert f"[{code}]" in err


@pytest.mark.parametrize(
    "words",
    [
        ("yank", "fast", "--why", "x"),
        ("yank", "fast", "--release", "1.0", "--file", NAME, "--why", "x"),
        ("yank", "fast", "--release", "1.0"),
        ("status", "fast", "gone", "--why", "x"),
        ("delete", "fast", "--why", "x", "--yes"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["project", *words])
    assert caught.value.code == 2


def test_a_sweep_tells_what_it_removed(
    server: Any, run: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    stray = server.home.blobs.put_bytes(b"stray")
    assert main(["sweep", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"removed_blobs": 0, "removed_bytes": 0}
    os.utime(server.home.blobs.path(stray), (1, 1))
    assert main(["sweep", "--older-than", "2w"]) == 0
    assert capsys.readouterr().out == "1 stored files with 5 bytes were removed\n"
    assert len(server.names()) == 3
