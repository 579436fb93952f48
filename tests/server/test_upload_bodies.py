"""However the body of an upload comes, it is taken within limits, and one that breaks off leaves nothing."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.datastructures import Headers
from tests.server.conftest import stored_nothing

from cpufit_server.bodies import announced_size


def test_all_fields_together_have_a_limit(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", max_form_bytes=100) as server:
        answer = server.upload(make_wheel(), description="x" * 101)
        assert (answer.status_code, answer.json()["code"]) == (413, "form-field-too-large")
        assert stored_nothing(server)


def test_a_file_over_the_limit_is_413_and_nothing_stored(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any]
) -> None:
    filename, data = make_wheel()
    with run_server(tmp_path / "home", max_upload_bytes=len(data)) as server:
        answer = server.upload((filename, data + b"x" * 3_000_000))
        assert (answer.status_code, answer.json()["code"]) == (413, "upload-too-large")
        assert "CPUFIT_MAX_UPLOAD_BYTES" in answer.json()["hint"]
        assert stored_nothing(server)
        assert server.upload((filename, data)).status_code == 200


@pytest.mark.parametrize(
    "limit", [{"archive_max_members": 3}, {"archive_max_unpacked_bytes": 100}, {"archive_max_text_bytes": 20}]
)
def test_what_an_archive_may_hold_is_a_setting(
    tmp_path: Path, run_server: Callable[..., Any], make_wheel: Callable[..., Any], limit: dict[str, int]
) -> None:
    with run_server(tmp_path / "home", **limit) as server:
        answer = server.upload(make_wheel())
        assert (answer.status_code, answer.json()["code"]) == (413, "wheel-too-large")
        assert stored_nothing(server)


def test_an_upload_that_announces_far_too_much_is_refused_before_it_is_sent(
    tmp_path: Path, run_server: Callable[..., Any]
) -> None:
    with run_server(tmp_path / "home", max_upload_bytes=10) as server:
        request = (
            f"POST /legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\nExpect: 100-continue\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\nAuthorization: Bearer {server.token}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", server.settings.port), timeout=10) as connection:
            connection.sendall(request.encode())
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("zeros", [20, 5000])
def test_a_size_with_zeros_before_it_is_that_size(server: Any, zeros: int) -> None:
    """Nobody's body of any length is taken into memory, and nobody without a token sends one to its end."""
    request = (
        f"POST /legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: {'0' * zeros}{10**9}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n"
    )
    told = "Authorization: Bearer cpufit-none\r\n\r\n--b\r\n"
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=10) as connection:
        connection.sendall((request + told).encode())
        connection.settimeout(20)
        assert connection.recv(65536).startswith(b"HTTP/1.1 403 ")
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=10) as connection:
        connection.sendall((request.replace("/legacy/", "/api/v1/reports") + "\r\n").encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    ("announced", "size"),
    [(None, None), ("", None), ("no", None), ("-1", None), ("\xb2", None), ("0", 0), ("0" * 5000, 0)]
    + [("0" * zeros + "65537", 65537) for zeros in (0, 20, 5000)],
)
def test_what_a_body_is_said_to_have(announced: str | None, size: int | None) -> None:
    assert announced_size(Headers({} if announced is None else {"content-length": announced})) == size


def test_an_upload_that_breaks_off_leaves_nothing(server: Any, make_wheel: Callable[..., Any]) -> None:
    _, data = make_wheel()
    head = b'--b\r\nContent-Disposition: form-data; name="content"; filename="fast-1.0-py3-none-any.whl"\r\n\r\n'
    request = (
        f"POST /legacy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n"
        f"Content-Type: multipart/form-data; boundary=b\r\nAuthorization: Bearer {server.token}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=10) as connection:
        connection.sendall(request + head + data)
        staging = server.settings.home / "staging"
        assert waited_for(lambda: list(staging.iterdir()) != [])
    assert waited_for(lambda: stored_nothing(server))


@pytest.mark.parametrize("way", ["small", "large", "in chunks", "asking first"])
def test_however_the_body_comes_the_token_is_looked_at_and_the_file_is_taken(
    server: Any, make_wheel: Callable[..., Any], way: str
) -> None:
    """A small body is here before anybody looks at the token; no other is asked for before that."""
    filename, data = make_wheel(extra=b"# " + os.urandom(100_000).hex().encode() if way == "large" else b"")
    form = httpx.Request("POST", "http://x", files={"content": (filename, data)})
    body = form.read()
    headers = {"Content-Type": form.headers["content-type"]}
    if way == "asking first":
        headers["Expect"] = "100-continue"

    def sent(token: str) -> httpx.Response:
        content = iter([body[:100], body[100:]]) if way == "in chunks" else body
        answer: httpx.Response = server.client.post(
            "/legacy/", content=content, headers={**headers, "Authorization": f"Bearer {token}"}
        )
        return answer

    other = server.home.catalog.create_token(("slow",), "for slow alone")
    assert sent("cpufit-" + "x" * 43).json()["code"] == "token-not-valid"
    assert sent(other).json()["code"] == "token-not-for-project"
    assert stored_nothing(server)
    assert sent(server.token).json()["status"] == "new"
    assert server.client.get(f"/files/{hashlib.sha256(data).hexdigest()}/{filename}").content == data


def waited_for(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()
