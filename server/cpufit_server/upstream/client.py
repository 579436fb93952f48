"""The HTTP client of an upstream: pages, files and ranges of them.

Credentials from the index's address, or from netrc, go to the index and to files of the same origin; a netrc entry for
another host goes there. None of them gets into an error or a log: addresses are shown without them and without queries.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from urllib.parse import unquote, urlsplit

import httpx

from cpufit_server.sources.fetcher import netrc_login
from cpufit_server.sources.pip_settings import tls_context

from .index import UpstreamIndex, without_userinfo
from .reading import ACCEPT, no_file, no_page

_AGENT = f"cpufit/{version('cpufit')}"
_CONNECTIONS = httpx.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPage:
    """An answer of 200 to the question for a page, or of 304."""

    body: bytes | None
    """None where the page is what it was."""
    content_type: str
    url: str
    """Where it was in the end; without a user name and a password."""
    headers: Mapping[str, str]


class UpstreamClient:
    """Connections to one upstream; belongs to one event loop. How many are used at once is its callers' care."""

    def __init__(self, index: UpstreamIndex, *, timeout: float, max_page_bytes: int) -> None:
        self._url = without_userinfo(index.url)
        self._origin = _origin(index.url)
        self._login = _own_login(index.url)
        self._max_page_bytes = max_page_bytes
        self._client = httpx.AsyncClient(
            verify=tls_context(index.certificate) or True,
            proxy=index.proxy,
            timeout=timeout,
            limits=_CONNECTIONS,
            follow_redirects=True,
            max_redirects=5,
            event_hooks={"response": [refuse_downgrade]},
            headers={"User-Agent": _AGENT},
        )

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def page(self, name: str, validators: Mapping[str, str]) -> FetchedPage | None:
        """Ask for a project's page; None if the upstream does not have it.

        :param validators: ``If-None-Match`` and ``If-Modified-Since`` of the page that is known
        :raises UpstreamFailed: it does not answer, or with something else
        """
        url = f"{self._url}/{name}/"
        try:
            async with self._request(url, {"Accept": ACCEPT, **validators}) as response:
                if response.status_code in (404, 410):
                    return None
                if response.status_code not in (200, 304) or (response.status_code == 304 and not validators):
                    raise no_page(name, f"it answered {response.status_code}")
                body = None if response.status_code == 304 else await self._body(name, response)
                return FetchedPage(
                    body=body,
                    content_type=response.headers.get("content-type", ""),
                    url=without_userinfo(str(response.url)),
                    headers=dict(response.headers),
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The error's own text may hold the address with its password.
            raise no_page(name, type(error).__name__) from error

    async def _body(self, name: str, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._max_page_bytes:
                raise no_page(name, f"its page has more than {self._max_page_bytes} bytes")
        return bytes(body)

    @contextlib.asynccontextmanager
    async def file(self, url: str, offset: int = 0) -> AsyncIterator[httpx.Response]:
        """Ask for a file, or the rest of one; the answer's raw bytes are the file's.

        :param offset: how many bytes are here already
        :raises httpx.HTTPError: it does not answer
        """
        # identity: what is compressed on the way has another hash, and other ranges
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={offset}-"} if offset else {})}
        async with self._request(url, headers) as response:
            yield response

    async def part(self, filename: str, url: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file.

        :raises UpstreamFailed: the upstream does not give just these
        """
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={start}-{stop - 1}"}
        try:
            async with self._request(url, headers) as response:
                if response.status_code != 206:
                    raise no_file(filename, f"asked for a range, it answered {response.status_code}")
                body = bytearray()
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > stop - start:
                        raise no_file(filename, "asked for a range, it sent more")
                return bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise no_file(filename, type(error).__name__) from error

    @contextlib.asynccontextmanager
    async def _request(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        login = self._login if _origin(url) == self._origin else None
        if login is None:
            login = netrc_login(urlsplit(url).hostname or "")
        async with self._client.stream("GET", url, headers=dict(headers), auth=login) as response:
            yield response


async def refuse_downgrade(response: httpx.Response) -> None:
    """Refuse a redirect that leaves TLS: the hashes on a page are worth what its way here is worth."""
    if response.url.scheme != "https" or not response.has_redirect_location:
        return
    if response.url.join(response.headers["location"]).scheme != "https":
        raise httpx.UnsupportedProtocol("a redirect from https to something else", request=response.request)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    port = parts.port if parts.port is not None else {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _own_login(url: str) -> httpx.BasicAuth | None:
    parts = urlsplit(url)
    if not parts.username:
        return None
    return httpx.BasicAuth(unquote(parts.username), unquote(parts.password or ""))
