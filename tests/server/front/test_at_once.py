"""Answers that the protocol writes itself: the same bytes as the way of ASGI gives, and only where that is safe."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import pytest
import uvicorn

from cpufit_server.front.app import Front
from cpufit_server.front.at_once import AtOnce
from cpufit_server.front.protocol import FrontProtocol

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
JSON = "application/vnd.pypi.simple.v1+json"
AGENT = 'uv/0.13.9 {"user_data":"cpufit=x86_64_v3"}'


def head(path: str, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    asked = (f"{method} {path} HTTP/{version}", "Host: index.example", f"Accept: {JSON}", *lines)
    return "\r\n".join([*asked, "", ""]).encode()


class Connection:
    """One connection, and the answers that come over it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._received = b""

    def send(self, *requests: bytes) -> None:
        self._socket.sendall(b"".join(requests))

    def answer(self, method: str = "GET") -> tuple[bytes, dict[bytes, bytes], bytes]:
        """Return the next answer: its status line, its headers by name, and its body."""
        while b"\r\n\r\n" not in self._received:
            self._more()
        told, _, self._received = self._received.partition(b"\r\n\r\n")
        status, *lines = told.split(b"\r\n")
        headers = dict(line.split(b": ", 1) for line in lines)
        size = 0 if method == "HEAD" or b" 304 " in status else int(headers.get(b"content-length", b"0"))
        while len(self._received) < size:
            self._more()
        body, self._received = self._received[:size], self._received[size:]
        return status, headers, body

    def closed(self) -> bool:
        """Tell whether the server ends the connection and sends nothing more."""
        return not self._received and self._socket.recv(1) == b""

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> None:
        piece = self._socket.recv(65536)
        assert piece, "the server closed the connection"
        self._received += piece


