"""A frozen release: its selector keeps its bytes and its hash, and whatever is added is shown to who tells the CPU."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cpufit_resolver import parse_need
from cpufit_server.cli import main
from cpufit_wheelhouse.catalog import NeedChange

TAGS = "py3-none-manylinux_2_17_x86_64"
UV = "uv/0.13.9"


@pytest.fixture
def release(server: Any, make_wheel: Callable[..., tuple[str, bytes]]) -> Callable[..., None]:
    """Add one build of ``fast`` 1.0."""

    def add(need: str, tags: str = TAGS) -> None:
        wheel = make_wheel(tags=tags, native=True, extra=need.encode())
        sent = server.upload(wheel, params={"cpufit_needs": need})
        assert sent.status_code == 200, sent.text

    return add


@pytest.fixture
def run(server: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    monkeypatch.setenv("CPUFIT_HOME", str(server.settings.home))
    monkeypatch.setenv("CPUFIT_PORT", str(server.settings.port))
    return lambda *words: main(["project", *words])


def selector(server: Any) -> dict[str, Any]:
    (found,) = (file for file in server.page()["files"] if file.get("_cpufit_selector"))
    return {key: found[key] for key in ("filename", "hashes", "size", "upload-time", "requires-python")}


def test_a_frozen_selector_stays_when_a_variant_is_added_and_follows_again_when_it_is_not(
    server: Any, release: Callable[..., None], run: Callable[..., int]
) -> None:
    release("x86_64_v2")
    before = selector(server)
    assert run("freeze", "fast", "1.0", "--why", "locked in production", "--who", "ada") == 0
    release("x86_64_v3")
    assert selector(server) == before
    found = server.client.get(f"/selectors/{before['hashes']['sha256']}/any/{before['filename']}")
    assert (found.status_code, len(found.content)) == (200, before["size"])
    # who tells the CPU, or chooses among labels, sees the new variant
    (wheel,) = server.page("/cpu/x86_64_v3/simple/fast/")["files"]
    assert wheel["_cpufit_need"] == "x86_64_v3"
    assert [name for name in server.names(user_agent=UV) if name.endswith("-x86_64_v3.whl")]
    assert before["filename"] in server.names(user_agent=UV)

    assert run("unfreeze", "fast", "1.0", "--why", "the locks are made anew", "--who", "bob") == 0
    assert selector(server)["hashes"] != before["hashes"]


def test_a_frozen_selector_stays_when_an_ordinary_wheel_would_take_its_place(
    server: Any, release: Callable[..., None], run: Callable[..., int]
) -> None:
    release("x86_64_v2")
    before = selector(server)
    assert run("freeze", "fast", "1.0", "--why", "locked") == 0
    release("x86_64_v1")
    assert sorted(server.names()) == sorted([f"fast-1.0-{TAGS}.whl", before["filename"]])
    assert selector(server) == before


def test_a_selector_that_says_what_is_not_true_any_more_is_kept_from_everybody(
    server: Any, release: Callable[..., None], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    release("x86_64_v2")
    before = selector(server)
    assert run("freeze", "fast", "1.0", "--why", "locked") == 0
    (file,) = server.home.catalog.files("fast")
    need = parse_need("x86_64_v3", frozenset({"x86_64"}))
    server.home.catalog.arrivals.change_need(NeedChange(file, need, seen=server.home.catalog.serial("fast")))
    assert selector(server)["hashes"] != before["hashes"]
    assert run("show", "fast") == 0
    assert "is not true any more" in capsys.readouterr().out


def test_who_froze_what_when_and_why_is_shown_after_the_end_too(
    server: Any, release: Callable[..., None], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    release("x86_64_v2")
    digest = selector(server)["hashes"]["sha256"]
    assert run("freeze", "Fast", "1.0.0", "--why", "locked", "--who", "ada") == 0
    assert run("freeze", "fast", "1.0", "--why", "again") == 0
    assert f"stays {digest}\nfast 1.0 is frozen already\n" in capsys.readouterr().out
    assert run("show", "fast") == 0
    assert f"1.0 is frozen with the selector {digest} (ada, " in capsys.readouterr().out
    assert run("unfreeze", "fast", "1.0", "--why", "new locks", "--who", "bob") == 0
    capsys.readouterr()
    assert run("show", "fast", "--json") == 0
    (freeze,) = json.loads(capsys.readouterr().out)["freezes"]
    assert (freeze["version"], freeze["selector_sha256"], freeze["who"], freeze["why"]) == (
        "1.0",
        digest,
        "ada",
        "locked",
    )
    assert (freeze["ended"]["who"], freeze["ended"]["why"], freeze["holds"]) == ("bob", "new locks", False)
    assert freeze["at"] < freeze["ended"]["at"]


def test_what_cannot_be_frozen_is_said(
    server: Any, release: Callable[..., None], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    release("x86_64_v1")
    for words, said in (
        (("freeze", "fast", "1.0"), "get no selector of fast 1.0"),
        (("freeze", "fast", "2.0"), "has no release 2.0"),
        (("freeze", "slow", "1.0"), "no project slow"),
        (("unfreeze", "fast", "1.0"), "is not frozen"),
    ):
        assert run(*words, "--why", "a test") == 1
        assert said in capsys.readouterr().err


def test_a_selector_is_not_frozen_with_an_address_that_the_server_does_not_have(
    server: Any, release: Callable[..., None], run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    release("x86_64_v2")
    before = selector(server)
    other = ("--public-url", "https://elsewhere.example")
    assert run("freeze", "fast", "1.0", "--why", "a test", *other) == 1
    assert f"--public-url http://127.0.0.1:{server.settings.port}" in capsys.readouterr().err
    assert selector(server) == before
