"""One model of an index's pages, written and read as HTML and as JSON.

Specification: "Simple repository API" (PEP 503 HTML, PEP 691 JSON, PEP 592 yanked, PEP 658 and 714 metadata files,
PEP 629 and 700 versions), API version 1.1.
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
API_VERSION = "1.1"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_FRACTION = re.compile(r"\.(\d+)")


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
    """Whether it is yanked, or the reason why."""
    private: Mapping[str, Any] = field(default_factory=dict)
    """JSON values under keys of our own (``_cpufit_…``); only the JSON page carries them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage:
    """The page of one project."""

    name: str
    files: tuple[PageFile, ...]
    versions: tuple[str, ...] = ()
    private: Mapping[str, Any] = field(default_factory=dict)
    """JSON values under keys of our own (``_cpufit_…``); only the JSON page carries them."""
    note: str = ""
    """A sentence for whoever looks at the HTML page, beside its links."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexPage:
    """The page that lists all projects."""

    projects: tuple[str, ...]


def render_json(page: ProjectPage | IndexPage) -> str:
    """Return a page as PEP 691 JSON.

    A project page on which some file's size is unknown is of API version 1.0: 1.1 makes the size mandatory.
    """
    body: dict[str, object]
    if isinstance(page, IndexPage):
        body = {"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in page.projects]}
    else:
        complete = all(file.size is not None for file in page.files)
        body = {
            "meta": {"api-version": API_VERSION if complete else "1.0"},
            "name": canonicalize_name(page.name),
            **({"versions": list(page.versions)} if complete else {}),
            "files": [_file_as_json(file) for file in page.files],
            **page.private,
        }
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _file_as_json(file: PageFile) -> dict[str, object]:
    entry: dict[str, object] = {"filename": file.filename, "url": file.url, "hashes": dict(file.hashes)}
    if file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    if file.size is not None:
        entry["size"] = file.size
    if file.upload_time is not None:
        entry["upload-time"] = file.upload_time.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if file.core_metadata is not None:
        entry["core-metadata"] = {"sha256": file.core_metadata}
        # The older name of PEP 691, "dist-info-metadata", kills pip 22.3 to 23.1 when hashes stand there (PEP 714); who
        # looks for an old name at all takes this one, which PyPI has as well.
        entry["data-dist-info-metadata"] = {"sha256": file.core_metadata}
    entry["yanked"] = file.yanked
    entry.update(file.private)
    return entry


def render_html(page: ProjectPage | IndexPage) -> str:
    """Return a page as PEP 503 HTML."""
    if isinstance(page, IndexPage):
        title = "Simple index"
        anchors = [
            f'<a href="{html.escape(canonicalize_name(name))}/">{html.escape(name)}</a>' for name in page.projects
        ]
    else:
        title = f"Links for {canonicalize_name(page.name)}"
        anchors = [_anchor(file) for file in page.files]
    note = "" if isinstance(page, IndexPage) else page.note
    lines = [
        "<!DOCTYPE html>",
        "<html>",
        "<head>",
        f'<meta name="pypi:repository-version" content="{API_VERSION}">',
        f"<title>{html.escape(title)}</title>",
        "</head>",
        "<body>",
        f"<h1>{html.escape(title)}</h1>",
        *([f"<p>{html.escape(note)}</p>"] if note else []),
        *(anchor + "<br>" for anchor in anchors),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _anchor(file: PageFile) -> str:
    # PEP 503 has room for one hash; every client knows sha256
    known = [name for name in ("sha256", *sorted(file.hashes)) if name in file.hashes]
    fragment = f"#{known[0]}={file.hashes[known[0]]}" if known else ""
    attributes = {"href": file.url + fragment}
    if file.requires_python is not None:
        attributes["data-requires-python"] = file.requires_python
    if file.core_metadata is not None:
        attributes["data-core-metadata"] = attributes["data-dist-info-metadata"] = f"sha256={file.core_metadata}"
    if file.yanked is not False:
        attributes["data-yanked"] = "" if file.yanked is True else file.yanked
    text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{html.escape(file.filename)}</a>"


def parse_json(text: str | bytes, url: str) -> ProjectPage:
    """Return a project page from PEP 691 JSON; entries of a kind nobody knows are kept, broken ones are not.

    :param url: where the page was read from, for its relative addresses
    :raises InvalidSimplePage: not a project page of API version 1
    """
    try:
        body = json.loads(text)
        version = str(body["meta"]["api-version"])
        files = tuple(_file_from_json(entry, url) for entry in body["files"])
        page = ProjectPage(name=str(body["name"]), files=files, versions=tuple(map(str, body.get("versions", ()))))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidSimplePage("not a project page in JSON", where=url) from error
    if version.partition(".")[0] != "1":
        raise InvalidSimplePage(f"API version {version} is not understood", where=url)
    return page


def _file_from_json(entry: Mapping[str, Any], page_url: str) -> PageFile:
    metadata = entry.get("core-metadata", entry.get("dist-info-metadata"))
    sha256 = metadata.get("sha256") if isinstance(metadata, dict) else None
    url, fragment = urldefrag(urljoin(page_url, entry["url"]))
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
        private={name: value for name, value in entry.items() if name.startswith("_cpufit_")},
    )


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
    if reader.api_version.partition(".")[0] != "1":
        raise InvalidSimplePage(f"API version {reader.api_version} is not understood", where=url)
    segments = [part for part in urlsplit(url).path.split("/") if part]
    name = canonicalize_name(unquote(segments[-1])) if segments else ""
    return ProjectPage(name=name, files=tuple(reader.files))


class _LinkReader(HTMLParser):
    """Collects the anchors of a page."""

    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self.files: list[PageFile] = []
        self.api_version = "1.0"
        self._base = url

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # of an attribute that stands twice, the first counts, as in browsers and in pip
        found = dict(reversed([(name, value or "") for name, value in attrs]))
        if tag == "base" and "href" in found:
            self._base = urljoin(self._base, found["href"])
        elif tag == "meta" and found.get("name") == "pypi:repository-version":
            self.api_version = found.get("content", "")
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
            )
        )
