"""The lines of requests: made many at a time, and what they say, to whom and when is what logging alone would do."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.flow_server import running_server

from cpufit_server.log_lines import ACCESS, AccessRecord, JsonFormatter, TextFormatter
from cpufit_server.logs import AccessLog, TurnHandler
from cpufit_server.watching import Exchange

MOMENT = 1_790_000_000_037_999
PAGE = Exchange("GET", "/simple/fast/", "/simple/{name}/", 200, 57071, 0.000_049_9, "pip", "0123456789abcdef")


class Pieces(io.StringIO):
    """Keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def write(self, text: str) -> int:
        self.written.append(text)
        return len(text)

    @property
    def paths(self) -> list[str]:
        """Those of requests."""
        return re.findall(r"\bGET (\S+)", "".join(self.written))


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """The logger of requests, as nobody has set it up, and left so."""
    logger = logging.getLogger(ACCESS)
    before = (logger.handlers, logger.filters, logger.propagate, logger.level)
    logger.handlers, logger.filters, logger.propagate = [], [], False
    logger.setLevel(logging.INFO)
    yield logger
    logger.handlers, logger.filters, logger.propagate, level = before
    logger.setLevel(level)


def added_handler(logger: logging.Logger, formatter: logging.Formatter | None = None) -> tuple[TurnHandler, Pieces]:
    pieces = Pieces()
    handler = TurnHandler(pieces)
    handler.setFormatter(formatter or TextFormatter())
    # without those of pytest, which stand on loggers that propagate nothing
    logger.handlers = [*(other for other in logger.handlers if isinstance(other, TurnHandler)), handler]
    return handler, pieces


def in_a_turn(*paths: str, access: AccessLog | None = None) -> None:
    async def turn() -> None:
        log = access or AccessLog()
        for path in paths:
            log(PAGE._replace(path=path))

    asyncio.run(turn())


def test_what_a_line_says_to_people() -> None:
    """Letter for letter: what reads logs relies on it."""
    failed = PAGE._replace(seconds=12.3456, status=404, size=0, client="uv", outcome="no-such-file")
    assert TextFormatter().format_requests([(MOMENT, PAGE), (MOMENT + 60_000_000, failed)]) == [
        "2026-09-21T14:13:20.037Z INFO    GET /simple/fast/ 200 57071 bytes 0.0 ms pip [0123456789abcdef]",
        "2026-09-21T14:14:20.037Z INFO    GET /simple/fast/ 404 0 bytes 12345.6 ms uv no-such-file [0123456789abcdef]",
    ]


def test_what_a_line_says_to_machines() -> None:
    (line,) = JsonFormatter().format_requests([(MOMENT, PAGE)])
    assert line == (
        '{"time": "2026-09-21T14:13:20.037Z", "level": "info", "logger": "cpufit_server.access", '
        '"message": "GET /simple/fast/ 200 57071 bytes 0.0 ms pip", "request_id": "0123456789abcdef", '
        '"method": "GET", "path": "/simple/fast/", "status": 200, "bytes": 57071, "duration_ms": 0.0, "client": "pip"}'
    )


NASTY = st.sampled_from(
    [
        "/simple/tokenizers/",
        "/simple/basic/",
        "/x?a=b",
        "/http://user:secret@elsewhere/",
        "/cpufit-" + "a" * 43,
        "/authorization=",
        "/token",
        '/"quoted"',
        "/back\\slash",
        "/a\n2026 INFO    all is well",
        "/\x1b[2J\r\x7f",
        "/\u017f\u0131\u00fc",
    ]
)
EXCHANGES = st.builds(
    Exchange,
    method=st.sampled_from(["GET", "HEAD", "POST", "other"]),
    path=st.one_of(NASTY, st.text(max_size=40).map(lambda text: f"/{text}")),
    route=st.just("unmatched"),
    status=st.integers(100, 599),
    size=st.integers(0, 10**12),
    seconds=st.floats(0, 10**6),
    client=st.sampled_from(["pip", "none", "cpufit", "other"]),
    request_id=st.one_of(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
        st.sampled_from(["cpufit-" + "b" * 43, "bearer", "Authorization"]),
    ),
    outcome=st.sampled_from(["", "taken", "no-such-project", "invalid-token"]),
)


