"""The reason in the status line: where it comes from, and that nothing else gets into the line with it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from cpufit_server.status_line import MAX_HEAD_BYTES, MAX_REASON_LENGTH, REASON_HEADER, ReasonProtocol, reason_phrase


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Answer as the path says: with a reason, or without one."""
    headers = [(b"content-length", b"2"), (b"vary", b"Accept")]
    if scope["path"] == "/reason":
        headers.append((REASON_HEADER.lower().encode(), b"File already exists (file-already-exists)"))
    await send({"type": "http.response.start", "status": 409, "headers": headers})
    await send({"type": "http.response.body", "body": b"no"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(refuse, http=ReasonProtocol, lifespan="off", log_level="error", server_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.005)
        yield listener.getsockname()[1]
        server.should_exit = True
        thread.join()


def sent(port: int, *requests: bytes) -> bytes:
    """Return what comes back for some requests, all sent before the first answer is read."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"".join(requests))
        received = b""
        while received.count(b"\r\n\r\nno") < len(requests):
            received += client.recv(65536)
    return received


def post(path: str) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: index.example\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("File already exists", "File already exists"),
        ("a\r\nSet-Cookie: b=c", "a??Set-Cookie: b=c"),
        ("größer \x00 €", "gr??er ? ?"),
        ("x" * MAX_REASON_LENGTH, "x" * MAX_REASON_LENGTH),
        ("x" * (MAX_REASON_LENGTH + 1), "x" * (MAX_REASON_LENGTH - 3) + "..."),
    ],
)
def test_a_phrase_is_one_short_line_of_ascii(text: str, phrase: str) -> None:
    assert reason_phrase(text) == phrase


def test_the_header_becomes_the_words_of_the_status_line(port: int) -> None:
    head = sent(port, post("/reason")).split(b"\r\n\r\n")[0].split(b"\r\n")
    assert head[0] == b"HTTP/1.1 409 File already exists (file-already-exists)"
    assert sorted(line for line in head[1:] if not line.startswith(b"date")) == [b"content-length: 2", b"vary: Accept"]


def test_an_answer_without_a_reason_goes_out_as_it_is(port: int) -> None:
    assert sent(port, post("/other")).startswith(b"HTTP/1.1 409 Conflict\r\n")


def test_each_of_several_requests_at_once_has_its_own(port: int) -> None:
    received = sent(port, post("/reason"), post("/other"), post("/reason"))
    lines = [line for line in received.split(b"\r\n") if b"HTTP/1.1" in line]
    told = [line[line.index(b"HTTP/1.1") :] for line in lines]
    reason = b"HTTP/1.1 409 File already exists (file-already-exists)"
    assert told == [reason, b"HTTP/1.1 409 Conflict", reason]


def send_without_end(port: int, begin: bytes, more: bytes) -> None:
    """Send one piece after another until the server has enough; fails where it never has."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(begin)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(64 * 1024**2 // len(more)):
                client.sendall(more)
            pytest.fail("the server takes in 64 MiB of it")


@pytest.mark.parametrize("more", [b"x" * 65536, b"a: bcdefgh\r\n" * 5000], ids=["one header", "many headers"])
def test_a_head_without_an_end_is_not_read_for_ever(port: int, more: bytes) -> None:
    send_without_end(port, b"GET / HTTP/1.1\r\nHost: index.example\r\nX: ", more)


def test_nor_is_what_stands_behind_a_body(port: int) -> None:
    begin = b"POST /other HTTP/1.1\r\nHost: index.example\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"
    send_without_end(port, begin, b"a: bcdefgh\r\n" * 5000)


def test_a_long_head_and_a_long_body_are_read(port: int) -> None:
    head = b"POST /other HTTP/1.1\r\nHost: index.example\r\nX: " + b"x" * 60_000
    body = b"y" * 3 * MAX_HEAD_BYTES
    received = sent(port, head + f"\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body, post("/other"))
    assert received.count(b"HTTP/1.1 409 Conflict") == 2
