"""Uploads that are answered before their verdict."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from cpufit_resolver.need import parse_need
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.inspection.workers import InspectionPool

LINUX = "cp39-abi3-manylinux_2_17_x86_64"


def settled(client: httpx.Client, url: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while True:
        body: dict[str, Any] = client.get(url).json()
        if body["state"] != "waiting" or time.monotonic() > until:
            return body
        time.sleep(0.05)


def test_an_upload_is_held_and_let_in_when_its_verdict_comes(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", inspection_patience=0) as server:
        answer = server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v2")
        body = answer.json()
        assert answer.status_code == 202
        assert (body["status"], body["verdict"], body["project"]) == ("held", "pending", "fast")
        assert body["url"] == f"/api/v1/held/{body['id']}"
        assert settled(server.client, body["url"])["state"] == "accepted"
        assert server.client.get("/api/v1/held").json() == {"files": []}
        (file,) = server.client.get("/api/v1/projects/fast").json()["releases"][0]["files"]
        assert file["need"]["x86_64"]["use"] == "x86_64_v2"
        assert file["inspection"]["verdict"] == "undetermined"


def test_a_late_refusal_is_told_where_the_uploader_looks(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", inspection_patience=0) as server:
        first = server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v2").json()
        second = server.upload(make_wheel(tags=LINUX, native=True, extra=b"x"), cpufit_needs="x86_64_v2").json()
        assert settled(server.client, first["url"])["state"] == "accepted"
        refused = settled(server.client, second["url"])
        assert (refused["state"], refused["error"]["code"]) == ("refused", "file-already-exists")
        assert [one["id"] for one in server.client.get("/api/v1/held").json()["files"]] == [second["id"]]


@pytest.mark.parametrize(("scope", "state"), [("admin", "accepted"), ("upload", "refused")])
def test_a_deleted_file_that_is_held_comes_back_by_the_word_of_whoever_may_delete(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any], scope: str, state: str
) -> None:
    with run_server(tmp_path / "home", inspection_patience=0) as server:
        token = server.home.catalog.create_token(None, "test", scopes=frozenset({scope}))
        admin = server.home.catalog.create_token(None, "test", scopes=frozenset({"admin"}))
        wheel = make_wheel(tags=LINUX, native=True)
        first = server.upload(wheel, cpufit_needs="x86_64_v2").json()
        assert settled(server.client, first["url"])["state"] == "accepted"
        gone = server.client.delete(
            f"/api/v1/projects/fast/files/{wheel[0]}", params={"why": "by mistake"}, auth=("__token__", admin)
        )
        assert gone.status_code == 200
        again = server.upload(wheel, token=token, cpufit_needs="x86_64_v2").json()
        assert settled(server.client, again["url"])["state"] == state
        if state == "accepted":
            (file,) = server.client.get("/api/v1/projects/fast").json()["releases"][0]["files"]
            assert file["provenance"] == {"source": "upload", "filename": wheel[0]}


def test_a_held_file_that_is_not_there_is_404(server: Any) -> None:
    for number in ("7", str(1 << 70)):
        answer = server.client.get(f"/api/v1/held/{number}", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-held-file")
    assert server.client.get("/api/v1/held").json() == {"files": []}


HARD = Verdict(need=parse_need("x86_64_v3", frozenset({"x86_64"})), confidence="high")


def hard_after(go: threading.Event) -> Verdict:
    go.wait(60)
    return HARD


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Verdict]], None]:
    """Make every inspection of a server answer what a function returns."""

    def patch(answer: Callable[[], Verdict]) -> None:
        monkeypatch.setattr(InspectionPool, "_inspect", lambda *_: answer())

    return patch


def test_a_held_file_and_its_metadata_are_not_to_be_had(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any], answers: Callable[..., None]
) -> None:
    go = threading.Event()
    answers(partial(hard_after, go))
    with run_server(tmp_path / "home", inspection_patience=0) as server:
        filename, data = make_wheel(tags=LINUX, native=True)
        held = server.upload((filename, data)).json()
        address = f"/files/{held['sha256']}/{filename}"
        paths = (address, f"{address}.metadata", "/simple/fast/", "/api/v1/projects/fast")
        assert [server.client.get(path).status_code for path in paths] == [404] * 4
        go.set()
        assert settled(server.client, held["url"])["state"] == "accepted"
        assert [server.client.get(path).status_code for path in paths] == [200] * 4


def test_uploads_that_wait_for_verdicts_keep_no_page_waiting(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any], answers: Callable[..., None]
) -> None:
    go = threading.Event()
    answers(partial(hard_after, go))
    with run_server(tmp_path / "home", inspection_patience=60) as server, ThreadPoolExecutor(50) as people:
        wheels = [make_wheel(version=f"1.{index}", tags=LINUX, native=True) for index in range(50)]
        sent = [people.submit(server.upload, wheel) for wheel in wheels]
        try:
            until = time.monotonic() + 30
            while len(list((tmp_path / "home" / "inspecting").glob("*/*"))) < 50 and time.monotonic() < until:
                time.sleep(0.02)
            assert server.client.get("/api/v1/held", timeout=10).json() == {"files": []}
        finally:
            go.set()
        assert {answer.result().status_code for answer in sent} == {200}


def test_where_a_low_declaration_is_raised_its_uploader_is_told(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any], answers: Callable[..., None]
) -> None:
    answers(lambda: HARD)
    with run_server(tmp_path / "home", below_verdict="raise") as server:
        low = server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v2").json()
        assert low["need"]["x86_64"]["use"] == "x86_64_v3"
        assert low["hint"].startswith("x86_64_v2 was declared; the need x86_64_v3 counts")
        high = server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v4").json()
        assert (high["status"], "hint" in high) == ("need-changed", False)


def test_a_refusal_is_one_line_for_people_who_upload_with_twine(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any], answers: Callable[..., None]
) -> None:
    answers(lambda: HARD)
    with run_server(tmp_path / "home") as server:
        server.client.headers["User-Agent"] = "twine/6.1.0 CPython/3.11"
        answer = server.upload(make_wheel(tags=LINUX, native=True), cpufit_needs="x86_64_v2")
        assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
        assert answer.text.startswith("the need x86_64_v2 is stated, and the machine code needs x86_64_v3: ")
        assert answer.text.endswith(" [need-below-verdict]\n")
        assert answer.text.count("\n") == 1
