"""An application that takes longer to load than its first pages to answer: those come meanwhile, the rest waits.

::

    listening ─► Front ─► Starting ─┬─► EarlyPages          until the application is there
                                    └─► the application     from then on; who came before it waits for it

The framework and the database library are most of what a start costs, and no page of a hosted project needs either.
So they are loaded in a thread when the server listens already. Where no page can be told before, as where the catalog
has to be brought up to date first, the server listens when all is there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from cpufit_resolver.errors import CpufitError
from cpufit_wheelhouse.errors import StorageFailed
from cpufit_wheelhouse.storage_failures import storage_failures_told

from .watching import note_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from .early import EarlyPages

_log = logging.getLogger(__name__)
_NOT_YET = {
    "code": "starting",
    "message": "the server is still starting, or could not",
    "hint": "ask again in a moment; where that goes on, its log tells why",
}


class StartFailed(Exception):
    """The application said that it cannot start, and why."""


class Starting:
    """An ASGI application in the place of one that is still being made; belongs to one event loop."""

    def __init__(
        self,
        make: Callable[[], ASGIApp],
        open_early: Callable[[], EarlyPages | None],
        *,
        patience: float,
        on_ready: Callable[[], object] = lambda: None,
        on_failure: Callable[[], object],
    ) -> None:
        """Take how the application is made, which may take long and is done in a thread.

        :param open_early: opens what answers until then; None where nothing can
        :param patience: the most seconds that a request waits for the application
        :param on_ready: called when the application is there
        :param on_failure: called where the application cannot be made or started after the server listened
        """
        self._make = make
        self._open_early = open_early
        self._patience = patience
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._application: ASGIApp | None = None
        self._early: EarlyPages | None = None
        self._behind: _Life | None = None
        self._decided = asyncio.Event()
        """Set when the application is there, or will never be."""
        self._leaving = False
        self.failure: Exception | None = None
        """Why there is no application."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have it answered."""
        if self._application is not None:
            await self._application(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        elif self._early is None or not await self._early.answer(scope, receive, send):
            await self._later(scope, receive, send)

    async def _later(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._decided.wait(), self._patience)
        if self._application is not None:
            await self._application(scope, receive, send)
        elif scope["type"] == "http":
            note_outcome(scope, _NOT_YET["code"])
            headers = {"Cache-Control": "no-store", "Retry-After": "5"}
            await JSONResponse(_NOT_YET, status_code=503, headers=headers)(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        self._early = self._open_early()
        making = asyncio.create_task(self._start(scope))
        try:
            if self._early is None:
                await making
            if self.failure is not None:
                await send({"type": "lifespan.startup.failed"})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:  # also where who serves cannot be told: the thread goes on, and what it opens is to be closed
            self._leaving = True
            await making
            if self._behind is not None:
                await self._behind.end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self, scope: MutableMapping[str, Any]) -> None:
        listening = self._early is not None
        try:
            with storage_failures_told():
                application = await run_in_threadpool(self._make)
                if not self._leaving:  # told to stop meanwhile: then nothing is opened any more
                    behind = _Life(application, scope)
                    await behind.begin()
                    self._behind, self._application = behind, application
                    self._on_ready()
        except Exception as error:  # noqa: BLE001  # whatever it is, the server must end with it, and tell it
            self.failure = error
            ours = isinstance(error, CpufitError)  # it says all that there is to say
            told = error.in_full if isinstance(error, StorageFailed) else error
            _log.error("the server cannot start: %s", told, exc_info=None if ours else error)
            if listening:
                self._on_failure()
        finally:
            early, self._early = self._early, None
            self._decided.set()
            if early is not None:
                await run_in_threadpool(early.close)  # who reads just now is waited for


class _Life:
    """The life of an application, from the side of who serves it (the lifespan protocol of ASGI)."""

    def __init__(self, application: ASGIApp, scope: MutableMapping[str, Any]) -> None:
        self._orders: asyncio.Queue[Message] = asyncio.Queue()
        self._reports: asyncio.Queue[Message] = asyncio.Queue()
        self._error: Exception | None = None
        self._task = asyncio.create_task(self._run(application, scope))

    async def begin(self) -> None:
        """Let it start.

        :raises Exception: what it raised; :class:`StartFailed` where it only said that it cannot
        """
        await self._orders.put({"type": "lifespan.startup"})
        report = await self._reports.get()
        if report["type"] != "lifespan.startup.complete":
            await self._task
            raise self._error or StartFailed(report.get("message", ""))

    async def end(self) -> None:
        """Let it end in good order."""
        await self._orders.put({"type": "lifespan.shutdown"})
        report = await self._reports.get()
        await asyncio.wait({self._task})
        # one that was cancelled was not asked: whoever forced the server to go knows
        if report["type"] != "lifespan.shutdown.complete" and not self._task.cancelled():
            _log.error("the server did not end in good order: %s", report.get("message", ""))

    async def _run(self, application: ASGIApp, scope: MutableMapping[str, Any]) -> None:
        message = ""
        try:
            await application(scope, self._orders.get, self._reports.put)
        except Exception as error:  # noqa: BLE001  # the framework raises what it has told already
            self._error, message = error, str(error)
        finally:  # however it ended, also cancelled: nobody waits in vain for what it says
            self._reports.put_nowait({"type": "lifespan.failed", "message": message})
