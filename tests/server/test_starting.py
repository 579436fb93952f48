"""What nothing can answer yet waits for the application, or is told why there is none; both live and end together."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cpufit_server.early import EarlyPages
from cpufit_server.starting import Starting


class TestWaiting:
    def test_ends_with_503_where_the_application_does_not_come(self) -> None:
        come = threading.Event()

        def make() -> Any:
            come.wait(60)
            return hello()

        async def ask() -> tuple[httpx.Response, httpx.Response]:
            starting = Starting(make, Nothing, patience=0.01, on_failure=pytest.fail)
            async with living(starting) as client:
                early = await client.get("/")
                come.set()
                return early, await until_served(client)

        early, late = asyncio.run(ask())
        assert (early.status_code, early.json()["code"]) == (503, "starting")
        assert early.headers["retry-after"] == "5"
        assert late.text == "hello"

    def test_an_application_that_fails_after_it_was_made_is_told(self) -> None:
        told: list[str] = []

        @contextlib.asynccontextmanager
        async def failing(_app: Any) -> AsyncIterator[None]:
            if not told:
                raise OSError("the disk is gone")
            yield

        async def ask() -> tuple[httpx.Response, Exception | None]:
            starting = Starting(lambda: hello(failing), Nothing, patience=60, on_failure=lambda: told.append("failed"))
            async with living(starting) as client:
                return await client.get("/"), starting.failure

        answer, failure = asyncio.run(ask())
        assert answer.status_code == 503
        assert told == ["failed"]
        assert isinstance(failure, OSError)
        assert str(failure) == "the disk is gone"

    def test_the_application_ends_with_the_server(self) -> None:
        told: list[str] = []

        async def ask() -> None:
            made = hello(telling(told))
            async with living(Starting(lambda: made, Nothing, patience=60, on_failure=pytest.fail)) as client:
                assert (await client.get("/")).text == "hello"

        asyncio.run(ask())
        assert told == ["begun", "ended"]


class TestWhoServesCannotBeToldThatItStarts:
    """Nobody asks for anything then, and nobody will order it to end."""

    def test_an_application_that_is_there_ends(self) -> None:
        told: list[str] = []
        asyncio.run(untold(Starting(lambda: hello(telling(told)), lambda: None, patience=60, on_failure=pytest.fail)))
        assert told == ["begun", "ended"]

    def test_one_that_is_still_made_is_waited_for_and_never_begins(self) -> None:
        told: list[str] = []
        come = threading.Event()

        class Early(Nothing):
            def close(self) -> None:
                told.append("early pages closed")

        def make() -> Any:
            come.wait(60)
            told.append("made")
            return hello(telling(told))

        starting = Starting(make, Early, patience=60, on_failure=pytest.fail)
        asyncio.run(untold(starting, meanwhile=come.set))
        assert told == ["made", "early pages closed"]


class TestWhoServesGoesWithoutAnOrder:
    """As after the second Ctrl-C: every task is cancelled, and the process waits for their ends."""

    @pytest.mark.parametrize("tells", [True, False])
    def test_an_application_is_not_waited_for_in_vain_and_nobody_is_blamed(
        self, tells: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It may tell that it was cancelled, as Starlette does, or say nothing any more."""

        async def go() -> set[asyncio.Task[Any]]:
            made = hello() if tells else silent
            starting = Starting(lambda: made, lambda: None, patience=60, on_failure=pytest.fail)
            orders: asyncio.Queue[Any] = asyncio.Queue()
            reports: asyncio.Queue[Any] = asyncio.Queue()
            life = asyncio.create_task(starting({"type": "lifespan", "state": {}}, orders.get, reports.put))
            await orders.put({"type": "lifespan.startup"})
            assert (await reports.get())["type"] == "lifespan.startup.complete"
            running = asyncio.all_tasks() - {asyncio.current_task()}
            assert life in running
            for task in running:
                task.cancel()
            _, waiting = await asyncio.wait(running, timeout=30)
            for task in waiting:  # or the loop would wait for it, too
                task.cancel()
            return waiting

        assert asyncio.run(go()) == set()
        assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def silent(_scope: Any, receive: Any, send: Any) -> None:
    """Answer the orders to start and to end, and nothing else."""
    for answer in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{answer}.complete"})


async def untold(application: Any, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Start an application as a server does that goes before it is told, with nothing of it left running."""

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        assert message["type"] == "lifespan.startup.complete"
        meanwhile()
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        await application({"type": "lifespan", "state": {}}, receive, send)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def telling(told: list[str]) -> Any:
    """Return the lifespan of an application that tells when it begins and ends."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        told.append("begun")
        yield
        told.append("ended")

    return lifespan


def hello(lifespan: Any = None) -> Starlette:
    return Starlette(routes=[Route("/", lambda _request: PlainTextResponse("hello"))], lifespan=lifespan)


class Nothing(EarlyPages):
    """Early pages of which there are none."""

    def __init__(self) -> None:
        pass

    async def answer(self, scope: Any, receive: Any, send: Any) -> bool:
        del scope, receive, send
        return False

    def close(self) -> None:
        pass


@contextlib.asynccontextmanager
async def living(application: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application for as long as the block runs, as an ASGI server does."""
    orders: asyncio.Queue[Any] = asyncio.Queue()
    reports: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(application({"type": "lifespan", "state": {}}, orders.get, reports.put))
    await orders.put({"type": "lifespan.startup"})
    assert (await reports.get())["type"] == "lifespan.startup.complete"
    try:
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client
    finally:
        await orders.put({"type": "lifespan.shutdown"})
        assert (await reports.get())["type"] == "lifespan.shutdown.complete"
        await life


async def until_served(client: httpx.AsyncClient) -> httpx.Response:
    for _ in range(6000):
        answer = await client.get("/")
        if answer.status_code != 503:
            return answer
        await asyncio.sleep(0.01)
    pytest.fail("nobody answers")
