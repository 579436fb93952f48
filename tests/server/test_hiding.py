"""A hidden file: in no view, at once; by its address still there; on record for good."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cpufit_server.cli import main

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
FILE = f"fast-1.0-{LINUX}.whl"
UV = "uv/0.13.6"
PROFILE = "/cpu/x86_64_v3/simple/fast/"


@pytest.fixture
def twins(server: Any, make_wheel: Callable[..., Any]) -> dict[str, str]:
    """Two builds of one name; returns need and SHA-256."""
    found = {}
    for need in ("x86_64_v2", "x86_64_v3"):
        answer = server.upload(make_wheel(tags=LINUX, native=True, extra=need.encode()), cpufit_needs=need)
        found[need] = answer.json()["sha256"]
    return found


def command(server: Any, *argv: str) -> int:
    return main(["project", *argv, "--home", str(server.settings.home)])


def shown_hashes(server: Any, path: str = PROFILE, agent: str = "pip/26.3") -> set[str]:
    return {file["hashes"]["sha256"] for file in server.page(path, agent)["files"]}


def test_a_hidden_build_leaves_every_view_at_once_and_comes_back(server: Any, twins: dict[str, str]) -> None:
    labelled = [name for name in server.names("/simple/fast/", UV) if "x86_64_v3" in name]
    assert shown_hashes(server) == {twins["x86_64_v3"]}
    assert len(labelled) == 1
    assert command(server, "hide", "Fast", twins["x86_64_v3"][:12], "--who", "mara", "--why", "crashes  in fft") == 0
    assert shown_hashes(server) == {twins["x86_64_v2"]}
    assert [name for name in server.names("/simple/fast/", UV) if "x86_64_v3" in name] == []
    selector = next(file for file in server.page()["files"] if file["filename"].endswith(".tar.gz"))
    assert twins["x86_64_v3"] not in candidates(server.client.get(f"/simple/fast/{selector['url']}").content)
    assert command(server, "unhide", "fast", twins["x86_64_v3"]) == 0
    assert shown_hashes(server) == {twins["x86_64_v3"]}


def candidates(data: bytes) -> str:
    import io  # noqa: PLC0415  # this helper alone
    import tarfile  # noqa: PLC0415  # as above

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = archive.extractfile("fast-1.0/candidates.json")
        assert found is not None
        return found.read().decode()


def test_its_address_stays_valid_so_that_locks_keep_working(server: Any, twins: dict[str, str]) -> None:
    address = f"/files/{twins['x86_64_v3']}/{FILE}"
    assert command(server, "hide", "fast", twins["x86_64_v3"], "--why", "slow") == 0
    assert server.client.get(address).status_code == 200
    assert server.client.get(address + ".metadata").status_code == 200


def test_the_api_tells_it_apart_from_the_releases_with_who_when_and_why(server: Any, twins: dict[str, str]) -> None:
    command(server, "hide", "fast", twins["x86_64_v3"], "--who", "mara", "--why", "crashes in fft")
    body = server.client.get("/api/v1/projects/fast").json()
    assert [file["sha256"] for release in body["releases"] for file in release["files"]] == [twins["x86_64_v2"]]
    (hidden,) = body["hidden"]
    assert (hidden["filename"], hidden["sha256"], hidden["version"]) == (FILE, twins["x86_64_v3"], "1.0")
    assert (hidden["who"], hidden["why"], hidden["ended_at"]) == ("mara", "crashes in fft", None)


def test_uploading_it_again_does_not_bring_it_back(
    server: Any, make_wheel: Callable[..., Any], twins: dict[str, str]
) -> None:
    command(server, "hide", "fast", twins["x86_64_v3"], "--why", "slow")
    again = make_wheel(tags=LINUX, native=True, extra=b"x86_64_v3")
    assert server.upload(again, cpufit_needs="x86_64_v3").json()["status"] == "same"
    assert shown_hashes(server) == {twins["x86_64_v2"]}


def test_the_record_of_it_stays(server: Any, twins: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    command(server, "hide", "fast", twins["x86_64_v3"], "--who", "mara", "--why", "slow")
    command(server, "show", "fast")
    assert ": slow" in capsys.readouterr().out.splitlines()[-1]
    command(server, "unhide", "fast", twins["x86_64_v3"])
    capsys.readouterr()
    command(server, "show", "fast", "--json")
    document = json.loads(capsys.readouterr().out)
    (record,) = document["hidings"]
    assert (record["who"], record["why"]) == ("mara", "slow")
    assert record["ended_at"] >= record["created_at"]
    assert [file["hidden"] for file in document["files"]] == [False, False]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (("hide", "fast", FILE, "--why", "x"), "ambiguous-file"),
        (("hide", "fast", "other.whl", "--why", "x"), "no-such-file"),
        (("hide", "slow", FILE, "--why", "x"), "no-such-project"),
        (("unhide", "fast", "{sha}"), "not-hidden"),
    ],
)
def test_what_cannot_be_hidden_is_told(
    server: Any, twins: dict[str, str], capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], code: str
) -> None:
    assert command(server, *(word.format(sha=twins["x86_64_v2"]) for word in argv)) == 1
    assert f"[{code}]" in capsys.readouterr().err


def test_hiding_twice_keeps_the_first_reason_and_the_last_file_is_told(
    server: Any, make_wheel: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server.upload(make_wheel())
    name = "fast-1.0-py3-none-any.whl"
    assert command(server, "hide", "fast", name, "--why", "first") == 0
    assert "nothing of fast 1.0 is left" in capsys.readouterr().out
    assert command(server, "hide", "fast", name, "--why", "second") == 0
    assert [one.why for one in server.home.catalog.hidings.of("fast")] == ["first"]
    assert server.names() == []


def test_a_reason_is_asked_for(server: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        command(server, "hide", "fast", FILE, "--why", "  ")
