"""Uploads that are answered before their verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

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


def test_a_held_file_that_is_not_there_is_404(server: Any) -> None:
    for number in ("7", str(1 << 70)):
        answer = server.client.get(f"/api/v1/held/{number}", headers={"Accept": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-held-file")
    assert server.client.get("/api/v1/held").json() == {"files": []}
