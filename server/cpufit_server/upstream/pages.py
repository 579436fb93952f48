"""The upstream's pages: from memory, from disk, asked whether they changed, or fetched.

One cold page is asked for once, however many clients want it. Where the upstream fails, a stored page stands in for it
for as long as the settings say, and whoever gets it is told.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio
from starlette.concurrency import run_in_threadpool

from cpufit_server.bounded_cache import BoundedCache
from cpufit_server.errors import UpstreamFailed
from cpufit_wheelhouse.pullthrough import PageCache, StoredPage
from cpufit_wheelhouse.pullthrough.pages import pack, version_of

from .flights import Flights
from .freshness import lifetime_of
from .reading import no_page, read_page, sha256_of

if TYPE_CHECKING:
    from cpufit_server.settings import Settings
    from cpufit_wheelhouse.simple_page import PageFile, ProjectPage

    from .client import FetchedPage, UpstreamClient

_log = logging.getLogger(__name__)

ABSENT_SECONDS = 30.0
"""How long a name that the upstream does not have is not asked for again."""
_ABSENT_NAMES = 4096
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,253}[a-z0-9])?")
_RETRY_SECONDS = 30.0
"""How long a stored page stands in for a failing upstream before that is asked again."""
_PATIENCE = 6
"""How many times its timeout an upstream may take for a whole page: one that dribbles would keep others waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamPage:
    """A project's page as the upstream has it, with absolute addresses."""

    page: ProjectPage
    version: str
    """Another one for another page."""
    stale_since: float | None = None
    """Where it stands in for an upstream that fails: when it was true last, in seconds since the epoch."""
    by_hash: dict[str, tuple[PageFile, ...]] = field(repr=False, compare=False)
    _texts: dict[str, list[str | None]] = field(default_factory=dict, repr=False, compare=False)

    def texts_for(self, root: str) -> list[str | None]:
        """Return what was written of each file with addresses below a root, to be filled while pages are made."""
        return self._texts.setdefault(root, [None] * len(self.page.files))

    def find(self, sha256: str, filename: str) -> PageFile | None:
        """Return the file with this hash and name."""
        return next((file for file in self.by_hash.get(sha256, ()) if file.filename == filename), None)


@dataclass(frozen=True, slots=True)
class _Kept:
    page: UpstreamPage
    until: float


