"""Pages that are asked for next: those of what a wheel requires, fetched as soon as its METADATA is here.

An installer reads a wheel's METADATA and then asks for the pages of what it requires, pip one after another. Only what
is required on any machine is fetched: what depends on the client's, or on an extra, may never be asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from starlette.concurrency import run_in_threadpool

from cpufit_resolver.errors import CpufitError
from cpufit_server.errors import UpstreamFailed

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpufit_wheelhouse.pullthrough import FileCache

    from .downloads import Download
    from .pages import UpstreamPages

_REQUIRED = re.compile(rb"^Requires-Dist:[ \t]*([A-Za-z0-9][A-Za-z0-9._-]*)[^;\r\n]*\r?$", re.MULTILINE | re.IGNORECASE)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def required_names(metadata: bytes, most: int) -> list[str]:
    """Return the normalised names of what a METADATA file requires without a marker, in its order.

    :param most: how many at most
    """
    headers = _END_OF_HEADERS.split(metadata, maxsplit=1)[0]
    names: list[str] = [canonicalize_name(name.decode("ascii")) for name in _REQUIRED.findall(headers)]
    return list(dict.fromkeys(names))[:most]


class Prefetcher:
    """Fetches the pages of what wheels require; belongs to one event loop.

    :param most: how many pages for one wheel at most; nought for none
    :param may_ask: tells of a normalised name whether the upstream may be asked for it; called in a thread
    """

    def __init__(self, pages: UpstreamPages, files: FileCache, *, most: int, may_ask: Callable[[str], bool]) -> None:
        self._pages, self._files, self._most, self._may_ask = pages, files, most, may_ask

    async def follow_download(self, metadata: Download) -> None:
        """Do as :meth:`follow` when a METADATA file that comes in now is cached."""
        if self._most:
            with contextlib.suppress(CpufitError):  # told in the log
                await metadata.ended()
                await self.follow(metadata.spool.sha256)

    async def follow(self, metadata_sha256: str) -> None:
        """Fetch the pages of what a cached METADATA file requires, as far as they are not here."""
        if not self._most:
            return
        names = await run_in_threadpool(self._names, metadata_sha256)
        await asyncio.gather(*(self._fetch(name) for name in names))

    def _names(self, metadata_sha256: str) -> list[str]:
        metadata = self._files.read(metadata_sha256) or b""
        return [name for name in required_names(metadata, self._most) if self._may_ask(name)]

    async def _fetch(self, name: str) -> None:
        with contextlib.suppress(UpstreamFailed):  # whoever asks for it is told
            await self._pages.get(name)
