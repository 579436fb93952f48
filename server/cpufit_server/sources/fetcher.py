"""The one place that reads pages and files from elsewhere: http, https, and ``file`` for an index in a folder.

Credentials in an address, and those of a ``netrc`` file, go to the host that they are for and nowhere else. A
redirect from https to http is an error.
"""

from __future__ import annotations

import contextlib
import itertools
import netrc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import httpx

from .errors import DownloadBroke, DownloadFailed, PageUnreadable
from .pip_settings import tls_context

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.2, text/html; q=0.1"
CHUNK = 1 << 18
_PAGE_LIMIT = 256 << 20
# scheme, host and port; user; password
_Login = tuple[tuple[str, str | None, int | None], str, str]
_TIMEOUT = httpx.Timeout(60.0, connect=20.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPage:
    """A page as it came."""

    url: str
    """Where it was in the end, for its relative links."""
    content_type: str
    text: str


class Fetcher:
    """Reads pages and files; keeps connections open until it is closed.

    :param certificate: a file or folder of the authorities to trust; without it the usual ones
    :param proxy: a proxy's address; without it the environment's
    :param index_url: an index whose credentials its files need too
    """

    def __init__(
        self, *, certificate: str | None = None, proxy: str | None = None, index_url: str | None = None
    ) -> None:
        self._client = httpx.Client(
            verify=tls_context(certificate) or True,
            proxy=proxy,
            timeout=_TIMEOUT,
            follow_redirects=True,
            headers={"User-Agent": "cpufit-server"},
        )
        self._logins = _logins(index_url or "")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def page(self, url: str) -> FetchedPage:
        """Return a page.

        :raises PageUnreadable: it cannot be had
        """
        if url.startswith("file:"):
            return _page_in_folder(url)
        try:
            with self._get(url, {"Accept": ACCEPT}) as response:
                body = bytearray()
                for chunk in response.iter_bytes(CHUNK):
                    body += chunk
                    if len(body) > _PAGE_LIMIT:
                        raise PageUnreadable(f"the page is longer than {_PAGE_LIMIT} bytes", where=without_login(url))
                return FetchedPage(
                    url=str(response.url),
                    content_type=response.headers.get("Content-Type", "text/html"),
                    text=body.decode("utf-8", errors="replace"),
                )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PageUnreadable(_reason(error), where=without_login(url)) from error

    @contextlib.contextmanager
    def chunks(self, url: str) -> Iterator[tuple[int | None, Iterator[bytes]]]:
        """Give a file's size, where it is told, and its bytes piece by piece.

        :raises DownloadFailed: they do not come, or stop coming (:class:`DownloadBroke`)
        """
        try:
            if url.startswith("file:"):
                path = Path(url2pathname(urlsplit(url).path))
                with path.open("rb") as file:
                    yield path.stat().st_size, iter(lambda: file.read(CHUNK), b"")
            else:
                # identity, and raw bytes: a server that compresses on the way must not change what is hashed
                with self._get(url, {"Accept-Encoding": "identity"}) as response:
                    length = response.headers.get("Content-Length", "")
                    yield int(length) if length.isdigit() else None, response.iter_raw(CHUNK)
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            passing = not isinstance(error, httpx.HTTPStatusError) or error.response.is_server_error
            failure = DownloadBroke if passing else DownloadFailed
            raise failure(_reason(error), where=without_login(url)) from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise DownloadFailed(_reason(error), where=without_login(url)) from error

    @contextlib.contextmanager
    def _get(self, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        with self._client.stream("GET", url, headers=headers, auth=self._login_for(url)) as response:
            hops = [str(hop.url) for hop in (*response.history, response)]
            if any(
                before.startswith("https:") and after.startswith("http:") for before, after in itertools.pairwise(hops)
            ):
                raise httpx.RequestError("redirected from https to http", request=response.request)
            response.raise_for_status()
            yield response

    def _login_for(self, url: str) -> httpx.BasicAuth | None:
        parts = urlsplit(url)
        if parts.username:  # httpx takes these from the address
            return None
        host = (parts.scheme, parts.hostname, parts.port)
        for known, user, password in self._logins:
            if known == host:
                return httpx.BasicAuth(user, password)
        return netrc_login(parts.hostname or "")


def without_login(url: str) -> str:
    """Return an address without user name, password, query and fragment: fit for a record."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _logins(index_url: str) -> tuple[_Login, ...]:
    """Return the credentials in the index's address; files at the same host and port need them too."""
    parts = urlsplit(index_url)
    if not parts.username:
        return ()
    origin = (parts.scheme, parts.hostname, parts.port)
    return ((origin, unquote(parts.username), unquote(parts.password or "")),)


def netrc_login(host: str) -> httpx.BasicAuth | None:
    """Return the login that the user's netrc file has for a host; a file that cannot be read has none, as in pip."""
    try:
        found = netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError, RuntimeError):
        return None
    return None if found is None else httpx.BasicAuth(found[0], found[2] or "")


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"the answer is {error.response.status_code} {error.response.reason_phrase}"
    # an address that cannot be read may hold a password
    text = type(error).__name__ if isinstance(error, httpx.InvalidURL) else str(error) or type(error).__name__
    return f"it cannot be read: {text}"


def _page_in_folder(url: str) -> FetchedPage:
    path = Path(url2pathname(urlsplit(url).path))
    path = path / "index.html" if path.is_dir() else path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PageUnreadable(_reason(error), where=url) from error
    return FetchedPage(url=url, content_type="text/html", text=text)