class UpstreamPages:
    """The pages of one upstream; belongs to one event loop."""

    def __init__(self, client: UpstreamClient, store: PageCache, settings: Settings) -> None:
        """Take the client, the pages on disk, and what bounds them."""
        self._client, self._store, self._settings = client, store, settings
        self._deadline = settings.upstream_timeout * _PATIENCE
        self._gate = anyio.Semaphore(settings.upstream_max_requests)
        self._flights = Flights[UpstreamPage | None]()
        self._absent: OrderedDict[str, float] = OrderedDict()
        self._kept = BoundedCache[_Kept](
            entries=max(1, settings.upstream_memory_files),
            weight=settings.upstream_memory_files,
            weigh=lambda kept: len(kept.page.page.files) + 1,
        )

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.close()

    async def get(self, name: str) -> UpstreamPage | None:
        """Return a project's page, or None if the upstream does not have it.

        :param name: normalised
        :raises UpstreamFailed: it gives none, and none is stored that could stand in
        """
        if not _NAME.fullmatch(name):
            return None
        kept, now = self._kept.get(name), time.monotonic()
        if kept is not None and kept.until > now:
            return kept.page
        if self._absent.get(name, 0.0) > now:
            return None
        return await self._flights.join(name, lambda: self._refreshed(name))

    def is_fresh(self, name: str, version: str) -> bool:
        """Tell whether :meth:`get` would return this version at once, as what the upstream has."""
        kept = self._kept.get(name)
        if kept is None or kept.until <= time.monotonic():
            return False
        return kept.page.version == version and kept.page.stale_since is None

    async def last(self, name: str) -> UpstreamPage | None:
        """Return the page that was last got of a project, however old: to find a file that once stood there."""
        kept = self._kept.get(name)
        if kept is not None:
            return kept.page
        stored = await run_in_threadpool(self._store.get, name)
        return None if stored is None else await self._keep(name, stored)

    async def _refreshed(self, name: str) -> UpstreamPage | None:
        stored = await run_in_threadpool(self._store.get, name)
        if stored is not None and (self._settings.upstream_offline or stored.is_fresh(time.time())):
            return await self._keep(name, stored)
        if self._settings.upstream_offline:
            return None
        try:
            with anyio.fail_after(self._deadline):
                # Read inside the gate too: what all pages under way take in memory is bounded.
                async with self._gate:
                    return await self._asked(name, stored)
        except TimeoutError:
            failure = no_page(name, f"no whole page came in {self._deadline:g} seconds")
        except UpstreamFailed as error:
            failure = error
        return await self._standing_in(name, stored, failure)

    async def _asked(self, name: str, stored: StoredPage | None) -> UpstreamPage | None:
        answer = await self._client.page(name, {} if stored is None else _validators(stored))
        if answer is None:
            # Its absence is news as well: a page that was taken away is not listed from here.
            await run_in_threadpool(self._remove_page, name)
            self._remember_absent(name)
            return None
        if answer.body is None and stored is not None:
            fresh = replace(stored, validated_at=time.time(), lifetime=self._lifetime(answer))
            await run_in_threadpool(self._store_page, name, fresh)
            return await self._keep(name, fresh)
        fresh, opened = await run_in_threadpool(self._taken_in, name, answer, stored)
        return await self._keep(name, fresh, opened)

    def _taken_in(
        self, name: str, answer: FetchedPage, before: StoredPage | None
    ) -> tuple[StoredPage, UpstreamPage | None]:
        """Read a page, store it and open it, in one go: each way to a thread and back costs as much as a small page.

        An index without validators sends the same page again; it need not be read again.
        """
        same = before is not None and (before.url, before.content_type) == (answer.url, answer.content_type)
        if before is not None and same and before.version == version_of(answer.body or b""):
            again = replace(
                before,
                etag=answer.headers.get("etag"),
                last_modified=answer.headers.get("last-modified"),
                validated_at=time.time(),
                lifetime=self._lifetime(answer),
            )
            self._store_page(name, again)
            return again, None
        stored, parsed = self._read(name, answer)
        self._store_page(name, stored)
        return stored, _opened(name, stored, parsed)

    def _store_page(self, name: str, page: StoredPage) -> None:
        try:
            self._store.put(name, page)
        except OSError as error:  # a full disk is no reason to give nobody a page
            _log.warning("the upstream page of %s could not be stored: %s", name, error)

    def _remove_page(self, name: str) -> None:
        try:
            self._store.remove(name)
        except OSError as error:  # a read-only disk says so even where there is none; nor is this a reason
            _log.warning("the upstream page of %s could not be removed: %s", name, error)

    def _read(self, name: str, answer: FetchedPage) -> tuple[StoredPage, ProjectPage]:
        body = answer.body or b""
        parsed = read_page(name, body, answer.content_type, answer.url)
        version, packed = pack(body)
        page = StoredPage(
            url=answer.url,
            content_type=answer.content_type,
            etag=answer.headers.get("etag"),
            last_modified=answer.headers.get("last-modified"),
            validated_at=time.time(),
            lifetime=self._lifetime(answer),
            version=version,
            packed=packed,
        )
        return page, parsed

    def _lifetime(self, answer: FetchedPage) -> float:
        settings = self._settings
        return lifetime_of(
            answer.headers, usual=settings.upstream_fresh_seconds, most=settings.upstream_max_fresh_seconds
        )

    async def _standing_in(self, name: str, stored: StoredPage | None, failure: UpstreamFailed) -> UpstreamPage:
        if (
            stored is None
            or time.time() - stored.validated_at > stored.lifetime + self._settings.upstream_stale_seconds
        ):
            raise failure
        _log.warning("%s; the page stored %.0f seconds ago stands in", failure, time.time() - stored.validated_at)
        page = replace(await self._keep(name, stored), stale_since=stored.validated_at)
        self._kept.put(name, _Kept(page, time.monotonic() + _RETRY_SECONDS))
        return page

    async def _keep(self, name: str, stored: StoredPage, opened: UpstreamPage | None = None) -> UpstreamPage:
        before = self._kept.get(name)
        if before is not None and before.page.version == _version_of(stored):
            page = replace(before.page, stale_since=None)
        elif opened is not None:
            page = opened
        else:
            page = await run_in_threadpool(_opened, name, stored)
        left = math.inf if self._settings.upstream_offline else stored.validated_at + stored.lifetime - time.time()
        self._kept.put(name, _Kept(page, time.monotonic() + left))
        return page

    def _remember_absent(self, name: str) -> None:
        self._absent[name] = time.monotonic() + ABSENT_SECONDS
        self._absent.move_to_end(name)
        while len(self._absent) > _ABSENT_NAMES:
            self._absent.popitem(last=False)


def _version_of(stored: StoredPage) -> str:
    return f"{stored.version} {stored.url}"


def _opened(name: str, stored: StoredPage, parsed: ProjectPage | None = None) -> UpstreamPage:
    page = read_page(name, stored.body, stored.content_type, stored.url) if parsed is None else parsed
    by_hash: dict[str, tuple[PageFile, ...]] = {}
    for file in page.files:
        sha256 = sha256_of(file)
        if sha256 is not None:
            by_hash[sha256] = (*by_hash.get(sha256, ()), file)
    return UpstreamPage(page=page, version=_version_of(stored), by_hash=by_hash)


def _validators(stored: StoredPage) -> dict[str, str]:
    told = {"If-None-Match": stored.etag, "If-Modified-Since": stored.last_modified}
    return {name: value for name, value in told.items() if value}
