"""``cpufit-server verify`` beside a running server: what it says, what it mends, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.server.conftest import Running

from cpufit_server.cli import main

PLATFORM = "cp311-abi3-manylinux_2_17_x86_64"


@pytest.fixture
def stocked(server: Running, make_wheel: Callable[..., tuple[str, bytes]]) -> Running:
    """A server with one CPU-specific wheel, its selector and its variants file."""
    assert server.upload(make_wheel(tags=PLATFORM, native=True), cpufit_needs="x86_64_v3").status_code == 200
    server.page()
    server.page(user_agent="uv/0.13.9")
    return server


def verify(server: Running, *words: str) -> int:
    return main(["verify", "--home", str(server.home.path), "--public-url", server.settings.base_url, *words])


def told(server: Running, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = verify(server, "--json", *words)
    return code, json.loads(capsys.readouterr().out)


def damage(server: Running, sha256: str) -> None:
    path = server.home.blobs.path(sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def derived(server: Running, kind: str) -> str:
    (found,) = (each for each in server.home.catalog.derived("fast") if each.kind == kind)
    return found.sha256


def test_all_is_well(stocked: Running, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(stocked, capsys) == (
        0,
        {"ok": True, "files": 5, "bytes": stocked.home.blobs.extent()[1], "findings": []},
    )
    assert verify(stocked, "--jobs", "1") == 0
    assert capsys.readouterr().out.endswith(" MB: all is well\n")


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--jobs", "many"]])
def test_wrong_usage_is_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["verify", *words])
    assert caught.value.code == 2


@pytest.mark.parametrize("kind", ["selector", "variants-json", "labelled"])
def test_what_was_derived_is_made_anew_byte_for_byte(
    stocked: Running, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = derived(stocked, kind)
    damage(stocked, sha256)
    code, found = told(stocked, capsys)
    assert (code, [(one["kind"], one["outcome"]) for one in found["findings"]]) == (1, [("damaged", "kept")])
    code, found = told(stocked, capsys, "--repair")
    assert (code, [one["outcome"] for one in found["findings"]]) == (0, ["mended"])
    assert derived(stocked, kind) == sha256
    assert told(stocked, capsys)[0] == 0


def test_a_selector_of_other_bytes_is_let_go_and_the_next_page_has_a_new_one(
    stocked: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(stocked, derived(stocked, "selector"))
    assert main(["verify", "--repair", "--home", str(stocked.home.path), "--public-url", "http://elsewhere"]) == 0
    assert [each.kind for each in stocked.home.catalog.derived("fast")] == ["labelled", "variants-json"]
    (file,) = stocked.page()["files"]
    assert stocked.client.get(f"/simple/fast/{file['url']}").status_code == 200


def test_a_damaged_wheel_is_on_no_page_and_cannot_be_fetched(
    stocked: Running, make_wheel: Callable[..., tuple[str, bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = make_wheel(version="2.0")
    sha256 = stocked.upload(wheel).json()["sha256"]
    damage(stocked, sha256)
    code, found = told(stocked, capsys, "--repair")
    assert (code, [one["outcome"] for one in found["findings"]]) == (1, ["quarantined"])
    assert wheel[0] not in stocked.names()
    assert stocked.client.get(f"/files/{sha256}/{wheel[0]}").status_code == 404
    assert main(["project", "show", "fast", "--home", str(stocked.home.path)]) == 0
    assert "hidden by cpufit-server verify" in capsys.readouterr().out

    assert stocked.upload(wheel).json()["status"] == "same"
    assert main(["project", "unhide", "fast", wheel[0], "--home", str(stocked.home.path)]) == 0
    assert stocked.client.get(f"/files/{sha256}/{wheel[0]}").content == wheel[1]
    assert told(stocked, capsys)[0] == 0


def test_a_person_reads_a_line_for_each_finding(stocked: Running, capsys: pytest.CaptureFixture[str]) -> None:
    sha256 = derived(stocked, "labelled")
    damage(stocked, sha256)
    assert verify(stocked, "--repair") == 0
    out, err = capsys.readouterr()
    assert f"damaged       {sha256} fast fast-1.0-{PLATFORM}-x86_64_v3.whl (labelled): its bytes have the hash " in err
    assert " -> mended: " in err
    assert out.endswith(": all is well, 1 mended\n")


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--home", str(tmp_path / "new")]) == 1
    assert "[no-home]" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
