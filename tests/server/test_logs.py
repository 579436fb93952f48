"""The log of a server: its two forms, what each line tells, and that nothing secret is ever in it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_server import running_server
from tests.server.test_upstream import Index

from cpufit_server.cli import main
from cpufit_server.log_lines import ACCESS, JsonFormatter, TextFormatter, redacted
from cpufit_server.logs import AccessLog, TurnHandler, log_config
from cpufit_server.watching import Exchange, client_kind

PASSWORD = "hunter2-and-more"
QUERY = "very-secret-in-a-query"


@contextlib.contextmanager
def serving(tmp_path: Path, **settings: str) -> Iterator[tuple[httpx.Client, Path]]:
    with (
        running_server(tmp_path, **{f"CPUFIT_{name.upper()}": value for name, value in settings.items()}) as server,
        httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client,
    ):
        yield client, tmp_path / "server.log"


def break_catalog(home: Path) -> None:
    """Make a server meet an error that nobody expected."""
    with contextlib.closing(sqlite3.connect(home / "catalog.sqlite3")) as connection:
        connection.execute("ALTER TABLE projects RENAME TO nobody_knows")
        connection.commit()


def access_lines(log: Path) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["logger"] == "cpufit_server.access" and line["path"] != "/healthz"]


def test_a_line_for_each_request_as_json(tmp_path: Path) -> None:
    with serving(tmp_path, log_format="json") as (client, log):
        agent = {"User-Agent": 'pip/26.3 {"python":"3.11"}', "X-Request-Id": "proxy-1.a_b"}
        answer = client.get(f"/simple/nobody/?token={QUERY}", headers=agent)
        made = client.get("/simple/%1b%5b2J%20x", headers={"X-Request-Id": "bad id\t" + "x" * 100})
    first, second = access_lines(log)
    assert answer.headers["x-request-id"] == "proxy-1.a_b"
    took = first.pop("duration_ms")
    assert isinstance(took, float)
    assert first.pop("time")
    assert first == {
        "level": "info",
        "logger": "cpufit_server.access",
        "message": f"GET /simple/nobody/ 404 {len(answer.content)} bytes {took} ms pip no-such-project",
        "request_id": "proxy-1.a_b",
        "method": "GET",
        "path": "/simple/nobody/",
        "status": 404,
        "bytes": len(answer.content),
        "client": "pip",
        "outcome": "no-such-project",
    }
    assert second["path"] == "/simple/%1b%5b2J%20x"
    assert second["request_id"] == made.headers["x-request-id"]
    assert len(str(second["request_id"])) == 16


def test_uvicorns_own_lines_have_the_same_form(tmp_path: Path) -> None:
    with serving(tmp_path, log_format="json") as (_, log):
        pass
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert {"uvicorn.error", "cpufit_server.commands.serve"} <= {line["logger"] for line in lines}


def test_a_level_leaves_out_what_is_below_it(tmp_path: Path) -> None:
    with serving(tmp_path, log_level="warning") as (client, log):
        client.get("/simple/")
    assert log.read_text(encoding="utf-8") == ""


@pytest.mark.parametrize("form", ["text", "json"])
def test_nothing_secret_is_written_whatever_happens(
    tmp_path: Path, form: str, make_wheel: Callable[..., tuple[str, bytes]], capsys: pytest.CaptureFixture[str]
) -> None:
    """A session with uploads, a private upstream that answers and fails, and an error of the server's own."""
    home = tmp_path / "home"
    assert main(["token", "create", "--project", "fast", "--home", str(home)]) == 0
    token = capsys.readouterr().out.strip()
    wheel = make_wheel()
    index = Index()
    threading.Thread(target=index.server.serve_forever, daemon=True).start()
    try:
        index.serve("/simple/there/", {"meta": {"api-version": "1.0"}, "name": "there", "files": []})
        index.serve("/simple/broken/", "no page", status=500)
        upstream = f"http://user:{PASSWORD}@{index.netloc}/simple"
        with serving(tmp_path, log_format=form, log_level="debug", upstream=upstream) as (client, log):
            data = {":action": "file_upload"}
            for auth in (("__token__", token), ("__token__", f"{token}x"), ("somebody", PASSWORD)):
                client.post(f"/legacy/?secret={QUERY}", data=data, files={"content": wheel}, auth=auth)
            bearer = {"Authorization": f"Bearer {token}"}
            assert client.post("/legacy/", data=data, files={"content": wheel}, headers=bearer).status_code == 200
            assert client.get(f"/simple/there/?q={QUERY}").status_code == 200
            assert client.get("/simple/broken/").status_code == 502
            client.get(f"/simple/http://user:{PASSWORD}@elsewhere/")
            client.get(f"/files/{'0' * 64}/x.whl?token={token}")
            break_catalog(home)
            assert client.get(f"/api/v1/projects/fast?{QUERY}={token}").status_code == 500
    finally:
        index.server.shutdown()
        index.server.server_close()
    written = log.read_text(encoding="utf-8")
    assert "Traceback" in written
    assert "502" in written
    for secret in (token, token.removeprefix("cpufit-"), PASSWORD, QUERY):
        assert secret not in written


