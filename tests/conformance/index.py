"""Asking an index over HTTP: answers with their bytes as they came, and nothing asked for that a test did not say."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
PLAIN_HTML = "text/html"

MAX_BYTES = 128 << 20
"""Bytes of an answer that are read at the most; the list of projects of the public index has some 40 million."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer; ``url`` is where it came from after redirects."""

    url: str
    status: int
    headers: httpx.Headers
    raw: bytes
    hops: tuple[int, ...] = ()
    """The statuses of the redirects on the way."""

    @property
    def body(self) -> bytes:
        """The bytes without their content coding."""
        coding = self.headers.get("content-encoding", "identity").lower()
        if coding in ("gzip", "x-gzip"):
            return gzip.decompress(self.raw) if self.raw else b""
        if coding == "deflate":
            return zlib.decompress(self.raw)
        return self.raw

    @property
    def text(self) -> str:
        """The body as text; pages are UTF-8."""
        return self.body.decode("utf-8", errors="replace")

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty where there is none."""
        return str(self.headers.get("content-type", "")).partition(";")[0].strip().lower()

    @property
    def vary(self) -> set[str]:
        """The request headers that the answer depends on, in lower case."""
        return {name.strip().lower() for name in self.headers.get("vary", "").split(",")} - {""}


class Index:
    """A Simple API at a base address."""

    def __init__(self, client: httpx.Client, url: str) -> None:
        self._client = client
        self.url = url if url.endswith("/") else url + "/"

    def ask(self, url: str, *, method: str = "GET", follow: bool = True, **headers: str) -> Answer:
        """Ask for an address, relative to the base or absolute.

        ``Accept-Encoding`` is ``identity`` and there is no ``Accept`` unless ``headers`` says so; underscores there
        stand for hyphens, and a header whose value is empty is not sent.
        """
        return self._send(url, method, headers, follow=follow)

    def page(self, name: str = "", *, accept: str, **headers: str) -> Answer:
        """Ask for a project's page, or without a name for the list of projects, in its canonical spelling."""
        return self._send(f"{normalised(name)}/" if name else "", "GET", {"accept": accept, **headers}, follow=True)

    def _send(self, url: str, method: str, headers: Mapping[str, str], *, follow: bool) -> Answer:
        told = {"accept_encoding": "identity", **headers}
        wanted = {name.replace("_", "-"): value for name, value in told.items() if value}
        request = self._client.build_request(method, urljoin(self.url, url), headers=wanted)
        answer = self._client.send(request, stream=True, follow_redirects=follow)
        try:
            raw = bytearray()
            for piece in answer.iter_raw():
                raw += piece
                if len(raw) > MAX_BYTES:
                    raise AssertionError(f"{answer.url} has more than {MAX_BYTES} bytes")
        finally:
            answer.close()
        return Answer(
            url=str(answer.url),
            status=answer.status_code,
            headers=answer.headers,
            raw=bytes(raw),
            hops=tuple(step.status_code for step in answer.history),
        )


def normalised(name: str) -> str:
    """Return a project's name as it stands in addresses (PEP 503, "Normalized Names")."""
    return re.sub(r"[-_.]+", "-", name).lower()
