"""METADATA where the upstream has none beside its wheels: read out of the wheel by ranges, or out of the cached file.

That is done when a wheel came into the cache, and when somebody asked for a part of one that is not in it, as uv does
to read METADATA. It is announced on our pages only when it is here: pip and uv give up on an announced file that is
missing.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import anyio
from packaging.version import Version
from starlette.concurrency import run_in_threadpool

from cpufit_server.errors import UpstreamFailed
from cpufit_wheelhouse.errors import StorageFailed, WheelError
from cpufit_wheelhouse.filename import version_in
from cpufit_wheelhouse.pullthrough.metadata import metadata_of_file, read_metadata
from cpufit_wheelhouse.storage_failures import storage_failures_told

from .flights import Flights
from .reading import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cpufit_server.settings import Settings
    from cpufit_wheelhouse.pullthrough import FileCache
    from cpufit_wheelhouse.simple_page import PageFile

    from .known import Known, KnownFiles
    from .parts import Parts

_log = logging.getLogger(__name__)


class MetadataMaker:
    """Reads METADATA out of wheels; belongs to one event loop."""

    def __init__(self, parts: Parts, cache: FileCache, known: KnownFiles, settings: Settings) -> None:
        """Take where bytes come from, where METADATA goes to, and what bounds it."""
        self._parts, self._cache, self._known, self._settings = parts, cache, known, settings
        self._gate = anyio.Semaphore(settings.upstream_max_requests)
        self._flights = Flights[str | None]()
        self._later: dict[str, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """End what is under way."""
        for task in tuple(self._later.values()):
            task.cancel()
        await asyncio.gather(*self._later.values(), return_exceptions=True)
        await self._flights.close()

    def make_later(self, project: str, file: PageFile) -> None:
        """Read METADATA out of a wheel by ranges, unless it comes in whole before, as most that are looked into do.

        :param file: with a SHA-256
        """
        sha256 = file.hashes["sha256"]
        room = len(self._later) < self._settings.upstream_max_waiting
        if self._settings.upstream_metadata and room and sha256 not in self._later:
            self._later[sha256] = asyncio.ensure_future(self._made_later(project, file))
            self._later[sha256].add_done_callback(lambda _: self._later.pop(sha256))

    async def _made_later(self, project: str, file: PageFile) -> None:
        await asyncio.sleep(self._settings.upstream_metadata_wait)
        # what is in the cache was looked into when it came
        if not self._cache.has(file.hashes["sha256"]):
            await self.make(project, file)

    async def make(self, project: str, file: PageFile) -> str | None:
        """Return the SHA-256 of a wheel's METADATA, which is in the cache then; None where it cannot be read.

        :param file: with a SHA-256
        """
        return await self._flights.join(file.hashes["sha256"], lambda: self._made(project, file))

    async def _made(self, project: str, file: PageFile) -> str | None:
        try:
            with storage_failures_told():  # on a full disk a wheel has no METADATA beside it, for now
                return await self._looked_up(project, file)
        except (WheelError, UpstreamFailed, StorageFailed, OSError) as error:
            _log.info("METADATA of %s could not be read: %s", file.filename, error)
            if isinstance(error, WheelError):
                self._parts.forget(file.hashes["sha256"])
            return None

    async def _looked_up(self, project: str, file: PageFile) -> str | None:
        if self._cache.has(file.hashes["sha256"]):
            return await run_in_threadpool(self._of_cached, project, file)
        if self._settings.upstream_offline or not self._settings.upstream_metadata or file.size is None:
            return None
        async with self._gate:
            data = await self._by_ranges(file, file.size)
        return await run_in_threadpool(self._found, project, file, data)

    def _of_cached(self, project: str, file: PageFile) -> str:
        path, most = self._cache.path(file.hashes["sha256"]), self._settings.archive_max_text_bytes
        return self._found(project, file, metadata_of_file(path, file.filename, max_bytes=most))

    def _found(self, project: str, file: PageFile, data: bytes) -> str:
        found = self._cache.put(data)
        self._known.learn(project, file.filename, file.hashes["sha256"], metadata_sha256=found)
        return found

    async def _by_ranges(self, file: PageFile, size: int) -> bytes:
        reading = read_metadata(file.filename, size, max_bytes=self._settings.archive_max_text_bytes)
        wanted = next(reading)
        while True:
            data = await self._parts.get(file, wanted.start, wanted.stop)
            try:
                wanted = reading.send(data)
            except StopIteration as end:
                found: bytes = end.value
                return found


def needs_metadata(file: PageFile, known: Known) -> bool:
    """Tell whether a file is a wheel of whose METADATA neither the upstream nor we know."""
    sha256 = sha256_of(file)
    return (
        file.filename.endswith(".whl")
        and file.core_metadata is None
        and sha256 is not None
        and sha256 not in known.metadata
    )


def newest_wheels(files: Iterable[PageFile]) -> list[PageFile]:
    """Return the wheels of the newest version among these files; a final one before a pre-release."""
    by_version: dict[Version, list[PageFile]] = {}
    for file in files:
        version = version_in(file.filename) if file.filename.endswith(".whl") else None
        if version is not None:
            by_version.setdefault(version, []).append(file)
    return by_version[max(by_version, key=lambda version: (not version.is_prerelease, version))] if by_version else []
