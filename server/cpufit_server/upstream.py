"""Names that are not hosted here: their page is read from one upstream index and passed on.

So one ``--index-url`` installs a project with its dependencies. A hosted name never comes here, whatever stands on its
page: two indexes side by side for one name would bring back the wheel that crashes. Files are fetched by clients from
where the upstream keeps them; what the page says of hashes, metadata and yanking is kept.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import anyio
import httpx
from starlette.concurrency import run_in_threadpool

from cpufit_wheelhouse.errors import InvalidSimplePage
from cpufit_wheelhouse.simple_page import PageFile, ProjectPage, parse_html, parse_json

from .errors import InvalidSetting, UpstreamFailed
from .negotiation import HTML_TYPE, JSON_TYPE, PLAIN_HTML_TYPE
from .settings import PIP_UPSTREAM, PREFIX
from .sources.errors import PipSettingsUnreadable
from .sources.pip_settings import read_pip_settings, tls_context

if TYPE_CHECKING:
    from .settings import Settings

_WHERE = f"{PREFIX}UPSTREAM"
_ACCEPT = f"{JSON_TYPE}, {HTML_TYPE};q=0.2, {PLAIN_HTML_TYPE};q=0.01"
_ABSENT_SECONDS = 30.0
_ABSENT_NAMES = 4096
_PATIENCE = 6
"""How many times its timeout an upstream may take for a whole page: one that dribbles would keep others waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamIndex:
    """The index to pass names on to, and how it is reached."""

    url: str
    """Without a slash at its end; may hold a user name and a password: not for printing."""
    certificate: str | None = None
    """A file or folder of the authorities to trust; None for the usual ones."""
    proxy: str | None = None


def upstream_index(settings: Settings) -> UpstreamIndex | None:
    """Return the upstream index, or None where there is none.

    :raises InvalidSetting: pip does not tell which one it uses, or it is this server itself
    """
    if settings.upstream is None:
        return None
    index = _index_of_pip() if settings.upstream == PIP_UPSTREAM else UpstreamIndex(url=settings.upstream)
    shown = without_userinfo(index.url)
    if f"{shown}/".startswith(f"{settings.base_url}/"):
        raise InvalidSetting(
            f"the upstream {shown} is this server itself",
            where=_WHERE,
            hint="name another index; 'pip' takes the one that pip is configured to use on this machine",
        )
    return index


def _index_of_pip() -> UpstreamIndex:
    try:
        told = read_pip_settings()
    except PipSettingsUnreadable as error:
        raise InvalidSetting(
            error.message, where=_WHERE, hint="give the address of the index instead of 'pip'"
        ) from error
    return UpstreamIndex(url=told.index_url.rstrip("/"), certificate=told.certificate, proxy=told.proxy)


def without_userinfo(url: str) -> str:
    """Return an address without the user name and password that may stand before its host."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class Upstream:
    """One upstream index; belongs to one event loop."""

    def __init__(self, index: UpstreamIndex, settings: Settings) -> None:
        """Take the index, and the settings that bound what is asked of it."""
        self._url = index.url
        self._deadline = settings.upstream_timeout * _PATIENCE
        self._max_page_bytes = settings.upstream_max_page_bytes
        self._client = httpx.AsyncClient(
            verify=tls_context(index.certificate) or True,
            proxy=index.proxy,
            timeout=settings.upstream_timeout,
            follow_redirects=True,
            max_redirects=5,
            event_hooks={"response": [refuse_downgrade]},
        )
        self._absent: OrderedDict[str, float] = OrderedDict()
        self._gate = anyio.Semaphore(settings.upstream_max_requests)

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def page(self, name: str) -> ProjectPage | None:
        """Return the page of a project with absolute addresses, or None if the upstream does not have it.

        :param name: normalised
        :raises UpstreamFailed: it does not answer, or not with a page
        """
        if self._absent.get(name, 0.0) > time.monotonic():
            return None
        try:
            with anyio.fail_after(self._deadline):
                # Read inside the gate too: what all pages under way take in memory is bounded.
                async with self._gate:
                    answer = await self._fetch(name)
                    if answer is not None:
                        return await run_in_threadpool(_parse, name, *answer)
        except TimeoutError as error:
            raise _failed(name, f"no whole page came in {self._deadline:g} seconds") from error
        self._remember_absent(name)
        return None

    async def _fetch(self, name: str) -> tuple[bytes, str, str] | None:
        """Return body, content type and final address."""
        headers = {"Accept": _ACCEPT, "User-Agent": f"cpufit/{version('cpufit')}"}
        try:
            async with self._client.stream("GET", f"{self._url}/{name}/", headers=headers) as response:
                if response.status_code in (404, 410):
                    return None
                if response.status_code != 200:
                    raise _failed(name, f"it answered {response.status_code}")
                body = bytearray()
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > self._max_page_bytes:
                        raise _failed(name, f"its page has more than {self._max_page_bytes} bytes")
                content_type = response.headers.get("content-type", "")
                return bytes(body), content_type, without_userinfo(str(response.url))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The error's own text may hold the address with its password.
            raise _failed(name, type(error).__name__) from error

    def _remember_absent(self, name: str) -> None:
        self._absent[name] = time.monotonic() + _ABSENT_SECONDS
        self._absent.move_to_end(name)
        while len(self._absent) > _ABSENT_NAMES:
            self._absent.popitem(last=False)


def _parse(name: str, body: bytes, content_type: str, url: str) -> ProjectPage:
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == JSON_TYPE:
            page = parse_json(body, url)
        elif kind in (HTML_TYPE, PLAIN_HTML_TYPE):
            page = parse_html(body.decode("utf-8", errors="replace"), url)
        else:
            raise _failed(name, f"it sent {kind[:80] or 'no content type'}")
    except InvalidSimplePage as error:
        raise _failed(name, error.message) from error
    except ValueError as error:  # an address that is none, where the whole page hangs on it
        raise _failed(name, "what it sent cannot be read") from error
    files = tuple(_passed_on(file) for file in page.files if file.url.startswith(("https://", "http://")))
    return replace(page, name=name, files=files)


def _passed_on(file: PageFile) -> PageFile:
    """Return an upstream's file as it may stand on a page of ours: nothing secret, nothing in our name."""
    # JSON lets an index write anything in these two places.
    requires_python: object = file.requires_python
    size: object = file.size
    return replace(
        file,
        url=without_userinfo(file.url),
        requires_python=requires_python if isinstance(requires_python, str) else None,
        size=size if type(size) is int and size >= 0 else None,
        upload_time=_in_utc(file.upload_time),
        private={},
    )


def _in_utc(moment: datetime | None) -> datetime | None:
    try:
        return None if moment is None else moment.astimezone(timezone.utc)
    except OverflowError:  # within hours of the first or the last day that there is
        return None


async def refuse_downgrade(response: httpx.Response) -> None:
    """Refuse a redirect that leaves TLS: the hashes on a page are worth what its way here is worth."""
    if response.url.scheme != "https" or not response.has_redirect_location:
        return
    if response.url.join(response.headers["location"]).scheme != "https":
        raise httpx.UnsupportedProtocol("a redirect from https to something else", request=response.request)


def _failed(name: str, why: str) -> UpstreamFailed:
    return UpstreamFailed(
        f"the upstream index did not give the page of {name}: {why}",
        where="upstream",
        hint="try again; if it stays so, look at CPUFIT_UPSTREAM and at the network of the server",
    )