@given(told=st.lists(st.tuples(st.integers(0, 4 * 10**15), EXCHANGES), max_size=5))
@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_many_lines_say_what_each_would(
    formatter: TextFormatter | JsonFormatter, told: list[tuple[int, Exchange]]
) -> None:
    """Whatever clients choose: the quick way writes nothing that the slow one takes out or spells otherwise."""
    assert formatter.format_requests(told) == [formatter.format(AccessRecord(*one)) for one in told]


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()], ids=["text", "json"])
def test_no_record_is_made_where_nobody_else_listens(
    logger: logging.Logger, formatter: logging.Formatter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is what makes it cheap, and what the tests below are about."""
    handler, pieces = added_handler(logger, formatter)
    monkeypatch.setattr(handler, "handle", None)
    in_a_turn("/a", "/b")
    assert pieces.paths == ["/a", "/b"]


def test_who_else_listens_gets_a_record_at_once(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pieces = added_handler(logger)
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logging.getLogger("cpufit_server"), "propagate", True)
    seen: list[str] = []

    async def turn() -> None:
        access = AccessLog()
        for path in ("/a", "/b"):
            access(PAGE._replace(path=path))
            seen.append(caplog.records[-1].getMessage().split()[1])
        assert pieces.written == []

    asyncio.run(turn())
    assert seen == ["/a", "/b"]
    assert vars(caplog.records[0])["facts"]["bytes"] == 57071
    assert vars(caplog.records[0])["request_id"] == PAGE.request_id
    assert len(pieces.written) == 1
    assert pieces.paths == ["/a", "/b"]


def test_who_listens_from_now_on_hears_of_the_next_turn(logger: logging.Logger) -> None:
    added_handler(logger)
    access = AccessLog()
    in_a_turn("/a", access=access)
    heard: list[logging.LogRecord] = []

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record)

    logger.addHandler(Hearing())
    in_a_turn("/b", access=access)
    assert [record.getMessage().split()[1] for record in heard] == ["/b"]


@pytest.mark.parametrize("where", ["logger", "handler"])
def test_a_filter_sees_each_request(logger: logging.Logger, where: str) -> None:
    handler, pieces = added_handler(logger)
    (logger if where == "logger" else handler).addFilter(lambda record: "/healthz" not in record.getMessage())
    in_a_turn("/a", "/healthz", "/b")
    assert pieces.paths == ["/a", "/b"]


def test_a_token_that_came_as_the_id_of_a_request_is_in_no_line() -> None:
    told = (MOMENT, PAGE._replace(request_id=f"cpufit-{'a' * 40}"))
    for formatter in (TextFormatter(), JsonFormatter()):
        for line in (*formatter.format_requests([told]), formatter.format(AccessRecord(*told))):
            assert "aaaa" not in line
            assert "cpufit-***" in line


def test_of_an_answer_to_head_no_bytes_are_told(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        for path in ("/simple/", "/nowhere"):
            assert int(httpx.head(f"{server.url}{path}", trust_env=False).headers["content-length"]) > 0
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    assert re.findall(r"HEAD (\S+) (\d+) (\d+) bytes", log) == [("/simple/", "200", "0"), ("/nowhere", "404", "0")]


def test_somebody_elses_form_has_the_thousandths_of_the_moment() -> None:
    records = [AccessRecord(MOMENT + 1000 * more, PAGE) for more in (0, 5)]
    assert [logging.Formatter("%(msecs)03d").format(record) for record in records] == ["037", "042"]


def test_somebody_elses_form_is_used(logger: logging.Logger) -> None:
    class Short(TextFormatter):
        def format(self, record: logging.LogRecord) -> str:
            return vars(record)["facts"]["path"]  # type: ignore[no-any-return]

    _, pieces = added_handler(logger, Short())
    _, others = added_handler(logger, logging.Formatter("%(name)s"))
    in_a_turn("/a", "/b")
    assert "".join(pieces.written) == "/a\n/b\n"
    assert "".join(others.written) == f"{ACCESS}\n{ACCESS}\n"


@pytest.mark.parametrize("silent", ["the logger's level", "the handler's level", "all of logging"])
def test_what_is_not_wanted_is_not_written(logger: logging.Logger, silent: str) -> None:
    handler, pieces = added_handler(logger)
    if silent == "all of logging":
        logging.disable(logging.INFO)
    else:
        (logger if silent == "the logger's level" else handler).setLevel(logging.WARNING)
    try:
        in_a_turn("/a", "/b")
    finally:
        logging.disable(logging.NOTSET)
    assert pieces.written == []


def test_what_another_thread_says_loses_no_request_and_changes_no_order(logger: logging.Logger) -> None:
    """It writes what waits, in the middle of turns, while more requests come."""
    _, pieces = added_handler(logger)
    begun, ended = threading.Event(), threading.Event()

    def talk() -> None:
        begun.set()
        while not ended.is_set():
            logger.warning("talk")

    async def turns() -> None:
        access = AccessLog()
        for turn in range(300):
            for number in range(10):
                access(PAGE._replace(path=f"/{turn}/{number}"))
            await asyncio.sleep(0)

    thread = threading.Thread(target=talk)
    thread.start()
    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # seconds: threads take turns in the middle of everything
    try:
        assert begun.wait(10)
        asyncio.run(turns())
    finally:
        sys.setswitchinterval(patience)
        ended.set()
        thread.join()
    assert pieces.paths == [f"/{turn}/{number}" for turn in range(300) for number in range(10)]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_stop_loses_no_line_and_a_kill_the_last_turn_alone(tmp_path: Path, form: str) -> None:
    log = tmp_path / "server.log"

    def told() -> list[str]:
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if "GET /simple/ " in line]
        return [str(json.loads(line)["request_id"]) if form == "json" else line[-17:-1] for line in lines]

    with (
        running_server(tmp_path, CPUFIT_LOG_FORMAT=form) as server,
        httpx.Client(base_url=server.url, timeout=30, trust_env=False) as client,
    ):
        ids = [client.get("/simple/").headers["x-request-id"] for _ in range(50)]
        # what a kill would leave now: the last answer's turn may not have ended yet
        left = told()
    assert left in (ids, ids[:-1])
    assert told() == ids
