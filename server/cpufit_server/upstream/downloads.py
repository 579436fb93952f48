"""Files on their way from the upstream: each is fetched once, and whoever asks meanwhile reads along.

A file's last piece is handed out when the hash of all of it was found right, so nobody gets a whole wrong file: the
connections of those who read along are cut short instead. A client that goes away does not end the fetch. That other
processes want the same file is the matter of :mod:`.sharing`.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio
import httpx
from starlette.concurrency import run_in_threadpool

from cpufit_server.errors import NotFound, UpstreamFailed
from cpufit_server.sources.fetcher import without_login
from cpufit_wheelhouse.errors import DigestMismatch, StorageFailed
from cpufit_wheelhouse.storage_failures import storage_failure

from .reading import no_file, sha256_of
from .sharing import read_along

if TYPE_CHECKING:
    from cpufit_resolver.errors import CpufitError
    from cpufit_wheelhouse.process_locks import ProcessLocks
    from cpufit_wheelhouse.pullthrough import FileCache, Reading, Spool
    from cpufit_wheelhouse.simple_page import PageFile

    from .client import UpstreamClient

_log = logging.getLogger(__name__)

_TRIES = 4
"""How often a fetch begins, or goes on after a connection broke."""
_WRITTEN_AT_ONCE = 128 << 10
_LONGEST_WAIT = 0.05
"""Bytes, and seconds, after which what came is written and handed out."""
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class Download:
    """One file on its way; belongs to one event loop."""

    def __init__(self, file: PageFile, spool: Spool, most: int) -> None:
        self.file = file
        self.spool = spool
        self.most = most
        """Bytes that are read of it at most."""
        self.size = file.size
        """Bytes of the whole file; None while nobody told."""
        self.readable = 0
        """How many bytes may be handed out."""
        self.whole = False
        """Whether all of it is there, with the right hash."""
        self.done = False
        """Whether nothing more happens: it was kept, or failed."""
        self.error: CpufitError | None = None
        self.project: str | None = None
        """Whose page listed it to who asked last, in normal form; None for what is no file of a page."""
        self._begun = False
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=2)
        self._moved = asyncio.Event()

    def open(self) -> Reading:
        """Open what is there of it for reading."""
        return self.spool.open()

    def wrote(self, start: int, data: bytes) -> None:
        """Keep what was just written at hand: one piece of it is handed out, the other one waits for the next."""
        self._recent.append((start, data))

    def recent(self, start: int, stop: int) -> bytes | None:
        """Return bytes from a place on that are at hand still, so that who reads along needs no look at the disk."""
        for at, data in self._recent:
            if at <= start < at + len(data):
                return data[start - at : stop - at]
        return None

    async def begun(self) -> None:
        """Wait until bytes come, or until it is known that none will.

        :raises CpufitError: none will
        """
        while not (self._begun or self.whole or self.error):
            await self._moved.wait()
        if self.error is not None and self.readable == 0:
            raise self.error

    async def beyond(self, offset: int) -> int:
        """Wait for bytes behind a place, and return up to where they may be read; the place itself at the end.

        :raises CpufitError: the rest will not come
        """
        while self.readable <= offset and not self.whole:
            if self.error is not None:
                raise self.error
            await self._moved.wait()
        return max(self.readable, offset)

    async def checked(self) -> None:
        """Wait until all of it is there, with the right hash.

        :raises CpufitError: it did not come
        """
        while not self.whole:
            if self.error is not None:
                raise self.error
            await self._moved.wait()

    async def ended(self) -> None:
        """Wait until it is in the cache.

        :raises CpufitError: it did not come
        """
        while not self.done:
            await self._moved.wait()
        if self.error is not None:
            raise self.error

    def moved(self) -> None:
        """Tell everybody who waits to look again."""
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    def begin(self) -> None:
        """Say that the upstream gives the file."""
        self._begun = True
        self.moved()


class Downloads:
    """The files under way; belongs to one event loop."""

    def __init__(  # noqa: PLR0913  # three limits and two listeners, each by its name
        self,
        client: UpstreamClient,
        cache: FileCache,
        locks: ProcessLocks,
        *,
        at_once: int,
        most_waiting: int,
        max_bytes: int,
        on_kept: Callable[[Download], Awaitable[object]],
        on_damaged: Callable[[str], object],
    ) -> None:
        """Take where files come from and go to, what bounds them, and who is told of each that was kept.

        :param locks: of the files, between the processes that share the cache
        :param on_damaged: is told the SHA-256 of each that came with another one
        """
        self._locks = locks
        self._client, self._cache, self._max_bytes, self._on_kept = client, cache, max_bytes, on_kept
        self._on_damaged = on_damaged
        self._gate = anyio.Semaphore(at_once)
        self._most = at_once + most_waiting
        self._running: dict[str, tuple[Download, asyncio.Task[None]]] = {}

    async def close(self) -> None:
        """End what is under way; what came of it is removed."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def join(self, file: PageFile, most: int | None = None) -> Download:
        """Return a file's download, which is begun where it is not under way.

        :param file: with a SHA-256
        :param most: the most bytes to read of it; without it the usual limit
        :raises StorageFailed: no file can be made to put it
        :raises UpstreamFailed: too many wait: each has an open file, and goes on when nobody waits for it any more
        """
        sha256 = sha256_of(file)
        if sha256 is None:
            raise ValueError("a file without a SHA-256")
        if self.running(sha256) is None:
            if len(self._running) >= self._most:
                raise no_file(file.filename, "too many files wait to be fetched")
            try:
                download = Download(file, self._cache.stage(sha256), self._max_bytes if most is None else most)
            except OSError as error:
                raise _not_written(file, error) from error
            task = asyncio.ensure_future(self._run(download))
            self._running[sha256] = (download, task)
            task.add_done_callback(lambda done: self._ended(sha256, done))
        return self._running[sha256][0]

    def running(self, sha256: str) -> Download | None:
        """Return the download of a file that is on its way."""
        found = self._running.get(sha256)
        if found is None or found[0].error is not None or (found[0].done and not self._cache.has(sha256)):
            return None  # one that could not be kept has nothing left to read
        return found[0]

    def _ended(self, sha256: str, task: asyncio.Task[None]) -> None:
        if self._running.get(sha256, (None, None))[1] is task:  # after a failure another may run by now
            del self._running[sha256]
        fault = None if task.cancelled() else task.exception()
        if fault is not None:
            _log.error("a fetch ended by a fault of ours", exc_info=fault)

    async def _run(self, download: Download) -> None:
        spool, file = download.spool, download.file
        kept = False
        locked = here = False
        try:
            _check_size(download)
            async with self._gate:
                # in a thread: where the disk is full, it looks at each file of the cache
                await run_in_threadpool(self._cache.make_room, download.size or 0)
                here = await read_along(spool, self._cache, self._locks, lambda data: self._copied(download, data))
                locked = True
                if not here:
                    await self._fetched(download)
            spool.check()
            download.size = download.readable = spool.size
            download.whole = True
            download.moved()
            if not here:
                await run_in_threadpool(spool.keep)
                kept = True
        except DigestMismatch as error:
            self._on_damaged(spool.sha256)
            self._fail(download, no_file(file.filename, error.message))
        except (UpstreamFailed, NotFound) as error:
            self._fail(download, error)
        except OSError as error:
            if download.whole:  # whoever reads along has it; the next one fetches it again
                _log.warning("%s could not be cached: %s", file.filename, error)
            else:
                self._fail(download, _not_written(file, error))
        except BaseException:
            download.error = download.error or no_file(file.filename, "the server stops")
            download.moved()
            raise
        finally:
            spool.discard()
            if locked:
                self._locks.release(spool.sha256)
            download.done = True
            download.moved()
        if kept:
            await self._on_kept(download)

    @staticmethod
    def _fail(download: Download, error: CpufitError) -> None:
        told = error.in_full if isinstance(error, StorageFailed) else error
        _log.error("%s from %s: %s", download.file.filename, without_login(download.file.url), told)
        download.error = error
        download.moved()

    async def _fetched(self, download: Download) -> None:
        """Fetch the bytes; where the connection breaks on the way, go on from there."""
        for left in reversed(range(_TRIES)):
            before = download.spool.size
            try:
                await self._attempt(download)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                came = download.spool.size > before
                if left == 0 or not came or not isinstance(error, httpx.TransportError):
                    raise no_file(download.file.filename, type(error).__name__) from error
            else:
                return

    async def _attempt(self, download: Download) -> None:
        file, spool = download.file, download.spool
        async with self._client.file(file.url, spool.size) as response:
            self._check_answer(download, response)
            most = download.most if download.size is None else download.size
            waiting, written_at = bytearray(), time.monotonic()
            async for piece in response.aiter_raw():
                waiting += piece
                if spool.size + len(waiting) > most:
                    raise no_file(file.filename, f"it sent more than {most} bytes")
                # pieces of a kilobyte or two would each go to a thread and back; with the first one it is told whether
                # there is room, before anybody is answered
                late = time.monotonic() - written_at > _LONGEST_WAIT
                if len(waiting) >= _WRITTEN_AT_ONCE or late or not spool.size:
                    await self._write(download, bytes(waiting))
                    waiting, written_at = bytearray(), time.monotonic()
            if waiting:  # with nothing, what came last would be handed out before its hash is known
                await self._write(download, bytes(waiting))
        if download.size is not None and spool.size < download.size:
            raise httpx.ReadError("the file is shorter than was told")

    async def _copied(self, download: Download, data: bytes) -> None:
        """Write what another process fetched."""
        if download.spool.size + len(data) > download.most:
            raise no_file(download.file.filename, f"it has more than {download.most} bytes")
        await self._write(download, data)

    @staticmethod
    async def _write(download: Download, data: bytes) -> None:
        """Write what came, and hand out what came before it."""
        released = download.spool.size
        await run_in_threadpool(download.spool.write, data)
        download.wrote(released, data)
        download.readable = released
        download.begin()

    def _check_answer(self, download: Download, response: httpx.Response) -> None:
        filename, offset = download.file.filename, download.spool.size
        if response.status_code in (404, 410):
            raise NotFound(f"the upstream index does not have {filename[:255]} any more", code="no-such-file")
        if response.status_code != (206 if offset else 200):
            raise no_file(filename, f"it answered {response.status_code}")
        if offset:
            told = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
            if told is None or int(told[1]) != offset:
                raise no_file(filename, "it went on from another place than asked")
            return
        length = response.headers.get("content-length", "")
        if length.isdecimal() and not response.headers.get("transfer-encoding"):
            if download.size is not None and int(length) != download.size:
                raise no_file(filename, f"it has {int(length)} bytes, its page says {download.size}")
            download.size = int(length)
        _check_size(download)


def _check_size(download: Download) -> None:
    """Refuse what is too large, as soon as anybody tells: before something else goes to make room for it."""
    if download.size is not None and download.size > download.most:
        told = f"it has {download.size} bytes, at most {download.most} are fetched"
        raise no_file(download.file.filename, told)


def _not_written(file: PageFile, error: OSError) -> CpufitError:
    return storage_failure(error) or no_file(file.filename, f"it could not be written: {error.strerror}")