class Lane:
    """Counts what was answered at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        real = Front.at_once

        def counting(front: Front, *words: Any, **more: Any) -> Any:
            found = real(front, *words, **more)
            self.taken += found is not None
            return found

        monkeypatch.setattr(Front, "at_once", counting)


@pytest.fixture
def lane(monkeypatch: pytest.MonkeyPatch) -> Lane:
    return Lane(monkeypatch)


@pytest.fixture
def connection(server: Any, lane: Lane, make_wheel: Callable[..., Any]) -> Any:
    """A connection to a server whose page, and whose small file, stand ready."""
    assert server.upload(make_wheel()).status_code == 200
    made = Connection(server.settings.port)
    until = time.monotonic() + 20
    while not lane.taken:
        assert time.monotonic() < until, "nothing was ever answered at once"
        made.send(head("/simple/fast/"))
        made.answer()
    lane.taken = 0
    yield made
    made.close()


def test_the_answer_is_the_one_that_asgi_gives(connection: Connection, lane: Lane) -> None:
    connection.send(head("/simple/fast/"))
    at_once = connection.answer()
    assert lane.taken == 1
    connection.send(head("/simple/fast/", "Content-Length: 0"))  # a body, be it empty: not for the protocol
    by_asgi = connection.answer()
    assert lane.taken == 1
    for _, headers, _ in (at_once, by_asgi):
        assert headers.pop(b"date")
        assert re.fullmatch(rb"[0-9a-f]{16}", headers.pop(b"x-request-id"))
    assert at_once == by_asgi
    assert list(at_once[1]) == list(by_asgi[1])


def test_who_has_the_version_is_told_so(connection: Connection, lane: Lane) -> None:
    connection.send(head("/simple/fast/"))
    etag = connection.answer()[1][b"etag"].decode()
    connection.send(head("/simple/fast/", f"If-None-Match: {etag}"), head("/simple/fast/", 'If-None-Match: "other"'))
    known, other = connection.answer(), connection.answer()
    assert known[0] == b"HTTP/1.1 304 Not Modified"
    assert known[1][b"etag"].decode() == etag
    assert b"content-length" not in known[1]
    assert other[0] == b"HTTP/1.1 200 OK"
    assert lane.taken == 3


def test_a_head_has_the_size_and_no_body(connection: Connection, lane: Lane) -> None:
    connection.send(head("/simple/fast/", method="HEAD"), head("/simple/fast/"))
    _, told, _ = connection.answer("HEAD")
    _, headers, body = connection.answer()
    assert told[b"content-length"] == headers[b"content-length"] == str(len(body)).encode()
    assert lane.taken == 2


def test_answers_come_in_the_order_of_the_requests(connection: Connection) -> None:
    """One that takes the way of ASGI, and behind it some that stand ready."""
    connection.send(head("/simple/nobody/"), head("/simple/fast/"), head("/simple/nobody/"), head("/simple/fast/"))
    statuses = [connection.answer()[0].split()[1] for _ in range(4)]
    assert statuses == [b"404", b"200", b"404", b"200"]


def test_an_upload_is_seen_by_the_very_next_request(
    connection: Connection, server: Any, make_wheel: Callable[..., Any]
) -> None:
    for version in ("1.1", "1.2", "1.3"):
        assert server.upload(make_wheel(version=version)).status_code == 200
        connection.send(head("/simple/fast/"))
        assert f"fast-{version}-".encode() in connection.answer()[2]


@pytest.mark.parametrize(
    "lines",
    [
        ("Accept: text/html",),  # a second one
        ("Expect: 100-continue",),
        ("Transfer-Encoding: chunked",),
        ("Upgrade: websocket", "Connection: Upgrade"),
    ],
)
def test_what_is_not_plain_takes_the_way_of_asgi(connection: Connection, lane: Lane, lines: tuple[str, ...]) -> None:
    body = b"0\r\n\r\n" if "chunked" in lines[0] else b""
    connection.send(head("/simple/fast/", *lines), body)
    status, _, _ = connection.answer()
    while status == b"HTTP/1.1 100 Continue":
        status, _, _ = connection.answer()
    assert status == b"HTTP/1.1 200 OK"
    assert lane.taken == 0


@pytest.mark.parametrize("path", ["/simple/fast/?a=b", "/simple/f%61st/", "http://index.example/simple/fast/"])
def test_another_spelling_of_the_address_takes_the_way_of_asgi(connection: Connection, lane: Lane, path: str) -> None:
    connection.send(head(path))
    assert connection.answer()[0] == b"HTTP/1.1 200 OK"
    assert lane.taken == 0


@pytest.mark.parametrize(("lines", "version"), [(("Connection: close",), "1.1"), ((), "1.0")])
def test_a_connection_that_is_to_end_ends(connection: Connection, lines: tuple[str, ...], version: str) -> None:
    connection.send(head("/simple/fast/", *lines, version=version))
    assert connection.answer()[0] == b"HTTP/1.1 200 OK"
    assert connection.closed()


def test_each_answer_with_a_selector_has_addresses_of_its_own(
    server: Any, lane: Lane, make_wheel: Callable[..., Any]
) -> None:
    for cpu in ("x86_64_v2", "x86_64_v3"):
        wheel = make_wheel(tags=LINUX, native=True, extra=cpu.encode())
        assert server.upload(wheel, cpufit_needs=cpu).status_code == 200
    connection = Connection(server.settings.port)
    bodies = []
    until = time.monotonic() + 20
    while lane.taken < 3:
        assert time.monotonic() < until
        connection.send(head("/simple/fast/", "User-Agent: uv/0.13.9"))
        bodies.append(connection.answer()[2])
    connection.close()
    assert len(set(bodies)) == len(bodies)


def test_who_reads_slowly_gets_everything(server: Any, lane: Lane, make_wheel: Callable[..., Any]) -> None:
    """More than the connection holds is asked for before anything is read: what is ready must not pile up."""
    for number in range(40):
        assert server.upload(make_wheel(version=f"1.{number}")).status_code == 200
    connection = Connection(server.settings.port)
    until = time.monotonic() + 20
    while not lane.taken:
        assert time.monotonic() < until
        connection.send(head("/simple/fast/"))
        connection.answer()
    connection.send(*[head("/simple/fast/")] * 600)
    time.sleep(0.2)
    sizes = {len(connection.answer()[2]) for _ in range(600)}
    connection.close()
    assert len(sizes) == 1


class _QuickAndSlow:
    """An application with one answer that stands ready, and others that take longer than a connection may be idle."""

    def at_once(self, path: str, headers: Mapping[bytes, bytes], *, method: str) -> AtOnce | None:
        del headers, method
        return AtOnce(200, b"content-length: 5\r\n", b"quick") if path == "/quick" else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        del scope, receive
        await asyncio.sleep(1.5)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"slow"})


def test_a_long_answer_behind_a_ready_one_is_not_cut_as_if_the_connection_were_idle() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            _QuickAndSlow(),
            http=FrontProtocol,
            timeout_keep_alive=1,
            lifespan="off",
            log_level="error",
            proxy_headers=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.005)
            with closing(Connection(listener.getsockname()[1])) as connection:
                connection.send(head("/quick"), head("/slow"))  # in one piece
                bodies = [connection.answer()[2], connection.answer()[2]]
        finally:
            server.should_exit = True
            thread.join()
    assert bodies == [b"quick", b"slow"]


def test_a_fault_of_ours_is_not_told_to_be_the_clients(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*words: Any, **more: Any) -> Any:
        raise ZeroDivisionError("no ready answer")

    monkeypatch.setattr(Front, "at_once", failing)
    connection.send(head("/simple/fast/"))
    assert connection.answer()[0] == b"HTTP/1.1 200 OK"
    assert "no ready answer" in caplog.text