def test_an_error_of_the_servers_own_can_be_found_by_its_id(tmp_path: Path) -> None:
    with serving(tmp_path, log_format="json") as (client, log):
        break_catalog(tmp_path / "home")
        answer = client.get("/simple/fast/")
        assert answer.status_code == 500
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    (traceback,) = (line for line in lines if "exception" in line)
    assert traceback["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cpufit-" + "a" * 43, "cpufit-***"),
        ("Authorization: Basic dTpw", "Authorization: ***"),
        ("{'authorization': 'Bearer abc'}", "{'authorization': '***'}"),
        ("Bearer abcdefghijklmnop", "Bearer ***"),
        ("ba\u017fic abcdefghijklmnop", "ba\u017fic ***"),
        ("Author\u0131zation: abc", "Author\u0131zation: ***"),
        ("BAS\u0130C abcdefghijklmnop", "BAS\u0130C ***"),
        ("GET https://user:pass@index.example/simple/?a=b", "GET https://***@index.example/simple/?***"),
        ("GET /simple/?a=b HTTP/1.1", "GET /simple/?*** HTTP/1.1"),
        ("cpufit-server at http://127.0.0.1:8000/simple/", "cpufit-server at http://127.0.0.1:8000/simple/"),
        ("is there a token? no basic authentication", "is there a token? no basic authentication"),
    ],
)
def test_what_is_taken_out_of_a_line(text: str, told: str) -> None:
    assert redacted(text) == told


def test_a_traceback_is_held_to_it_too() -> None:
    error = ValueError("http://user:pass@index.example/")
    record = logging.LogRecord("x", logging.ERROR, "", 0, "it broke", (), (ValueError, error, None))
    for formatter in (TextFormatter(), JsonFormatter()):
        assert "ValueError: http://***@index.example/" in formatter.format(record)
        record.exc_text = None


def test_what_a_terminal_obeys_is_spelled_out() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "\x1b[2J%s", ("\r\x9b",), None)
    assert TextFormatter().format(record).endswith("\\x1b[2J\\x0d\\x9b")


def test_no_name_begins_a_line_of_its_own() -> None:
    record = logging.LogRecord("x", logging.ERROR, "", 0, "GET %s: broke", ("/a\n2026 INFO    all is well",), None)
    assert len(TextFormatter().format(record).splitlines()) == 1


def test_the_configuration_names_each_of_our_rooms() -> None:
    told = log_config("json", "error")
    assert isinstance(told["loggers"], dict)
    assert {"uvicorn", "cpufit_server", "cpufit_wheelhouse"} <= set(told["loggers"])


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (None, "none"),
        (b'pip/26.3 {"cpu":"x"}', "pip"),
        (b"uv/0.13.9", "uv"),
        (b"twine/7.0 CPython/3.11", "twine"),
        (b"unearth/0.17", "pdm"),
        (b"Mozilla/5.0 (X11)", "browser"),
        (b"pippin/1", "other"),
        (b"\xff\xfe", "other"),
    ],
)
def test_a_kind_of_client_is_one_of_a_few_words(agent: bytes | None, kind: str) -> None:
    assert client_kind(agent) == kind


def test_requests_of_one_turn_are_written_together_and_in_order() -> None:
    written: list[str] = []

    class Pieces(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    handler = TurnHandler(Pieces())
    handler.setFormatter(TextFormatter())
    logger = logging.getLogger(ACCESS)
    before, logger.handlers, logger.propagate = (logger.handlers, logger.propagate, logger.level), [handler], False
    logger.setLevel(logging.INFO)
    access = AccessLog()

    async def turns() -> None:
        access(exchange("/a"))
        access(exchange("/b"))
        assert written == []
        await asyncio.sleep(0)
        access(exchange("/c"))
        logger.warning("now")

    try:
        asyncio.run(turns())
        access(exchange("/d"))
    finally:
        logger.handlers, logger.propagate, level = before
        logger.setLevel(level)
    told = [
        [line.split()[3] if " GET " in line else line.split()[2] for line in piece.splitlines()] for piece in written
    ]
    assert told == [["/a", "/b"], ["/c", "now"], ["/d"]]


def exchange(path: str) -> Exchange:
    return Exchange(
        method="GET", path=path, route=path, status=200, size=1, seconds=0.001, client="pip", request_id="0" * 16
    )
