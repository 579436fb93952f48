"""One model of an index's pages, written and read as HTML and as JSON.

Specification: "Simple repository API" (PEP 503 HTML, PEP 691 JSON, PEP 592 yanked, PEP 658 and 714 metadata files,
PEP 629 and 700 versions, PEP 740 provenance, PEP 792 status), API version 1.4. What 1.2 brought (PEP 708) was rejected
in the end, and 1.5 (PEP 752) is told by indexes that grant namespaces alone.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name

from .errors import InvalidSimplePage

HTML_TYPE = "application/vnd.pypi.simple.v1+html"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
API_VERSION = "1.4"
"""What our pages keep to: PEP 792, "Status markers in the index APIs", is the version that we implement in full."""
HTML_API_VERSION = "1.4"
"""The last one that HTML pages have (PEP 833, "Specification": later versions are told by JSON pages alone)."""

VERSION_META, STATUS_META, REASON_META = (
    "pypi:repository-version",
    "pypi:project-status",
    "pypi:project-status-reason",
)
"""The names of the meta elements of an HTML page (PEP 629, PEP 792)."""
STATUSES = frozenset({"active", "archived", "quarantined", "deprecated"})
"""The markers of PEP 792, "Project status markers"."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MINOR = re.compile(r"1\.(\d{1,4})")
_FRACTION = re.compile(r"\.(\d+)")
_CONTROLS = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {0x09, 0x0A, 0x0C, 0x0D}, "\ufffd")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One file on a project's page."""

    filename: str
    url: str
    """Absolute, or relative to the page; without a hash in its fragment."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    requires_python: str | None = None
    core_metadata: str | None = None
    """SHA-256, in hex, of the file at ``url + ".metadata"``; None where there is none with a known hash."""
    size: int | None = None
    """Bytes."""
    upload_time: datetime | None = None
    """With a time zone."""
    yanked: bool | str = False
    """Whether it is yanked, or the reason why; an empty reason is none."""
    provenance: str | None = None
    """The address of its provenance object (PEP 740), absolute; None where there are no attestations."""
    private: Mapping[str, Any] = field(default_factory=dict)
    """JSON values under keys of our own (``_cpufit_…``); only the JSON page carries them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage:
    """The page of one project."""

    name: str
    files: tuple[PageFile, ...]
    versions: tuple[str, ...] | None = None
    """Every version that was uploaded, with a file on the page or without (PEP 700, "Versions"); None where the page
    was read from a source that does not tell."""
    status: str | None = None
    """One of :data:`STATUSES`; None where the page was read from a source that does not tell."""
    status_reason: str | None = None
    api_version: str = API_VERSION
    """The version of the API that the page's source keeps to."""
    private: Mapping[str, Any] = field(default_factory=dict)
    """JSON values under keys of our own (``_cpufit_…``); only the JSON page carries them."""
    note: str = ""
    """A sentence for whoever looks at the HTML page, beside its links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPage:
    """The page that lists all projects."""

    projects: tuple[str, ...]


def render_json(page: ProjectPage | IndexPage) -> str:
    """Return a page as PEP 691 JSON."""
    body: dict[str, object]
    if isinstance(page, IndexPage):
        body = {"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in page.projects]}
    else:
        version = _kept_version(page)
        body = {
            "meta": {"api-version": version},
            # PEP 691, "Project Detail": the name is the normal one.
            "name": canonicalize_name(page.name),
            **({} if version == "1.0" else {"versions": list(page.versions or ())}),
            **_status_as_json(page),
            "files": [_file_as_json(file) for file in page.files],
            **page.private,
        }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _kept_version(page: ProjectPage) -> str:
    """Return the API version whose promises a JSON page keeps.

    PEP 700 makes ``versions`` and every ``size`` mandatory from 1.1 on: a page passed on without them is of 1.0. One
    that says nothing of its project's status because its source knows no statuses is of its source's version.
    """
    complete = page.versions is not None and all(file.size is not None for file in page.files)
    return page.api_version if complete else "1.0"


def _status_as_json(page: ProjectPage) -> dict[str, object]:
    # PEP 792, "JSON index": an object with the marker under "status" and, where there is one, a free text as "reason".
    if page.status is None:
        return {}
    reason = {} if not page.status_reason else {"reason": page.status_reason}
    return {"project-status": {"status": page.status, **reason}}


def _file_as_json(file: PageFile) -> dict[str, object]:
    entry: dict[str, object] = {"filename": file.filename, "url": file.url, "hashes": dict(file.hashes)}
    if file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    if file.size is not None:
        entry["size"] = file.size
    if file.upload_time is not None:
        # PEP 700, "Additional file information": UTC with "Z", and at most six digits of a second.
        entry["upload-time"] = file.upload_time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if file.core_metadata is not None:
        entry["core-metadata"] = {"sha256": file.core_metadata}
        # PEP 658 and 714: the hashes of the file that is served at the file's address with ".metadata" behind it.
        # The older name of PEP 691, "dist-info-metadata", kills pip 22.3 to 23.1 when hashes stand there (PEP 714); who
        # looks for an old name at all takes this one, which PyPI has as well.
        entry["data-dist-info-metadata"] = {"sha256": file.core_metadata}
    # PEP 691, "Project Detail": a boolean, or a reason that is not empty.
    entry["yanked"] = file.yanked if file.yanked != "" else True
    if file.provenance is not None:
        entry["provenance"] = file.provenance
    entry.update(file.private)
    return entry


def render_html(page: ProjectPage | IndexPage) -> str:
    """Return a page as PEP 503 HTML, in the form that PEP 833 froze; sizes, times and versions are JSON's alone."""
    if isinstance(page, IndexPage):
        title, note, marks = "Simple index", "", {}
        # PEP 503: the text is the project's name, the address that of its page, below the index's own.
        anchors = [f'<a href="{_escaped(canonicalize_name(name))}/">{_escaped(name)}</a>' for name in page.projects]
    else:
        title, note, marks = f"Links for {canonicalize_name(page.name)}", page.note, _marks(page)
        anchors = [_anchor(file) for file in page.files]
    version = HTML_API_VERSION if isinstance(page, IndexPage) else min(page.api_version, HTML_API_VERSION, key=_minor)
    # PEP 629, "Specification": the version of the API stands in a meta element of every page.
    metas = {VERSION_META: version, **marks}
    lines = [
        "<!DOCTYPE html>",
        "<html>",
        "<head>",
        '<meta charset="utf-8">',
        *(f'<meta name="{name}" content="{_escaped(content)}">' for name, content in metas.items()),
        f"<title>{_escaped(title)}</title>",
        "</head>",
        "<body>",
        f"<h1>{_escaped(title)}</h1>",
        *([f"<p>{_escaped(note)}</p>"] if note else []),
        *(anchor + "<br>" for anchor in anchors),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _marks(page: ProjectPage) -> dict[str, str]:
    # PEP 792, "HTML index": the marker and, where there is one, the reason, each in a meta element of its own.
    if page.status is None:
        return {}
    reason = {} if not page.status_reason else {REASON_META: page.status_reason}
    return {STATUS_META: page.status, **reason}


def _anchor(file: PageFile) -> str:
    # PEP 503 has room for one hash, in the address's fragment; every client knows sha256
    known = [name for name in ("sha256", *sorted(file.hashes)) if name in file.hashes]
    fragment = f"#{known[0]}={file.hashes[known[0]]}" if known else ""
    attributes = {"href": file.url + fragment}
    if file.requires_python is not None:
        # PEP 503: "<" and ">" in it have to be escaped, as everything is below.
        attributes["data-requires-python"] = file.requires_python
    if file.core_metadata is not None:
        # PEP 714, "Servers": both the name that PEP 658 gave it and the new one, with the same hash.
        attributes["data-core-metadata"] = attributes["data-dist-info-metadata"] = f"sha256={file.core_metadata}"
    if file.yanked is not False:
        # PEP 592, "Specification": the attribute's presence says that it is yanked, its value why.
        attributes["data-yanked"] = "" if file.yanked is True else file.yanked
    if file.provenance is not None:
        attributes["data-provenance"] = file.provenance
    text = " ".join(f'{name}="{_escaped(value)}"' for name, value in attributes.items())
    # PEP 503: the text is the last part of the address, the file's name.
    return f"<a {text}>{_escaped(file.filename)}</a>"


def _escaped(text: str) -> str:
    """Return a text as it may stand in HTML; a control character, which HTML5 forbids, becomes a replacement one."""
    return html.escape(text.translate(_CONTROLS))


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
    return min(version, API_VERSION, key=_minor) if _MINOR.fullmatch(version) else "1.0"


def _minor(version: str) -> int:
    return int(version.partition(".")[2])


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
        private={name: value for name, value in entry.items() if name.startswith("_cpufit_")},
    )


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
