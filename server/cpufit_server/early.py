"""Pages of hosted projects while the framework is still being loaded: the same ones, read and rendered without it.

Only what can be told from the catalog as it is, and counts for nothing, is answered here. A page for which something
has to be made or counted first, a name that is not hosted here, an address of another form, an error: all that waits
for the application, which knows what to say.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cpufit_resolver.errors import CpufitError
from cpufit_wheelhouse.blobs import BlobStore
from cpufit_wheelhouse.catalog.reading import CATALOG, PageReader

from .client import asker_of_token, asker_of_user_agent
from .front.keeping import KeptPage, keep
from .negotiation import form_wanted
from .page_response import page_response
from .pages import Pages
from .selectors import Selectors

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

    from .client import Asker
    from .negotiation import Form
    from .settings import Settings

_PROJECT = re.compile(r"/(?:cpu/([^/]+)/)?simple/([a-z0-9]+(?:-[a-z0-9]+)*)/")
_INDEX = re.compile(r"/(?:cpu/([^/]+)/)?simple/")
_METHODS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyStore:
    """The part of a home that pages are made of, for reading alone."""

    catalog: PageReader
    blobs: BlobStore


@dataclass(frozen=True, slots=True)
class EarlyRoute:
    """Stands for the route that would have answered, for whoever counts by it."""

    path: str


class EarlyPages:
    """Answers requests for pages out of the catalog alone."""

    def __init__(self, store: EarlyStore, settings: Settings) -> None:
        """Use :meth:`open`."""
        self._store = store
        self._settings = settings
        self._pages = Pages(
            store,
            Selectors(store, settings.base_url, wanted=settings.selectors_report),
            entries=settings.page_cache_entries,
            weight=settings.page_cache_bytes,
            import_only=settings.allow_import_only,
            base_url=settings.base_url,
        )

    @classmethod
    def open(cls, settings: Settings) -> EarlyPages | None:
        """Return the pages of a home; None where they cannot be told before the application is there.

        That is where the catalog has to be made or brought up to date, where something is in the way, and where reading
        is private: tokens are the application's.
        """
        reader = None if settings.private_reading else PageReader.open(settings.home / CATALOG)
        if reader is None:
            return None
        try:
            return cls(EarlyStore(catalog=reader, blobs=BlobStore(settings.home)), settings)
        except OSError:  # which the application tells of
            reader.close()
            return None

    def close(self) -> None:
        """Let go of the catalog; whoever is read to meanwhile gets no answer here."""
        self._store.catalog.close()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request; False where it is left to the application, and nothing was sent."""
        if scope["type"] != "http" or scope["method"] not in _METHODS or scope["query_string"]:
            return False
        request = Request(scope)
        try:
            response = await self._response(request)
        except (CpufitError, sqlite3.Error, OSError):
            return False
        if response is None:
            return False
        await response(scope, receive, send)
        return True

    async def _response(self, request: Request) -> Response | None:
        path = request.scope["path"]
        project, index = _PROJECT.fullmatch(path), _INDEX.fullmatch(path)
        if project is None and index is None:
            return None
        form = form_wanted(request.headers.get("accept"), request.headers.get("accept-encoding"))
        if project is not None:
            return await self._project(request, project[1], project[2], form)
        shared = index is not None and index[1] is not None
        request.scope["route"] = EarlyRoute("/cpu/{token}/simple/" if shared else "/simple/")
        page = await run_in_threadpool(self._pages.index, form)
        return await run_in_threadpool(page_response, request, page, form, shared=shared)

    async def _project(self, request: Request, token: str | None, name: str, form: Form) -> Response | None:
        shared = token is not None
        root = "../../../../" if shared else "../../"
        page = await run_in_threadpool(self._pages.project, name, self._asker(request, token), form, root)
        if page is None or page.merges or page.unmet is not None or page.serial is None:
            return None
        request.scope["route"] = EarlyRoute("/cpu/{token}/simple/{name}/" if shared else "/simple/{name}/")
        keep(request.scope, KeptPage(name=name, serial=page.serial, page=page, form=form, shared=shared))
        return await run_in_threadpool(page_response, request, page, form, shared=shared)

    def _asker(self, request: Request, token: str | None) -> Asker:
        longest = self._settings.max_token_length
        if token is not None:
            return asker_of_token(token, max_token_length=longest)
        return asker_of_user_agent(
            request.headers.get("user-agent"),
            max_length=self._settings.max_user_agent_length,
            max_token_length=longest,
        )
