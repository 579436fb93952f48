"""HTTP as a selector speaks it: one index, its certificates, its credentials, and no wandering off.

Proxies come from the environment, as :func:`urllib.request.getproxies` reads it.
"""

from __future__ import annotations

import ssl
import urllib.error
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Callable, Mapping
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener

from .credentials import Credentials, from_environment, from_keyring, from_netrc
from .failures import DownloadFailed
from .installer import from_installer

DEFAULT_TIMEOUT = 60.0
"""Seconds without a byte; ``CPUFIT_TIMEOUT`` says otherwise."""

CERTIFICATE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""In the order in which pip looks. ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are honoured by Python itself."""

_PORTS = {"http": 80, "https": 443}


class BrokenConnection(Exception):
    """A request that is worth another try."""


class _SameHostRedirects(HTTPRedirectHandler):
    """Follow a redirect only to the same place, or from http to https on the same host."""

    max_redirections = 5

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        del fp, code, msg, headers
        if not may_follow(req.full_url, newurl):
            raise DownloadFailed(
                f"the index redirects from {place_of(req.full_url)} to {place_of(newurl)}: a selector does not follow",
                hint="the index has to hand out its files from its own public URL",
            )
        return Request(newurl, headers=dict(req.headers), method=req.get_method())  # noqa: S310  # http(s) by may_follow

    http_error_308 = HTTPRedirectHandler.http_error_302
    """Python 3.11 and later have it; RFC 9110 section 15.4.9."""


def origin_of(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)


def place_of(url: str) -> str:
    """Return scheme, host and port as text: what a message may say of a URL."""
    scheme, host, port = origin_of(url)
    return f"{scheme}://{host}" if port == _PORTS.get(scheme) else f"{scheme}://{host}:{port}"


def may_follow(old: str, new: str) -> bool:
    """Tell whether a redirect stays where it was, or only rises from http to https on the default ports."""
    return origin_of(new) == origin_of(old) or (
        origin_of(old) == ("http", origin_of(new)[1], 80) and origin_of(new)[::2] == ("https", 443)
    )


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that trusts what pip was told to trust; a file or a folder of certificates."""
    for name in CERTIFICATE_VARIABLES:
        place = environ.get(name)
        if place:
            try:
                if Path(place).is_dir():
                    return ssl.create_default_context(capath=place)
                return ssl.create_default_context(cafile=place)
            except (OSError, ssl.SSLError) as error:
                raise DownloadFailed(f"no certificates in {place}: {error}", where=name) from error
    return ssl.create_default_context()


def timeout_from(environ: Mapping[str, str]) -> float:
    """Return ``CPUFIT_TIMEOUT`` in seconds, or the default."""
    text = environ.get("CPUFIT_TIMEOUT") or str(DEFAULT_TIMEOUT)
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:  # a day; refuses nan as well
        raise DownloadFailed(f"{text!r} is no number of seconds", where="CPUFIT_TIMEOUT")
    return seconds


class Transport:
    """Requests to one index; credentials go to its own origin and nowhere else."""

    def __init__(
        self,
        base_url: str,
        environ: Mapping[str, str],
        *,
        agent: str = "cpufit-selector",
        keyring: Callable[[str, str, Mapping[str, str]], Credentials | None] = from_keyring,
    ) -> None:
        self._base_url = base_url
        self._environ = environ
        self._agent = agent
        self._keyring = keyring
        self._timeout = timeout_from(environ)
        self._credentials = (
            from_environment(environ)
            or from_installer(base_url, environ)
            or from_netrc(origin_of(base_url)[1], environ)
        )
        self._asked_keyring = False
        self._opener: OpenerDirector = build_opener(_SameHostRedirects(), HTTPSHandler(context=tls_context(environ)))

    def get(self, url: str, headers: Mapping[str, str] | None = None, *, timeout: float | None = None) -> HTTPResponse:
        """Return the response to a GET; the caller closes it.

        :param timeout: seconds, where less than usual is wanted
        :raises BrokenConnection: another try may help
        :raises DownloadFailed: no other try will
        """
        if urlsplit(url).scheme not in _PORTS:
            raise DownloadFailed(f"not an http or https URL: {place_of(url)}")
        wait = self._timeout if timeout is None else min(timeout, self._timeout)
        try:
            return self._open(url, headers or {}, wait)
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refused(url, error.code) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise self._untrusted(url, error.reason) from error
            raise BrokenConnection(f"{place_of(url)}: {error.reason}") from error
        except (OSError, HTTPException) as error:
            raise BrokenConnection(f"{place_of(url)}: {str(error) or type(error).__name__}") from error
        except ValueError as error:  # what urllib says of a redirect to an address that is none
            raise DownloadFailed(f"{place_of(url)} redirects to what is no address: {error}") from error

    def tell(self, url: str, body: bytes, *, timeout: float) -> None:
        """Send JSON without credentials, and take no notice of what is answered.

        :param timeout: seconds without a byte
        :raises OSError: it could not be sent, or was refused
        :raises HTTPException: likewise
        :raises DownloadFailed: it was redirected to another place
        """
        headers = {"User-Agent": self._agent, "Content-Type": "application/json"}
        request = Request(url, data=body, headers=headers, method="POST")  # noqa: S310  # the index's own URL
        self._opener.open(request, timeout=timeout).close()

    def _open(self, url: str, headers: Mapping[str, str], wait: float) -> HTTPResponse:
        own = origin_of(url) == origin_of(self._base_url)
        try:
            return self._send(url, headers, self._credentials if own else None, wait)
        except urllib.error.HTTPError as error:
            if error.code != 401 or not own or self._asked_keyring:
                raise
            self._asked_keyring = True
            found = self._keyring(self._base_url, origin_of(self._base_url)[1], self._environ)
            if found is None:
                raise
            error.close()
            self._credentials = found
        return self._send(url, headers, self._credentials, wait)

    def _send(self, url: str, headers: Mapping[str, str], who: Credentials | None, wait: float) -> HTTPResponse:
        request = Request(url, headers={"User-Agent": self._agent, **headers})  # noqa: S310  # http(s), as get() checks
        if who is not None:
            request.add_header("Authorization", who.header)
        response: HTTPResponse = self._opener.open(request, timeout=wait)
        return response

    def _refused(self, url: str, status: int) -> Exception:
        sentence = f"{place_of(url)} answered {status} for {urlsplit(url).path}"
        if status in (408, 425, 429, 500, 502, 503, 504):
            return BrokenConnection(sentence)
        hint = None
        if status in (401, 403):
            hint = "set CPUFIT_TOKEN, or CPUFIT_USERNAME and CPUFIT_PASSWORD, or write the host into ~/.netrc"
        return DownloadFailed(sentence, hint=hint)

    def _untrusted(self, url: str, reason: ssl.SSLCertVerificationError) -> DownloadFailed:
        return DownloadFailed(
            f"{place_of(url)} shows a certificate that this Python does not trust: {reason.verify_message}",
            hint="name the right certificates in PIP_CERT or SSL_CERT_FILE; pip's --cert does not reach here",
        )
