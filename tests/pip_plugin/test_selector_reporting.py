"""The report of a refusal: what is in it, who keeps it from being sent, and that nothing waits for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from cpufit_pip_plugin.selector.backend import reporting
from cpufit_pip_plugin.selector.backend.release import Release, WheelFile
from cpufit_pip_plugin.selector.backend.reporting import begin_report, may_report, report_of
from cpufit_pip_plugin.selector.backend.transport import Transport
from cpufit_resolver import CpuProfile, Need, parse_need
from cpufit_resolver.refusals import needs_features, not_inspected, other_platform

TAG = "cp311-cp311-manylinux_2_36_x86_64"
PROFILE = CpuProfile.parse("x86_64_v2+aes+avx+sha_ni")
REFUSED = [
    needs_features("a.whl", frozenset({"avx2", "fma"})),
    needs_features("b.whl", frozenset({"f16c"})),
    not_inspected("c.whl"),
    other_platform("d.whl"),
]


def wheel(need: Need) -> WheelFile:
    name = "demo_kit-2.0-cp311-cp311-manylinux_2_17_x86_64.whl"
    return WheelFile(filename=name, url="", sha256="0" * 64, size=1, metadata_sha256="0" * 64, need=need)


RELEASE = Release(
    project="Demo_Kit",
    version="2.0",
    api_url="",
    cpufit="0",
    allow_unknown=False,
    wheels=(wheel(parse_need("x86_64_v2+aes+avx+f16c", frozenset())),),
    source=None,
    wanted=True,
)


class Index(ThreadingHTTPServer):
    """Takes reports, or lets them wait."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reports: list[tuple[str, dict[str, str], Any]] = []
        self.status = 204
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Index

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.reports.append((self.path, dict(self.headers), body))
        self.server.go_on.wait(20)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


@pytest.fixture
def index() -> Iterator[Index]:
    with Index() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


def report(index: Index, **environ: str) -> reporting.Report:
    transport = Transport(index.url, {"NETRC": "/dev/null", **environ}, agent="cpufit-selector/0")
    return begin_report(replace(RELEASE, api_url=index.url), transport, PROFILE, REFUSED, TAG, "3.11.7")


def test_it_holds_what_a_build_has_to_know_and_no_more() -> None:
    assert report_of(RELEASE, PROFILE, REFUSED, TAG, "3.11.7") == {
        "project": "demo-kit",
        "version": "2.0",
        # no wheel of the release and no level asks for sha_ni
        "cpu": "x86_64_v2+aes+avx",
        "missing": ["f16c"],
        "python": "3.11",
        "platform": "manylinux_2_36_x86_64",
    }
    assert report_of(RELEASE, PROFILE, [other_platform("d.whl")], TAG, "3.11.7")["missing"] == []


def test_it_goes_to_the_index_without_credentials(index: Index) -> None:
    assert report(index, CPUFIT_TOKEN="a-secret").arrived()
    ((path, headers, body),) = index.reports
    assert (path, body["project"]) == ("/api/v1/wanted", "demo-kit")
    assert (headers["Content-Type"], headers["User-Agent"]) == ("application/json", "cpufit-selector/0")
    assert "Authorization" not in headers


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500])
def test_an_index_that_does_not_take_it_changes_nothing(index: Index, status: int) -> None:
    index.status = status
    assert not report(index).arrived()
    assert len(index.reports) == 1


def test_an_index_that_is_not_there_changes_nothing() -> None:
    with Index() as gone:
        pass
    assert not report(gone).arrived()


def test_nobody_waits_long_for_it(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "TIMEOUT", 0.2)
    index.go_on.clear()
    started = time.monotonic()
    assert not report(index).arrived()
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("name", ["CPUFIT_NO_REPORT", "DO_NOT_TRACK"])
def test_a_variable_keeps_it_from_being_sent(name: str) -> None:
    assert may_report(RELEASE, {})
    assert [may_report(RELEASE, {name: value}) for value in ("1", "true", "yes")] == [False] * 3
    assert [may_report(RELEASE, {name: value}) for value in ("", "0", "false")] == [True] * 3


def test_an_index_that_does_not_count_is_told_nothing() -> None:
    assert not may_report(replace(RELEASE, wanted=False), {})
