"""What an upstream sent, as it may stand on a page of ours: nothing secret, nothing in our name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone

from cpufit_server.errors import UpstreamFailed
from cpufit_server.negotiation import HTML_TYPE, JSON_TYPE, PLAIN_HTML_TYPE
from cpufit_wheelhouse.errors import InvalidSimplePage
from cpufit_wheelhouse.simple_page import PageFile, ProjectPage
from cpufit_wheelhouse.simple_page_reading import parse_html, parse_json

from .index import without_userinfo

ACCEPT = f"{JSON_TYPE}, {HTML_TYPE};q=0.2, {PLAIN_HTML_TYPE};q=0.01"

_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_page(name: str, body: bytes, content_type: str, url: str) -> ProjectPage:
    """Return an upstream's page with absolute addresses.

    :raises UpstreamFailed: it is none
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == JSON_TYPE:
            page = parse_json(body, url)
        elif kind in (HTML_TYPE, PLAIN_HTML_TYPE):
            page = parse_html(body.decode("utf-8", errors="replace"), url)
        else:
            raise no_page(name, f"it sent {kind[:80] or 'no content type'}")
    except InvalidSimplePage as error:
        raise no_page(name, error.message) from error
    except ValueError as error:  # an address that is none, where the whole page hangs on it
        raise no_page(name, "what it sent cannot be read") from error
    files = tuple(_passed_on(file) for file in page.files if file.url.startswith(("https://", "http://")))
    return replace(page, name=name, files=files)


def sha256_of(file: PageFile) -> str | None:
    """Return the SHA-256 that a page gives of a file; None where it gives none that can be one."""
    sha256 = file.hashes.get("sha256", "")
    return sha256 if _SHA256.fullmatch(sha256) else None


def no_page(name: str, why: str) -> UpstreamFailed:
    """Return the error of an upstream that gave no page."""
    return UpstreamFailed(
        f"the upstream index did not give the page of {name}: {why}",
        where="upstream",
        hint="try again; if it stays so, look at CPUFIT_UPSTREAM and at the network of the server",
    )


def no_file(filename: str, why: str) -> UpstreamFailed:
    """Return the error of an upstream that gave no file."""
    return UpstreamFailed(
        f"the upstream index did not give {filename[:255]}: {why}",
        where="upstream",
        hint="try again; if it stays so, look at CPUFIT_UPSTREAM and at the network of the server",
    )


def _passed_on(file: PageFile) -> PageFile:
    # JSON lets an index write anything in these two places.
    told_python: object = file.requires_python
    told_size: object = file.size
    url, hashes, uploaded = without_userinfo(file.url), _lower(file.hashes), _in_utc(file.upload_time)
    requires_python = told_python if isinstance(told_python, str) else None
    size = told_size if type(told_size) is int and told_size >= 0 else None
    same = url is file.url and hashes is file.hashes and uploaded is file.upload_time and not file.private
    if same and requires_python is told_python and size is told_size:
        return file  # as nearly all are; a page may have ten thousand
    return replace(
        file,
        url=url,
        hashes=hashes,
        requires_python=requires_python,
        size=size,
        upload_time=uploaded,
        private={},
    )


def _lower(hashes: Mapping[str, str]) -> Mapping[str, str]:
    sha256 = hashes.get("sha256", "")
    return hashes if sha256.islower() or not sha256 else {**hashes, "sha256": sha256.lower()}


def _in_utc(moment: datetime | None) -> datetime | None:
    if moment is None or moment.tzinfo is timezone.utc:
        return moment
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:  # within hours of the first or the last day that there is
        return None
