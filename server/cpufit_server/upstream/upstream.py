"""The upstream as the routes see it: pages in a view, files, and what is known of them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from starlette.concurrency import run_in_threadpool

from cpufit_resolver.errors import CpufitError
from cpufit_server.bounded_cache import BoundedCache
from cpufit_server.client import Asker
from cpufit_server.negotiation import JSON_TYPE
from cpufit_server.pages import Beside, RenderedPage, as_rendered
from cpufit_wheelhouse.process_locks import ProcessLocks
from cpufit_wheelhouse.pullthrough import FileCache, PageCache
from cpufit_wheelhouse.simple_page import render_html

from .client import UpstreamClient
from .downloads import Download, Downloads
from .index import without_userinfo
from .inspecting import Inspections
from .known import Known, KnownFiles, is_native
from .listing import Policy, is_addressable, listed, listed_as_json
from .metadata import MetadataMaker, needs_metadata, newest_wheels
from .pages import UpstreamPage, UpstreamPages
from .parts import Parts
from .passed import CachedFile, Passed, Seen
from .prefetching import Prefetcher
from .reading import sha256_of

if TYPE_CHECKING:
    from cpufit_server.negotiation import Form
    from cpufit_server.settings import Settings
    from cpufit_wheelhouse.home import Home
    from cpufit_wheelhouse.inspection.workers import InspectionPool
    from cpufit_wheelhouse.pullthrough import Reading
    from cpufit_wheelhouse.simple_page import PageFile, ProjectPage

    from .index import UpstreamIndex

_RENDERED = 1024


class Upstream:
    """One upstream index and the cache of what came from it; belongs to one event loop."""

    def __init__(
        self, index: UpstreamIndex, settings: Settings, home: Home, pool: InspectionPool | None = None
    ) -> None:
        """Take the index, what bounds the cache, the home to keep it in, and the workers that inspect."""
        self._settings, self._home = settings, home
        folder = home.path / "upstream"
        self._files = FileCache(folder / "files", settings.upstream_cache_bytes)
        store = PageCache(folder / "pages", without_userinfo(index.url), settings.upstream_pages_bytes)
        self._known = KnownFiles(home.catalog.upstream)
        self._client = UpstreamClient(
            index, timeout=settings.upstream_timeout, max_page_bytes=settings.upstream_max_page_bytes
        )
        self._parts = Parts(self._client, at_once=settings.upstream_max_requests)
        self._metadata = MetadataMaker(self._parts, self._files, self._known, settings)
        self._pages = UpstreamPages(self._client, store, settings)
        self._downloads = Downloads(
            self._client,
            self._files,
            ProcessLocks(folder / "fetching.lock"),
            at_once=settings.upstream_max_downloads,
            most_waiting=settings.upstream_max_waiting,
            max_bytes=settings.upstream_max_file_bytes,
            on_kept=self._came,
            on_damaged=self._parts.forget,
        )
        ahead = 0 if settings.upstream_offline else settings.upstream_prefetch
        self._prefetcher = Prefetcher(self._pages, self._files, most=ahead, may_ask=self._passes)
        self._inspections = None
        if settings.upstream_inspect and pool is not None:
            self._inspections = Inspections(
                pool, self._files, self._known, most_waiting=settings.upstream_inspect_waiting
            )
        self._policy = Policy(
            hold_unknown=settings.upstream_unknown == "hold",
            cached=self._files.has if settings.upstream_offline else None,
        )
        patterns = (settings.upstream_reserved or "").split(",")
        self._reserved = tuple(_normal_pattern(pattern) for pattern in patterns if pattern.strip())
        self._background: set[asyncio.Task[None]] = set()
        self._held: set[str] = set()
        self._rendered = BoundedCache[RenderedPage](
            entries=_RENDERED, weight=settings.upstream_memory_bytes, weigh=lambda page: page.weight
        )

    async def close(self) -> None:
        """End what is under way and the connections; what was not whole is removed."""
        for task in tuple(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._pages.close()
        await self._metadata.close()
        await self._parts.close()
        await self._downloads.close()
        await self._client.close()

    def is_reserved(self, name: str) -> bool:
        """Tell whether the operator keeps a name, in its normal form, from the upstream."""
        return any(fnmatchcase(name, pattern) for pattern in self._reserved)

    # Pages.

    async def rendered(self, name: str, asker: Asker, form: Form, root: str) -> Passed | None:
        """Return a project's page in the view of whoever asks; None if the upstream does not have it, or may not.

        :param name: normalised
        :param root: the way from the page to the root of the server
        :raises UpstreamFailed: it gives none, and none is stored
        """
        seen = await self._seen(name, asker)
        if seen is None:
            return None
        key = (name, seen.key, form, root)
        page = self._rendered.get(key)
        if page is None:
            page = await run_in_threadpool(self._render, seen, form, root)
            self._rendered.put(key, page)
        still = None
        if seen.found.stale_since is None and not seen.awaits:
            still = partial(self._is_current, name, seen.found.version, seen.known.revision)
        return Passed(page=page, stale_since=seen.found.stale_since, still=still)

    def _is_current(self, name: str, version: str, revision: int) -> bool:
        known = self._known.in_memory(name)
        return known is not None and known.revision == revision and self._pages.is_fresh(name, version)

    async def _known_of(self, project: str) -> Known:
        known = self._known.in_memory(project)
        return await run_in_threadpool(self._known.of, project) if known is None else known

    async def beside(self, name: str, asker: Asker, root: str) -> Beside | None:
        """Return what the upstream lists of a project that is hosted here too, in the view of whoever asks.

        :raises UpstreamFailed: as :meth:`rendered`
        """
        seen = await self._seen(name, asker)
        if seen is None:
            return None
        page = await run_in_threadpool(self._listed, seen, root)
        return Beside(files=page.files, key=(seen.key, root), stale_since=seen.found.stale_since)

    async def _seen(self, name: str, asker: Asker) -> Seen | None:
        found = None if self.is_reserved(name) else await self._pages.get(name)
        if found is None:
            return None
        known = await self._known_of(name)
        awaits = self._fetch_held(found, known)
        profile = None if asker.profile is None else asker.profile.reduced_to(known.relevant)
        return Seen(found=found, known=known, asker=Asker(view=asker.view, profile=profile), awaits=awaits)

    def _listed(self, seen: Seen, root: str) -> ProjectPage:
        return listed(seen.found.page, seen.known, seen.asker, self._policy, root)

    def _render(self, seen: Seen, form: Form, root: str) -> RenderedPage:
        found = seen.found
        if form.media_type == JSON_TYPE:
            text = listed_as_json(found.page, seen.known, seen.asker, self._policy, root, found.texts_for(root))
        else:
            text = render_html(self._listed(seen, root))
        return as_rendered(text, form.media_type).encoded(form.coding, quick=True)

    async def project(self, name: str) -> tuple[ProjectPage, Known] | None:
        """Return a project's page with every file on it, and what is known of them.

        :raises UpstreamFailed: as :meth:`page`
        """
        found = None if self.is_reserved(name) else await self._pages.get(name)
        return None if found is None else (found.page, await self._known_of(name))

    def _fetch_held(self, found: UpstreamPage, known: Known) -> bool:
        """Fetch the wheels of the newest release that are held, to be inspected; tell whether there are such."""
        settings = self._settings
        if settings.upstream_unknown != "hold" or settings.upstream_offline or self._inspections is None:
            return False
        held = [file for file in found.page.files if is_native(file.filename) and sha256_of(file) is not None]
        newest = newest_wheels(held)[: settings.upstream_hold_wheels]
        awaited = [file for file in newest if file.hashes["sha256"] not in known.verdicts]
        for file in awaited:
            if file.hashes["sha256"] not in self._held:
                self._held.add(file.hashes["sha256"])
                self._in_background(self._fetch_one_held(found.page.name, file))
        return bool(awaited)

    async def _fetch_one_held(self, project: str, file: PageFile) -> None:
        sha256 = file.hashes["sha256"]
        try:
            if self._files.has(sha256):
                await self._consider(project, file.filename, sha256)
            else:
                await self.fetch(project, file).ended()
        except CpufitError:  # told in the log; the next page asks again
            pass
        finally:
            self._held.discard(sha256)

    # Files.

    async def file(
        self, project: str, sha256: str, filename: str, *, ask: bool
    ) -> Reading | Download | PageFile | None:
        """Return a cached file, one on its way, or what a page tells of one that is neither; None if there is none.

        :param project: normalised
        :param ask: whether the upstream may be asked for it
        :raises UpstreamFailed: it does not give the page that may list the file
        """
        reading = await run_in_threadpool(self._files.open, sha256)
        if reading is not None:
            if self._inspections is not None and filename.endswith(".whl"):
                self._in_background(self._consider_listed(project, sha256, filename))
            return reading
        if not self._may_ask(project, ask=ask):
            return None
        file = await self._find(project, sha256, filename, ask=True)
        if file is None:
            return None
        running = self._downloads.running(sha256)
        if running is None and self._files.has(sha256):  # what was on its way at the first look may be here by now
            return await run_in_threadpool(self._files.open, sha256) or file
        return running or file

    async def kept_file(self, project: str, sha256: str, filename: str, listed: str) -> CachedFile | None:
        """Return where a cached file lies, for who keeps it at hand; None where its reading is to be noticed here.

        That is a wheel that waits for its inspection: each reading brings it to mind. Nor is one kept under a name that
        its project's page does not have: an address may say any name, and each would be kept.

        :param listed: the SHA-256 that the page lists it under; METADATA lies under another one
        """
        if await self._find(project, listed, filename.removesuffix(".metadata"), ask=False) is None:
            return None
        if self._inspections is not None and is_native(filename):
            known = await self._known_of(project)
            if sha256 not in known.verdicts:
                return None
        return CachedFile(path=self._files.path(sha256), touch=partial(self._files.touch, sha256))

    def fetch(self, project: str, file: PageFile) -> Download:
        """Begin to fetch a file, or join those who wait for it.

        :raises StorageFailed: no file can be made to put it
        :raises UpstreamFailed: too many wait
        """
        download = self._downloads.join(file)
        download.project = project
        return download

    async def look(self, project: str, file: PageFile, start: int, stop: int) -> bytes:
        """Return a part of a file that is not cached, as the upstream gives it: no hash tells whether it is right.

        Whoever looks into a wheel wants its METADATA; the next one finds that announced.

        :raises UpstreamFailed: the upstream does not give parts
        """
        part = await self._parts.get(file, start, stop)
        known = await self._known_of(project)
        if needs_metadata(file, known):
            self._metadata.make_later(project, file)
        return part

    async def metadata(self, project: str, sha256: str, filename: str, *, ask: bool) -> Reading | Download | None:
        """Return the METADATA beside a wheel, cached or checked; None where there is none.

        :raises CpufitError: the upstream does not give it
        """
        ask = self._may_ask(project, ask=ask)
        file = await self._find(project, sha256, filename, ask=ask)
        known = await self._known_of(project)
        announced = None if file is None else file.core_metadata
        wanted = announced or known.metadata.get(sha256)
        if wanted is None:
            return None
        reading = await run_in_threadpool(self._files.open, wanted)
        if reading is not None or file is None or not ask:
            return reading
        if announced is None:  # evicted since it was read out of the wheel
            await self._metadata.make(project, file)
            return await run_in_threadpool(self._files.open, wanted)
        beside = replace(
            file, filename=f"{filename}.metadata", url=f"{file.url}.metadata", hashes={"sha256": wanted}, size=None
        )
        download = self._downloads.join(beside, self._settings.archive_max_text_bytes)
        await download.checked()
        self._in_background(self._prefetcher.follow_download(download))
        return download

    def _passes(self, name: str) -> bool:
        """Tell whether the page of a name, in its normal form, is the upstream's: it is neither hosted nor reserved."""
        return not self.is_reserved(name) and self._home.catalog.serial(name) is None

    def _may_ask(self, project: str, *, ask: bool) -> bool:
        return ask and not self._settings.upstream_offline and not self.is_reserved(project)

    async def _find(self, project: str, sha256: str, filename: str, *, ask: bool) -> PageFile | None:
        """Return a file by what its address says; where the page that is here lacks it, a new page may be got."""
        last = await self._pages.last(project)
        found = None if last is None else last.find(sha256, filename)
        if found is None and ask:
            page = await self._pages.get(project)
            found = None if page is None else page.find(sha256, filename)
        return found if found is not None and is_addressable(found) else None

    async def _came(self, download: Download) -> None:
        """Look at a file that was just cached for METADATA and machine code to be read."""
        file, project = download.file, download.project
        if project is None or not file.filename.endswith(".whl"):
            return
        known = await self._known_of(project)
        if needs_metadata(file, known):
            made = await self._metadata.make(project, file)
            if made is not None:
                self._in_background(self._prefetcher.follow(made))
        await self._consider(project, file.filename, download.spool.sha256)

    async def _consider(self, project: str, filename: str, sha256: str) -> None:
        if self._inspections is not None:
            await run_in_threadpool(self._inspections.consider, project, filename, sha256)

    async def _consider_listed(self, project: str, sha256: str, filename: str) -> None:
        """Inspect a cached wheel under a name that its page has.

        An address may say any name and project, and what is found out holds for the bytes, whoever lists them.
        """
        if await self._find(project, sha256, filename, ask=False) is not None:
            await self._consider(project, filename, sha256)

    def _in_background(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _normal_pattern(pattern: str) -> str:
    """Return a pattern of names as it is held against normal forms; ``Acme_*`` is ``acme-*``."""
    return canonicalize_name(pattern.strip())
