"""What is answered before the application is there is what it would answer, and the rest is left to it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from cpufit_server.early import EarlyPages
from cpufit_wheelhouse.catalog import PolicyChange

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
JSON = "application/vnd.pypi.simple.v1+json"
PIP = f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"


class TestEarlyPages:
    CLIENTS: Mapping[str, Mapping[str, str]] = {
        "pip": {"accept": PIP, "user-agent": "pip/26.3 {}", "accept-encoding": "gzip, deflate"},
        "told": {"accept": PIP, "user-agent": 'pip/26.3 {"user_data":"cpufit=x86_64_v3"}', "accept-encoding": "gzip"},
        "uv": {"accept": PIP, "user-agent": "uv/0.13.9", "accept-encoding": "gzip, deflate, zstd"},
        "html": {"accept": "text/html", "user-agent": "x", "accept-encoding": "identity"},
    }
    PATHS = ("/simple/fast/", "/simple/plain/", "/simple/", "/cpu/x86_64_v2/simple/fast/", "/cpu/what/simple/")

    @pytest.fixture
    def hosted(self, server: Any, make_wheel: Callable[..., Any]) -> Any:
        for cpu in ("x86_64_v2", "x86_64_v3"):
            assert server.upload(make_wheel(tags=LINUX, native=True, extra=cpu.encode()), cpufit_needs=cpu).is_success
        for version in range(20):
            assert server.upload(make_wheel(name="plain", version=f"1.{version}")).is_success
        return server

    @pytest.fixture
    def early(self, hosted: Any) -> Iterator[EarlyPages]:
        found = EarlyPages.open(hosted.settings)
        assert found is not None
        yield found
        found.close()

    @pytest.mark.parametrize("client", CLIENTS)
    def test_are_those_of_the_application(self, client: str, hosted: Any, early: EarlyPages) -> None:
        for path in self.PATHS:
            headers = self.CLIENTS[client]
            hosted.client.get(path, headers=headers)  # makes what a page lists, where it is not there yet
            wanted = asked(hosted.app, path, headers)
            known = {**headers, "if-none-match": wanted.headers.get("etag", '"none"')}
            for sent in (headers, known):
                wanted, answer = asked(hosted.app, path, sent), asked(only(early), path, sent)
                assert (path, answer.status_code) == (path, wanted.status_code)
                assert headers_of(answer) == headers_of(wanted)
                assert without_random(answer.content) == without_random(wanted.content)

    def test_leave_what_has_to_be_made_to_the_application(self, hosted: Any, early: EarlyPages) -> None:
        headers = self.CLIENTS["pip"]
        assert asked(only(early), "/simple/fast/", headers).status_code == 418, "its selector is not there yet"
        staging = hosted.home.path / "staging"
        assert list(staging.iterdir()) == []
        hosted.client.get("/simple/fast/", headers=headers)
        assert asked(only(early), "/simple/fast/", headers).status_code == 200

    @pytest.mark.parametrize(
        "path",
        [
            "/simple/Fast/",
            "/simple/fast",
            "/simple/missing/",
            "/simple/fast/?format=application/json",
            "/cpu/x86_64_v1/simple/fast/",
            "/healthz",
            "/simple/a/b/",
            "/files/0/fast.whl",
        ],
    )
    def test_leave_the_rest_to_the_application(self, path: str, early: EarlyPages) -> None:
        assert asked(only(early), path, self.CLIENTS["pip"]).status_code == 418

    def test_leave_what_nothing_pleases_and_uploads_to_the_application(self, early: EarlyPages) -> None:
        assert asked(only(early), "/simple/plain/", {"accept": "image/png"}).status_code == 418
        assert asked(only(early), "/simple/plain/", {}, method="POST").status_code == 418

    def test_leave_projects_that_merge_to_the_application(self, hosted: Any, early: EarlyPages) -> None:
        hosted.home.catalog.set_policy("plain", PolicyChange(upstream="merge"))
        assert asked(only(early), "/simple/plain/", self.CLIENTS["pip"]).status_code == 418

    def test_leave_everything_to_the_application_when_they_are_over(self, early: EarlyPages) -> None:
        early.close()
        assert asked(only(early), "/simple/plain/", self.CLIENTS["pip"]).status_code == 418

    def test_there_are_none_where_reading_is_private(self, hosted: Any) -> None:
        assert EarlyPages.open(hosted.settings.model_copy(update={"private_reading": True})) is None


def only(early: EarlyPages) -> Any:
    """Return an application that answers early pages, and 418 for what is left to another one."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if not await early.answer(scope, receive, send):
            await PlainTextResponse("left", status_code=418)(scope, receive, send)

    return application


def asked(application: Any, path: str, headers: Mapping[str, str], *, method: str = "GET") -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, headers=dict(headers))

    return asyncio.run(ask())


def headers_of(answer: httpx.Response) -> dict[str, str]:
    found = dict(answer.headers)
    if found.get("cache-control") == "no-store":
        found.pop("content-length")  # what is random in it compresses as it pleases
    return found


def without_random(body: bytes) -> bytes:
    for packed in (b"\x1f\x8b", b"\x28\xb5\x2f\xfd"):
        assert not body.startswith(packed), "the client unpacks"
    return re.sub(rb"(selectors/[0-9a-f]{64}/)[A-Za-z0-9_-]{22}", rb"\1", body)
