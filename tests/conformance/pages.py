"""Reading pages: leniently enough to find out what is wrong with one."""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from .index import Answer

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_END_MAY_BE_LEFT_OUT = frozenset(
    {"html", "head", "body", "p", "li", "dt", "dd", "option", "optgroup", "rb", "rt", "rtc", "rp"}
    | {"thead", "tbody", "tfoot", "tr", "td", "th", "colgroup"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One link of an HTML page."""

    href: str
    url: str
    """Absolute, without the fragment."""
    text: str
    attributes: dict[str, str | None]
    source: str
    """The start tag as it is written."""

    @property
    def fragment(self) -> str:
        """What stands behind the ``#`` of the address."""
        return urldefrag(self.href).fragment

    @property
    def hash(self) -> tuple[str, str]:
        """The hash's name and value in the fragment; empty where there is none."""
        name, equals, value = self.fragment.partition("=")
        return (name, value) if equals else ("", "")

    @property
    def filename(self) -> str:
        """The last component of the address's path."""
        return last_component(self.url)

    def raw_value(self, attribute: str) -> str | None:
        """Return an attribute's value as it is written, references unresolved; None where it is not there."""
        found = re.search(rf"""\s{attribute}\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""", self.source, re.IGNORECASE)
        return None if found is None else found[1].strip("\"'")


class HtmlPage(HTMLParser):
    """An HTML page: its links and meta tags, and what makes it no HTML5 as far as that shows without a validator."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: list[Anchor] = []
        self.metas: dict[str, list[str]] = {}
        self.problems: list[str] = []
        self._base = answer.url
        self._open: list[str] = []
        self._link: tuple[dict[str, str | None], str] | None = None
        self._text: list[str] = []
        if not re.match(r"\ufeff?\s*(<!--.*?-->\s*)*<!doctype\s+html\s*>", answer.text, re.IGNORECASE | re.DOTALL):
            self.problems.append("it does not begin with <!DOCTYPE html>")
        self.feed(answer.text)
        self.close()
        left = [tag for tag in self._open if tag not in _END_MAY_BE_LEFT_OUT]
        self.problems += [f"<{tag}> is never closed" for tag in left]

    @property
    def repository_version(self) -> str | None:
        """The content of the tag ``pypi:repository-version``."""
        return next(iter(self.metas.get("pypi:repository-version", [])), None)

    def anchor(self, filename: str) -> Anchor | None:
        """Return the first link to a file."""
        return next((one for one in self.anchors if one.filename == filename), None)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.problems.append(f"<{tag}> has an attribute twice")
        found = dict(attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "base" and found.get("href"):
            self._base = urljoin(self._base, found["href"] or "")
        elif tag == "meta" and found.get("name"):
            self.metas.setdefault(str(found["name"]), []).append(found.get("content") or "")
        elif tag == "a":
            if self._link is not None:
                self.problems.append("a link inside a link")
            self._link, self._text = (found, self.get_starttag_text() or ""), []

    def handle_data(self, data: str) -> None:
        """Note the text of a link."""
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an element."""
        if tag in _VOID:
            return
        if tag not in self._open:
            self.problems.append(f"</{tag}> closes nothing")
            return
        while self._open:
            inner = self._open.pop()
            if inner == tag:
                break
            if inner not in _END_MAY_BE_LEFT_OUT:
                self.problems.append(f"<{inner}> is not closed before </{tag}>")
        if tag == "a" and self._link is not None:
            attributes, source = self._link
            href = attributes.get("href") or ""
            self.anchors.append(
                Anchor(
                    href=href,
                    url=urldefrag(urljoin(self._base, href)).url,
                    text="".join(self._text).strip(),
                    attributes=attributes,
                    source=source,
                )
            )
            self._link = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One file as a page lists it."""

    filename: str
    url: str
    hashes: dict[str, str] = field(default_factory=dict)
    size: int | None = None
    entry: dict[str, Any] = field(default_factory=dict)
    """The whole entry of the JSON page; empty where it was read from HTML."""


def json_object(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of an answer.

    :raises AssertionError: it is not JSON, or no object
    """
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise AssertionError(f"{answer.media_type or 'an answer without a type'} is not JSON: {error}") from None
    assert isinstance(found, dict), f"JSON, but {type(found).__name__}, not an object"
    return found


def files_in_json(page: dict[str, Any], url: str) -> list[Listed]:
    """Return the files of a JSON page whose entries have a name and an address."""
    found = []
    for entry in page.get("files", []):
        if isinstance(entry, dict) and isinstance(entry.get("filename"), str) and isinstance(entry.get("url"), str):
            hashes = entry.get("hashes")
            size = entry.get("size")
            found.append(
                Listed(
                    filename=entry["filename"],
                    url=urldefrag(urljoin(url, entry["url"])).url,
                    hashes=hashes if isinstance(hashes, dict) else {},
                    size=size if isinstance(size, int) else None,
                    entry=entry,
                )
            )
    return found


def files_in_html(page: HtmlPage) -> list[Listed]:
    """Return the files of an HTML page."""
    return [
        Listed(filename=one.filename, url=one.url, hashes=dict([one.hash]) if one.hash[0] else {})
        for one in page.anchors
    ]


def last_component(url: str) -> str:
    """Return the last component of an address's path, as a file's name."""
    return unquote(urlsplit(url).path.rsplit("/", 1)[-1])


def unescaped(text: str) -> str:
    """Return an attribute's value with its references resolved."""
    return html.unescape(text)
