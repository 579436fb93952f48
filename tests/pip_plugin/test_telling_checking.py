"""Whether an index is a cpufit server: what each kind of answer tells, and with which settings it is asked."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cpufit_pip_plugin.telling.addresses import readable_address
from cpufit_pip_plugin.telling.checking import check

NO_SUCH_PROJECT = json.dumps({"code": "no-such-project"})


class Answering(ThreadingHTTPServer):
    """Answers every request alike, and keeps what was asked."""

    status = 404
    body = NO_SUCH_PROJECT

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Answering)
        server.asked.append((self.path, self.headers.get("Authorization")))
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(server.body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name for it
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Answering() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (404, NO_SUCH_PROJECT, "cpufit"),
        (200, json.dumps({"name": "cpufit", "releases": []}), "cpufit"),
        (404, "not found", "other"),
        (404, json.dumps({"code": "not-found"}), "other"),
        (200, "<html>", "other"),
        (200, "[" * 100_000, "other"),
        (401, "", "unknown"),
        (403, "", "unknown"),
        (503, "", "unknown"),
    ],
)
def test_only_the_apis_own_words_tell_of_a_cpufit_server(status: int, body: str, kind: str, server: Answering) -> None:
    server.status, server.body = status, body
    checked = check(readable_address(f"{server.url}/root/cpu/x86_64_v2/simple/"), {})
    assert checked.kind == kind
    assert server.asked == [("/root/api/v1/projects/cpufit", None)]


def test_nobody_there_tells_nothing() -> None:
    checked = check(readable_address("http://127.0.0.1:1/simple/"), {})
    assert checked.kind == "unknown"
    assert checked.reason.startswith("no answer")


def test_certificates_that_cannot_be_read_tell_nothing() -> None:
    checked = check(readable_address("https://127.0.0.1:1/simple/"), {"PIP_CERT": "/no/such/file"})
    assert (checked.kind, "/no/such/file" in checked.reason) == ("unknown", True)


def test_pips_proxy_is_asked(server: Answering) -> None:
    checked = check(readable_address("http://index.invalid/simple/"), {"PIP_PROXY": server.url})
    assert checked.kind == "cpufit"
    assert server.asked[0][0] == "http://index.invalid/api/v1/projects/cpufit"


def test_credentials_in_the_address_come_before_netrc(server: Answering, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password word\n")
    environ = {"NETRC": str(tmp_path / "netrc")}
    check(readable_address(server.url.replace("://", "://me:secret@")), environ)
    check(readable_address(server.url), environ)
    basic = [f"Basic {base64.b64encode(told).decode()}" for told in (b"me:secret", b"other:word")]
    assert [authorization for _, authorization in server.asked] == basic
