"""One model of an index's pages, and how it is written as HTML and as JSON; :mod:`.simple_page_reading` reads.

Specification: "Simple repository API" (PEP 503 HTML, PEP 691 JSON, PEP 592 yanked, PEP 658 and 714 metadata files,
PEP 629 and 700 versions, PEP 740 provenance, PEP 792 status), API version 1.4. What 1.2 brought (PEP 708) was rejected
in the end, and 1.5 (PEP 752) is told by indexes that grant namespaces alone.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from packaging.utils import canonicalize_name

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

_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_text = json.encoder.encode_basestring
_YANKED = {False: ',"yanked":false', True: ',"yanked":true', "": ',"yanked":true'}
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

    def passed_on(self, url: str, core_metadata: str | None, private: Mapping[str, Any]) -> PageFile:
        """Return the file as another index lists it; a third of what :func:`dataclasses.replace` takes."""
        return PageFile(
            filename=self.filename,
            url=url,
            hashes=self.hashes,
            requires_python=self.requires_python,
            core_metadata=core_metadata,
            size=self.size,
            upload_time=self.upload_time,
            yanked=self.yanked,
            provenance=self.provenance,
            private=private,
        )


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


def render_json(page: ProjectPage | IndexPage, entries: Iterable[str] | None = None) -> str:
    """Return a page as PEP 691 JSON.

    :param entries: the files of a project's page as :func:`render_entry` gives them, where somebody kept them
    """
    if isinstance(page, IndexPage):
        projects = [{"name": name} for name in page.projects]
        return _JSON.encode({"meta": {"api-version": API_VERSION}, "projects": projects})
    version = _kept_version(page)
    head = {
        "meta": {"api-version": version},
        # PEP 691, "Project Detail": the name is the normal one.
        "name": canonicalize_name(page.name),
        **({} if version == "1.0" else {"versions": list(page.versions or ())}),
        **_status_as_json(page),
    }
    files = ",".join(map(render_entry, page.files) if entries is None else entries)
    private = f",{_JSON.encode(page.private)[1:-1]}" if page.private else ""
    return f'{_JSON.encode(head)[:-1]},"files":[{files}]{private}}}'


def render_entry(file: PageFile) -> str:
    """Return one file of a project's page as it stands on its JSON page.

    Written member by member: a page may have ten thousand files, and a dictionary of each costs twice as much.
    """
    hashes = ",".join([f"{_text(name)}:{_text(value)}" for name, value in file.hashes.items()])
    told = f'{{"filename":{_text(file.filename)},"url":{_text(file.url)},"hashes":{{{hashes}}}'
    if file.requires_python is not None:
        told += f',"requires-python":{_text(file.requires_python)}'
    if file.size is not None:
        told += f',"size":{file.size}'
    if file.upload_time is not None:
        # PEP 700, "Additional file information": UTC with "Z", and at most six digits of a second.
        moment = file.upload_time
        moment = moment if moment.tzinfo is timezone.utc else moment.astimezone(timezone.utc)
        told += f',"upload-time":"{moment.isoformat(timespec="microseconds")[:-6]}Z"'
    if file.core_metadata is not None:
        # PEP 658 and 714: the hashes of the file that is served at the file's address with ".metadata" behind it.
        # The older name of PEP 691, "dist-info-metadata", kills pip 22.3 to 23.1 when hashes stand there (PEP 714); who
        # looks for an old name at all takes this one, which PyPI has as well.
        metadata = f'{{"sha256":{_text(file.core_metadata)}}}'
        told += f',"core-metadata":{metadata},"data-dist-info-metadata":{metadata}'
    # PEP 691, "Project Detail": a boolean, or a reason that is not empty.
    told += f',"yanked":{_text(file.yanked)}' if isinstance(file.yanked, str) and file.yanked else _YANKED[file.yanked]
    if file.provenance is not None:
        told += f',"provenance":{_text(file.provenance)}'
    return f"{told},{_JSON.encode(file.private)[1:-1]}}}" if file.private else f"{told}}}"


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


def render_html(page: ProjectPage | IndexPage) -> str:
    """Return a page as PEP 503 HTML, in the form that PEP 833 froze; sizes, times and versions are JSON's alone."""
    if isinstance(page, IndexPage):
        title, note, marks = "Simple index", "", {}
        # PEP 503: the text is the project's name, the address that of its page, below the index's own.
        anchors = [f'<a href="{_escaped(canonicalize_name(name))}/">{_escaped(name)}</a>' for name in page.projects]
    else:
        title, note, marks = f"Links for {canonicalize_name(page.name)}", page.note, _marks(page)
        anchors = [_anchor(file) for file in page.files]
    version = HTML_API_VERSION if isinstance(page, IndexPage) else min(page.api_version, HTML_API_VERSION, key=minor_of)
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


def minor_of(version: str) -> int:
    """Return the minor number of a version of the API."""
    return int(version.partition(".")[2])


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
