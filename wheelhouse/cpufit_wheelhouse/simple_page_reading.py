"""Reading an index's page, in JSON or HTML, into the one model of :mod:`.simple_page`.

Specification: as there. What a page of a later minor version brings is passed over; one of another major version is
refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name

from .errors import InvalidSimplePage
from .simple_page import (
    API_VERSION,
    REASON_META,
    STATUS_META,
    STATUSES,
    VERSION_META,
    PageFile,
    ProjectPage,
    minor_of,
)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MINOR = re.compile(r"1\.(\d{1,4})")
_FRACTION = re.compile(r"\.(\d+)")
_SPECIFIED = frozenset(
    {
        *("filename", "url", "hashes", "requires-python", "size", "upload-time", "yanked", "provenance", "gpg-sig"),
        *("core-metadata", "dist-info-metadata", "data-dist-info-metadata"),
    }
)
"""The keys of an entry that the specification has: where there is no other, none has to be looked for."""
_USUAL_TIME = len("2026-11-02T10:00:00.000000Z")


def parse_json(text: str | bytes, url: str) -> ProjectPage:
    """Return a project page from PEP 691 JSON; entries of a kind nobody knows are kept, broken ones are not.

    :param url: where the page was read from, for its relative addresses
    :raises InvalidSimplePage: not a project page of API version 1
    """
    try:
        body = json.loads(text)
        version = str(body["meta"]["api-version"])
        files = tuple(_file_from_json(entry, url) for entry in body["files"])
        versions = body.get("versions")
        told = body.get("project-status") or {}
        status, reason = _status_of(told.get("status"), told.get("reason"))
        page = ProjectPage(
            name=str(body["name"]),
            files=files,
            versions=None if versions is None else tuple(map(str, versions)),
            status=status,
            status_reason=reason,
            api_version=_passed_version(version, url),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidSimplePage("not a project page in JSON", where=url) from error
    return page


def _passed_version(version: str, url: str) -> str:
    """Return the version that a page of some version has when we pass it on: at most ours.

    :raises InvalidSimplePage: of an API version other than 1 (PEP 629, "Clients": a hard failure)
    """
    if version.partition(".")[0] != "1":
        raise InvalidSimplePage(f"API version {version} is not understood", where=url)
    return min(version, API_VERSION, key=minor_of) if _MINOR.fullmatch(version) else "1.0"


def _status_of(status: object, reason: object) -> tuple[str | None, str | None]:
    """Return a status and its reason from what a page says; a marker that nobody knows says nothing."""
    if not isinstance(status, str) or status not in STATUSES:
        return None, None
    return status, reason if isinstance(reason, str) and reason else None


def _file_from_json(entry: Mapping[str, Any], page_url: str) -> PageFile:
    metadata = entry.get("core-metadata", entry.get("dist-info-metadata"))
    sha256 = metadata.get("sha256") if isinstance(metadata, dict) else None
    url, fragment = _absolute(page_url, entry["url"])
    uploaded = entry.get("upload-time")
    yanked = entry.get("yanked", False)
    return PageFile(
        filename=str(entry["filename"]),
        url=url,
        hashes={str(name): str(value) for name, value in entry.get("hashes", {}).items()} or _hash_in(fragment),
        requires_python=entry.get("requires-python") or None,
        core_metadata=sha256 if isinstance(sha256, str) and _SHA256.fullmatch(sha256) else None,
        size=entry.get("size"),
        upload_time=None if uploaded is None else _time(uploaded),
        yanked=yanked if isinstance(yanked, str) and yanked else yanked is not False and yanked is not None,
        provenance=_address(entry.get("provenance"), page_url),
        private={} if entry.keys() <= _SPECIFIED else _private(entry),
    )


def _private(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name.startswith("_cpufit_")}


def _address(found: object, page_url: str) -> str | None:
    """Return an address as an absolute one; None for anything else. A digest stood there in PEP 740's first form."""
    if not isinstance(found, str) or not found or _SHA256.fullmatch(found):
        return None
    try:
        return urljoin(page_url, found)
    except ValueError:
        return None


def _absolute(page_url: str, url: str) -> tuple[str, str]:
    """Return an address of a page's entry in full, and its fragment."""
    if url.startswith("https://") and "#" not in url and "/../" not in url and "/./" not in url:
        return url, ""  # as on most pages with thousands of entries, where joining costs the most
    joined, fragment = urldefrag(urljoin(page_url, url))
    return joined, fragment


def _time(text: str) -> datetime:
    if len(text) == _USUAL_TIME and text[19] == "." and text[-1] == "Z":  # as PEP 700 has it: nothing to search for
        return datetime.fromisoformat(f"{text[:-1]}+00:00")
    # Python 3.10 reads neither "Z" nor a fraction of other than three or six digits
    text = _FRACTION.sub(lambda match: "." + match.group(1)[:6].ljust(6, "0"), text.replace("Z", "+00:00"))
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)


def _hash_in(fragment: str) -> dict[str, str]:
    name, equals, value = fragment.partition("=")
    return {name: value} if equals and re.fullmatch(r"[0-9a-f]+", value) else {}


def parse_html(text: str, url: str) -> ProjectPage:
    """Return a project page, or a plain page of links, from PEP 503 HTML.

    The files are the links whose addresses end in a file's name. HTML tells no versions, sizes or times.

    :param url: where the page was read from, for its relative addresses
    :raises InvalidSimplePage: of an API version other than 1
    """
    reader = _LinkReader(url)
    reader.feed(text)
    reader.close()
    version = _passed_version(reader.metas.get(VERSION_META, "1.0"), url)
    status, reason = _status_of(reader.metas.get(STATUS_META), reader.metas.get(REASON_META))
    segments = [part for part in urlsplit(url).path.split("/") if part]
    name = canonicalize_name(unquote(segments[-1])) if segments else ""
    return ProjectPage(name=name, files=tuple(reader.files), status=status, status_reason=reason, api_version=version)


class _LinkReader(HTMLParser):
    """Collects the anchors of a page, and what its meta elements say of the API."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.files: list[PageFile] = []
        self.metas: dict[str, str] = {}
        self._base = url

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # of an attribute that stands twice, the first counts, as in browsers and in pip
        found = dict(reversed([(name, value or "") for name, value in attrs]))
        if tag == "base" and "href" in found:
            self._base = urljoin(self._base, found["href"])
        elif tag == "meta" and found.get("name", "").startswith("pypi:"):
            self.metas.setdefault(found["name"], found.get("content", ""))
        elif tag == "a" and found.get("href"):
            self._add(found)

    def _add(self, found: Mapping[str, str]) -> None:
        try:
            url, fragment = urldefrag(urljoin(self._base, found["href"]))
            filename = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        except ValueError:  # an address that is none, such as one with half an IPv6 address
            return
        if not filename:
            return
        metadata = _hash_in(found.get("data-core-metadata", found.get("data-dist-info-metadata", "")))
        self.files.append(
            PageFile(
                filename=filename,
                url=url,
                hashes=_hash_in(fragment),
                requires_python=found.get("data-requires-python") or None,
                core_metadata=metadata.get("sha256"),
                yanked=found.get("data-yanked") or "data-yanked" in found,
                provenance=_address(found.get("data-provenance"), self._base),
            )
        )
