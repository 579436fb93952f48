"""The management part of the JSON API: what it does, who may, and what stands on record."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

NAME = "fast-1.0-py3-none-any.whl"
LINUX = "py3-none-manylinux_2_17_x86_64"
PROJECT = "/api/v1/projects/fast"


@pytest.fixture
def admin(server: Any, make_wheel: Callable[..., Any], make_sdist: Callable[..., Any]) -> Callable[..., httpx.Response]:
    """Ask the management API of an index with two releases of ``fast``, as an administrator of it."""
    for file in (make_wheel(), make_sdist(), make_wheel(version="2.0")):
        server.upload(file)
    return administrator(server)


def administrator(server: Any) -> Callable[..., httpx.Response]:
    secret = server.home.catalog.create_token(("fast",), "on call", scopes=frozenset({"admin"}))

    def ask(method: str, path: str, *, token: str | None = secret, **body: Any) -> httpx.Response:
        auth = None if token is None else ("__token__", token)
        content = {"params": body} if method in ("GET", "DELETE") else {"json": body}
        answer: httpx.Response = server.client.request(method, f"{PROJECT}{path}", auth=auth, **content)
        return answer

    return ask


def entries(admin: Callable[..., httpx.Response]) -> list[tuple[str, str | None, str]]:
    told = admin("GET", "/journal").json()["entries"]
    assert {entry["who"] for entry in told} <= {"token 2 (on call)"}
    return [(entry["action"], entry["filename"], entry["why"]) for entry in reversed(told)]


def test_yanking_a_release_and_unyanking_a_file(admin: Callable[..., httpx.Response]) -> None:
    answer = admin("POST", "/yank", version="1.0.0", why="wrong")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert {file["filename"] for file in answer.json()["files"]} == {NAME, "fast-1.0.tar.gz"}
    assert admin("POST", "/yank", version="1.0", why="wrong").json() == {"project": "fast", "files": []}
    (file,) = admin("POST", "/unyank", file=NAME, why="right").json()["files"]
    assert (file["filename"], file["version"], file["need"]) == (NAME, "1.0", "any")
    assert entries(admin)[-1] == ("unyank", NAME, "right")


def test_status_settings_and_hiding(server: Any, admin: Callable[..., httpx.Response]) -> None:
    assert admin("POST", "/status", status="quarantined", why="broken into").json() == {
        "project": "fast",
        "status": "quarantined",
        "reason": "broken into",
    }
    answer = admin("POST", "/settings", variants=True, unknown="allow", instead="Slow", why="an experiment").json()
    assert answer == {
        "project": "fast",
        "policy": {
            "variants": True,
            "unknown": "allow",
            "plain": "ordinary",
            "build_sdist": False,
            "upstream": "never",
        },
        "instead": "slow",
    }
    assert admin("POST", "/settings", instead="", why="none").json()["instead"] is None
    admin("POST", "/status", status="active", why="checked")
    hidden = admin("POST", "/hide", file=NAME, why="slow").json()
    assert (hidden["filename"], hidden["hiding"]["who"], hidden["hiding"]["why"]) == (NAME, "token 2 (on call)", "slow")
    assert admin("POST", "/hide", file=NAME, why="another").json() == hidden
    assert NAME not in server.names()
    assert admin("POST", "/unhide", file=NAME, why="fine").json() == {"project": "fast", "filename": NAME}
    assert [action for action, _, _ in entries(admin)] == [
        *("status", "settings", "settings", "status", "hide", "unhide"),
    ]
    assert admin("POST", "/unhide", file=NAME, why="again").json()["code"] == "not-hidden"


def test_a_release_is_frozen_with_what_this_server_hands_out(
    server: Any, make_wheel: Callable[..., Any], admin: Callable[..., httpx.Response]
) -> None:
    assert admin("POST", "/freeze", version="1.0", why="locked").json()["code"] == "not-frozen"
    server.upload(make_wheel(version="3.0", tags=LINUX, native=True), cpufit_needs="x86_64_v2")
    (before,) = (file for file in server.page()["files"] if file.get("_cpufit_selector"))
    frozen = admin("POST", "/freeze", version="3.0", why="locked").json()
    assert frozen["selector_sha256"] == before["hashes"]["sha256"]
    assert admin("POST", "/freeze", version="3.0", why="again").json() == frozen
    assert admin("POST", "/unfreeze", version="3.0", why="new locks").json() == {"project": "fast", "version": "3.0"}
    answer = admin("POST", "/unfreeze", version="3.0", why="new locks")
    assert (answer.status_code, answer.json()["code"]) == (409, "not-frozen")
    assert [action for action, _, _ in entries(admin)] == ["freeze", "unfreeze"]


def test_deleting_a_file_a_release_and_the_project(
    server: Any, make_wheel: Callable[..., Any], admin: Callable[..., httpx.Response]
) -> None:
    (sdist,) = (file for file in server.home.catalog.files("fast") if file.kind == "sdist")
    answer = admin("DELETE", "/files/fast-1.0.tar.gz", why="not ours")
    assert (answer.status_code, answer.json()["removed_bytes"] >= sdist.size) == (200, True)
    assert [file["filename"] for file in admin("DELETE", "/releases/1.0", why="old").json()["files"]] == [NAME]
    assert server.names() == ["fast-2.0-py3-none-any.whl"]
    serial = server.home.catalog.serial("fast")
    assert admin("DELETE", "", why="gone").status_code == 200
    assert server.client.get("/simple/fast/").status_code == 404
    assert admin("DELETE", "", why="gone").json()["code"] == "no-such-project"
    assert ("delete-project", None, "gone") in entries(admin)
    # a project of the name begins where the last one ended: no page of that one is taken for its own
    server.upload(make_wheel(version="9"))
    assert server.names() == ["fast-9-py3-none-any.whl"]
    assert server.home.catalog.serial("fast") > serial


def test_what_is_deleted_takes_its_selector_and_coming_back_brings_it_anew(
    server: Any, make_wheel: Callable[..., Any], admin: Callable[..., httpx.Response]
) -> None:
    wheel = make_wheel(version="3.0", tags=LINUX, native=True)

    def selector() -> dict[str, Any]:
        (found,) = (file for file in server.page()["files"] if file.get("_cpufit_selector"))
        return dict(found)

    server.upload(wheel, cpufit_needs="x86_64_v2")
    before = selector()
    path = f"/selectors/{before['hashes']['sha256']}/x/{before['filename']}"
    assert server.client.get(path).status_code == 200
    admin("DELETE", "/releases/3.0", why="a slip")
    assert server.client.get(path).status_code == 404
    assert before["filename"] not in server.names()
    secret = server.home.catalog.create_token(None, "", scopes=frozenset({"admin"}))
    assert server.upload(wheel, cpufit_needs="x86_64_v2", token=secret).status_code == 200
    assert selector()["hashes"] == before["hashes"]
    assert server.client.get(path).status_code == 200


def test_of_two_builds_of_one_name_one_is_named_by_its_hash(
    server: Any, make_wheel: Callable[..., Any], admin: Callable[..., httpx.Response]
) -> None:
    for need in ("x86_64_v2", "x86_64_v3"):
        server.upload(make_wheel(version="3.0", tags=LINUX, native=True, extra=need.encode()), cpufit_needs=need)
    name = f"fast-3.0-{LINUX}.whl"
    answer = admin("DELETE", f"/files/{name}", why="slow")
    assert (answer.status_code, answer.json()["code"]) == (409, "ambiguous-file")
    (digest,) = (file.sha256 for file in server.home.catalog.files("fast") if file.need_key == "x86_64_v3")
    assert [file["need"] for file in admin("DELETE", f"/files/{digest[:10]}", why="slow").json()["files"]] == [
        "x86_64_v3"
    ]
    assert [file.need_key for file in server.home.catalog.files("fast") if file.filename == name] == ["x86_64_v2"]
    # the name is free for another need, and not for this one
    other = make_wheel(version="3.0", tags=LINUX, native=True, extra=b"other")
    assert server.upload(other, cpufit_needs="x86_64_v3").json()["code"] == "filename-was-deleted"
    assert server.upload(other, cpufit_needs="x86_64_v2+avx").json()["status"] == "new"


@pytest.mark.parametrize(
    ("scopes", "project", "code"),
    [
        (("read", "upload"), "fast", "token-lacks-scope"),
        (("admin",), "slow", "token-not-for-project"),
        (None, None, "authentication-required"),
    ],
)
def test_only_an_administrator_of_the_project_is_let_through(
    server: Any, admin: Callable[..., httpx.Response], scopes: tuple[str, ...] | None, project: str, code: str
) -> None:
    before = server.home.catalog.snapshot("fast")
    catalog = server.home.catalog
    token = None if scopes is None else catalog.create_token((project,), "", scopes=frozenset(scopes))
    for method, path, body in (
        ("POST", "/yank", {"version": "1.0", "why": "x"}),
        ("POST", "/unyank", {"version": "1.0", "why": "x"}),
        ("POST", "/status", {"status": "archived", "why": "x"}),
        ("POST", "/settings", {"variants": True, "why": "x"}),
        ("POST", "/freeze", {"version": "1.0", "why": "x"}),
        ("POST", "/unfreeze", {"version": "1.0", "why": "x"}),
        ("POST", "/hide", {"file": NAME, "why": "x"}),
        ("POST", "/unhide", {"file": NAME, "why": "x"}),
        ("DELETE", "/releases/1.0", {"why": "x"}),
        ("DELETE", f"/files/{NAME}", {"why": "x"}),
        ("DELETE", "", {"why": "x"}),
        ("GET", "/journal", {}),
    ):
        answer = admin(method, path, token=token, **body)
        assert (answer.status_code, answer.json()["code"]) == (401 if token is None else 403, code), path
    assert catalog.snapshot("fast") == before
    assert catalog.journal.of("fast") == ()


@pytest.mark.parametrize(
    "body",
    [
        {"version": "1.0"},
        {"version": "1.0", "why": "  "},
        {"version": "1.0", "why": "two\nlines"},
        {"version": "1.0", "file": NAME, "why": "x"},
        {"version": 1, "why": "x"},
        {"why": "x"},
        {"version": "1.0", "why": "x", "more": 1},
    ],
)
def test_a_body_that_is_not_in_its_form_says_where_and_does_nothing(
    server: Any, admin: Callable[..., httpx.Response], body: dict[str, Any]
) -> None:
    answer = admin("POST", "/yank", **body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-request")
    assert answer.json()["where"].startswith("body")
    assert server.home.catalog.journal.of("fast") == ()


def test_what_is_too_long_is_not_read(tmp_path: Path, run_server: Callable[..., Any]) -> None:
    with run_server(tmp_path / "home", max_request_bytes=1000) as server:
        server.home.catalog.ensure_project("fast")
        admin = administrator(server)
        assert admin("POST", "/status", status="archived", why="x" * 900).status_code == 200
        answer = admin("POST", "/status", status="archived", why="x" * 1900)
        assert (answer.status_code, answer.json()["code"]) == (413, "request-too-large")
        secret = server.home.catalog.create_token(None, "", scopes=frozenset({"admin"}))
        pieces = (piece for piece in (b'{"status": "archived", "why": "', b"y" * 2000, b'"}'))
        answer = server.client.post(
            f"{PROJECT}/status",
            content=pieces,
            headers={"Content-Type": "application/json"},
            auth=("__token__", secret),
        )
        assert (answer.status_code, answer.json()["code"]) == (413, "request-too-large")
        assert server.home.catalog.project("fast").status_reason == "x" * 900


def test_the_journal_of_a_name_that_never_was(server: Any) -> None:
    admin = administrator(server)
    assert admin("GET", "/journal").json()["code"] == "no-such-project"
    server.home.catalog.ensure_project("fast")
    assert admin("GET", "/journal").json() == {"project": "fast", "entries": []}
    assert admin("GET", "/journal", limit=0).json()["code"] == "invalid-request"


def test_a_selector_offers_a_yanked_build_only_where_nothing_else_is_left(
    server: Any, make_wheel: Callable[..., Any], admin: Callable[..., httpx.Response]
) -> None:
    for need in ("x86_64_v2", "x86_64_v3"):
        server.upload(make_wheel(version="3.0", tags=LINUX, native=True, extra=need.encode()), cpufit_needs=need)
    hashes = {file.need_key: file.sha256 for file in server.home.catalog.files("fast") if file.version == "3.0"}

    def offered() -> set[str]:
        (found,) = (file for file in server.page()["files"] if file.get("_cpufit_selector"))
        data = server.home.blobs.path(found["hashes"]["sha256"]).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            inside = archive.extractfile(f"{found['filename'].removesuffix('.tar.gz')}/candidates.json")
            assert inside is not None
            return {candidate["sha256"] for candidate in json.load(inside)["candidates"]}

    assert offered() == set(hashes.values())
    admin("POST", "/yank", file=hashes["x86_64_v3"], why="wrong")
    assert offered() == {hashes["x86_64_v2"]}
    admin("POST", "/yank", file=hashes["x86_64_v2"], why="wrong too")
    assert offered() == set(hashes.values())
