from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from cpufit_server.errors import InvalidSetting
from cpufit_server.settings import Settings
from cpufit_server.upstream import upstream_index, without_userinfo
from cpufit_server.upstream.client import refuse_downgrade

JSON_TYPE = "application/vnd.pypi.simple.v1+json"


class Index:
    """A small upstream index on loopback that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.pages: dict[str, tuple[int, str, bytes, dict[str, str]]] = {}
        self.meanwhile: Callable[[], object] = lambda: None
        self.dribbles = False
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append((self.path, dict(self.headers)))
                index.meanwhile()
                status, kind, body, headers = index.pages.get(self.path, (404, "text/plain", b"", {}))
                self.send_response(status)
                for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                for start in range(len(body)) if index.dribbles else ():
                    try:
                        self.wfile.write(body[start : start + 1])
                    except OSError:
                        return
                    time.sleep(0.02)
                if not index.dribbles:
                    self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.netloc = f"127.0.0.1:{self.server.server_address[1]}"

    def serve(self, path: str, body: object, kind: str = JSON_TYPE, status: int = 200, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.pages[path] = (status, kind, data, headers)


@pytest.fixture
def index() -> Iterator[Index]:
    found = Index()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def passing(tmp_path: Path, index: Index, run_server: Callable[..., Any]) -> Iterator[Any]:
    with run_server(tmp_path / "home", upstream=f"http://someone:secret@{index.netloc}/simple/") as server:
        yield server


PAGE = {
    "meta": {"api-version": "1.1"},
    "name": "other",
    "versions": ["1.0"],
    "files": [
        {
            "filename": "other-1.0-py3-none-any.whl",
            "url": "../../packages/other-1.0-py3-none-any.whl",
            "hashes": {"sha256": "ab" * 32},
            "requires-python": ">=3.9",
            "core-metadata": {"sha256": "cd" * 32},
            "size": 12,
            "yanked": "broken",
            "_cpufit_need": "x86_64_v1",
        }
    ],
}


def test_a_name_that_is_not_hosted_is_passed_through(passing: Any, index: Index) -> None:
    index.serve("/simple/other/", PAGE)
    (entry,) = passing.page("/simple/other/")["files"]
    assert entry["url"] == f"../../upstream/other/{'ab' * 32}/other-1.0-py3-none-any.whl"
    assert entry["hashes"] == {"sha256": "ab" * 32}
    assert entry["requires-python"] == ">=3.9"
    assert entry["core-metadata"] == {"sha256": "cd" * 32}
    assert entry["yanked"] == "broken"
    assert "_cpufit_need" not in entry, "nobody speaks in our name"
    assert index.asked[0][1]["Authorization"].startswith("Basic ")
    html = passing.client.get("/cpu/x86_64_v3/simple/other/", headers={"Accept": "text/html"})
    assert "secret" not in html.text
    assert f'"../../../../upstream/other/{"ab" * 32}/other-1.0-py3-none-any.whl#sha256=' in html.text
    assert html.headers["cache-control"] == "private, no-cache"
    again = passing.client.get("/cpu/x86_64_v3/simple/other/", headers={"If-None-Match": html.headers["etag"]})
    assert again.status_code == 304


def test_labelled_wheels_of_an_upstream_are_shown_only_to_who_understands_them(passing: Any, index: Index) -> None:
    plain, labelled = "other-1.0-py3-none-linux_x86_64.whl", "other-1.0-py3-none-linux_x86_64-x86_64_v3.whl"
    names = [plain, labelled, "other-1.0-variants.json"]
    files = [{"filename": name, "url": f"../../packages/{name}", "hashes": {}} for name in names]
    index.serve("/simple/other/", {**PAGE, "files": files})

    def listed(user_agent: str) -> list[str]:
        answer = passing.client.get("/simple/other/", headers={"Accept": JSON_TYPE, "User-Agent": user_agent})
        return [file["filename"] for file in answer.json()["files"]]

    assert listed('pip/22.2.2 {"installer":{"name":"pip"}}') == [plain]
    assert sorted(listed("uv/0.13.9")) == sorted(names)


def test_an_upstream_that_speaks_html_alone_is_read_as_well(passing: Any, index: Index) -> None:
    html = (
        '<a href="/p/other-1.0-py3-none-any.whl#sha256=' + "ab" * 32 + '" data-requires-python="&gt;=3.9">x</a>'
        '<a href="javascript:alert(1)//other-2.0-py3-none-any.whl">y</a>'
    )
    index.serve("/simple/other/", html, "text/html; charset=utf-8")
    (entry,) = passing.page("/simple/other/")["files"]
    assert entry["url"] == f"../../upstream/other/{'ab' * 32}/other-1.0-py3-none-any.whl"
    assert entry["requires-python"] == ">=3.9"


def test_a_hosted_name_is_never_asked_upstream_even_when_nothing_is_listed(
    passing: Any, index: Index, make_wheel: Callable[..., Any]
) -> None:
    index.serve("/simple/fast/", PAGE)
    passing.upload(make_wheel(tags="cp311-cp311-manylinux_2_17_x86_64", native=True))
    assert passing.names() == []
    assert passing.names("/cpu/x86_64_v1/simple/fast/") == []
    assert index.asked == []


@pytest.mark.parametrize("known", [True, False])
def test_a_name_that_is_hosted_while_the_upstream_answers_is_ours(
    passing: Any, index: Index, make_wheel: Callable[..., Any], known: bool
) -> None:
    if known:
        index.serve("/simple/fast/", PAGE)
    index.meanwhile = lambda: passing.upload(make_wheel())
    assert passing.names() == ["fast-1.0-py3-none-any.whl"]


def test_an_upstream_that_dribbles_does_not_hold_a_place_for_ever(
    tmp_path: Path, index: Index, run_server: Callable[..., Any]
) -> None:
    index.serve("/simple/other/", "x" * 1000)
    index.dribbles = True
    with run_server(tmp_path / "home", upstream=f"http://{index.netloc}/simple", upstream_timeout=0.2) as server:
        started = time.monotonic()
        answer = server.client.get("/simple/other/")
        assert time.monotonic() - started < 10
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
    assert "no whole page" in answer.json()["message"]


@pytest.mark.parametrize("accept", [JSON_TYPE, "text/html"])
def test_what_an_upstream_writes_in_a_wrong_type_is_not_passed_on(passing: Any, index: Index, accept: str) -> None:
    wrong = {"filename": "other-1.0.tar.gz", "url": "x", "hashes": {}, "requires-python": {"a": 1}, "size": "<big>"}
    index.serve("/simple/other/", {**PAGE, "files": [wrong, {**wrong, "size": -1, "requires-python": 3}]})
    answer = passing.client.get("/simple/other/", headers={"Accept": accept})
    assert answer.status_code == 200
    if accept == JSON_TYPE:
        assert all(not {"size", "requires-python"} & set(file) for file in answer.json()["files"])


def test_a_time_that_no_calendar_has_is_left_out(passing: Any, index: Index) -> None:
    early = {"filename": "other-1.0.tar.gz", "url": "x", "hashes": {}, "upload-time": "0001-01-01T00:00:00+14:00"}
    index.serve("/simple/other/", {**PAGE, "files": [early]})
    (entry,) = passing.page("/simple/other/")["files"]
    assert "upload-time" not in entry


@pytest.mark.parametrize(
    ("start", "target", "allowed"),
    [
        ("https://index.example/a/", "/b/", True),
        ("https://index.example/a/", "https://other.example/", True),
        ("https://index.example/a/", "http://index.example/a/", False),
        ("http://index.example/a/", "http://index.example/b/", True),
    ],
)
def test_no_redirect_leads_from_https_to_http(start: str, target: str, allowed: bool) -> None:
    redirect = httpx.Response(301, headers={"Location": target}, request=httpx.Request("GET", start))
    with nullcontext() if allowed else pytest.raises(httpx.UnsupportedProtocol):
        asyncio.run(refuse_downgrade(redirect))


def test_what_the_upstream_does_not_have_is_404_and_asked_once(passing: Any, index: Index) -> None:
    for _ in range(3):
        answer = passing.client.get("/simple/nothing/")
        assert (answer.status_code, answer.json()["code"]) == (404, "no-such-project")
    assert len(index.asked) == 1


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (500, "text/plain", "oops"),
        (403, "text/plain", ""),
        (200, "text/plain", "hello"),
        (200, JSON_TYPE, "{}"),
        (200, "", ""),
        (200, "text/html", '<base href="http://["><a href="other-1.0.tar.gz">x</a>'),
    ],
)
def test_an_upstream_that_gives_no_page_is_502_with_a_code(
    passing: Any, index: Index, status: int, kind: str, body: str
) -> None:
    index.serve("/simple/other/", body, kind, status)
    answer = passing.client.get("/simple/other/")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
    assert "secret" not in answer.text


def test_an_upstream_that_is_not_there_is_502(tmp_path: Path, run_server: Callable[..., Any]) -> None:
    with run_server(tmp_path / "home", upstream="http://me:secret@127.0.0.1:9/simple") as server:
        answer = server.client.get("/simple/other/")
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
        assert "secret" not in answer.text


def test_an_upstream_page_over_the_limit_is_502_and_names_the_limit(
    tmp_path: Path, index: Index, run_server: Callable[..., Any]
) -> None:
    index.serve("/simple/other/", PAGE)
    upstream = f"http://{index.netloc}/simple"
    with run_server(tmp_path / "home", upstream=upstream, upstream_max_page_bytes=100) as server:
        answer = server.client.get("/simple/other/")
        assert (answer.status_code, answer.json()["code"]) == (502, "upstream-failed")
        assert "more than 100 bytes" in answer.json()["message"]


def test_an_upstream_that_moved_is_followed(passing: Any, index: Index) -> None:
    index.serve("/simple/other/", "", "text/plain", 301, Location="/new/other/")
    index.serve("/new/other/", {**PAGE, "files": [{"filename": "x.whl", "url": "x.whl", "hashes": {}}]})
    assert passing.page("/simple/other/")["files"][0]["url"] == f"http://{index.netloc}/new/other/x.whl"


def test_an_address_is_shown_without_what_stands_before_its_host() -> None:
    assert without_userinfo("https://u:p@h.example:1/a?b=c") == "https://h.example:1/a?b=c"
    assert without_userinfo("https://h.example/a@b") == "https://h.example/a@b"


def test_the_upstream_may_be_the_index_that_pip_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://u:p@pip.example/simple/")
    monkeypatch.setenv("PIP_PROXY", "http://proxy.example:3128")
    index = upstream_index(Settings(home=tmp_path, upstream="pip"))
    assert index is not None
    assert (index.url, index.proxy) == ("https://u:p@pip.example/simple", "http://proxy.example:3128")
    assert upstream_index(Settings(home=tmp_path)) is None


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8000/simple/", "http://127.0.0.1:8000", "http://u:p@127.0.0.1:8000/x"]
)
def test_the_server_is_not_its_own_upstream(tmp_path: Path, address: str) -> None:
    with pytest.raises(InvalidSetting, match="is this server itself"):
        upstream_index(Settings(home=tmp_path, upstream=address))
    assert upstream_index(Settings(home=tmp_path, port=80, upstream=address)) is not None
