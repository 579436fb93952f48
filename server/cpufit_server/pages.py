"""Rendered pages: one project page for each view that differs, kept in memory as bytes.

A page is kept under the project's serial, so nothing has to be thrown away when something changes: what is old is not
asked for again and falls out. The one question to the catalog for each request is that serial. It is kept as it is
sent, compressed once for each coding that somebody takes.
"""

from __future__ import annotations

import gzip
import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import zstandard

from cpufit_wheelhouse.catalog import CatalogChanged
from cpufit_wheelhouse.demand import Unmet, unmet_in
from cpufit_wheelhouse.errors import NoSuchFile, NoSuchProject
from cpufit_wheelhouse.offers import relevant_features
from cpufit_wheelhouse.releases import version_of
from cpufit_wheelhouse.simple_page import IndexPage, ProjectPage, render_html, render_json

from .bounded_cache import BoundedCache
from .client import Asker, View
from .made_once import MadeOnce
from .negotiation import JSON_TYPE, Coding, Form
from .readers import EVERYBODY
from .variants import sidecars_of
from .views import Links, merged, plain_page, profile_page, quarantined_page

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from packaging.version import Version

    from cpufit_wheelhouse.catalog import ProjectSnapshot
    from cpufit_wheelhouse.simple_page import PageFile

    from .page_store import PageStore
    from .readers import Reader
    from .selectors import Selectors

COMPRESS_FROM = 1024
"""Pages below this many bytes are not worth compressing."""

_GZIP_LEVEL = 6
_QUICK_GZIP_LEVEL = 3
"""A tenth larger, in less than half the time."""
_ZSTD_LEVEL = 1
"""The fastest is the smallest too, up to level 19: what a page mostly holds is digests, which repeat nowhere and which
the higher levels search in vain. Its window is below the 8 MiB that clients have to take (RFC 9659, section 3)."""

_SNAPSHOTS = 32
_FRESH_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedPage:
    """A page as it goes over the wire."""

    media_type: str
    body: bytes
    digest: str
    """What the entity tag is made of: a digest of the page before it was compressed."""
    coding: Coding | None = None
    """How the body is compressed; None where it is not."""
    serial: int | None = None
    """The project's; None where the page is not of a project that is hosted here."""
    placeholder: bytes | None = None
    """Where the page lists a selector: the bytes to replace in each response by fresh random ones."""
    unmet: Unmet | None = None
    """Where the page is for a CPU that cannot have the newest release: which, and why."""
    relevant: frozenset[str] = frozenset()
    """The features that some file of the project asks for."""
    merges: bool = False
    """Whether the project lets the upstream's releases stand beside its own."""

    @property
    def weight(self) -> int:
        """Bytes of memory that the page takes, roughly."""
        return len(self.body)

    @property
    def etag(self) -> str:
        """The strong entity tag: of one coding alone, since its bytes are others (RFC 9110, section 8.8.3.3)."""
        return f'"{self.digest}"' if self.coding is None else f'"{self.digest}-{self.coding}"'

    def refreshed(self) -> RenderedPage:
        """Return the page with a fresh path segment for every selector on it."""
        if self.placeholder is None:
            return self
        return replace(self, body=self.body.replace(self.placeholder, self.fresh_word()), placeholder=None)

    @staticmethod
    def fresh_word() -> bytes:
        """Return a random path segment, always of the length of a placeholder."""
        return secrets.token_urlsafe(_FRESH_BYTES).encode()

    def encoded(self, coding: Coding | None, *, quick: bool = False) -> RenderedPage:
        """Return the page compressed; as it is where that is no gain, or where it is another one in each response.

        :param quick: it is not to be sent often
        """
        if coding is None or self.placeholder is not None or len(self.body) < COMPRESS_FROM:
            return self
        return replace(self, body=compress(self.body, coding, quick=quick), coding=coding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What another index lists of a project, to stand beside what is hosted of it."""

    files: tuple[PageFile, ...]
    key: Hashable
    """The same for the same files."""
    stale_since: float | None = None
    """Where that index fails: when this was true last, in seconds since the epoch."""


def render(page: ProjectPage | IndexPage, media_type: str, *, placeholder: str | None = None) -> RenderedPage:
    """Return a page as bytes of one content type."""
    text = render_json(page) if media_type == JSON_TYPE else render_html(page)
    return as_rendered(text, media_type, placeholder=placeholder)


def as_rendered(text: str, media_type: str, *, placeholder: str | None = None) -> RenderedPage:
    """Return a page's text as bytes of its content type."""
    # Half a surrogate pair, which JSON can smuggle in, has no UTF-8.
    body = text.encode("utf-8", errors="replace")
    fresh = placeholder is not None and placeholder.encode() in body
    return RenderedPage(
        media_type=media_type,
        body=body,
        digest=hashlib.sha256(media_type.encode() + b"\0" + body).hexdigest()[:32],
        placeholder=placeholder.encode() if placeholder is not None and fresh else None,
    )


def compress(body: bytes, coding: Coding, *, quick: bool = False) -> bytes:
    """Return a body in a content coding; the same bytes for the same body.

    :param quick: in less time, to more bytes
    """
    if coding == "zstd":
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(body)
    return gzip.compress(body, compresslevel=_QUICK_GZIP_LEVEL if quick else _GZIP_LEVEL, mtime=0)


class Pages:
    """The pages of the hosted projects; safe for many threads."""

    def __init__(
        self,
        home: PageStore,
        selectors: Selectors,
        *,
        entries: int,
        weight: int,
        import_only: bool = False,
        base_url: str = "",
    ) -> None:
        """Take the store, how much may be kept (pages, and bytes), and whether import-only fits are offered.

        :param base_url: the server's address, for what a page has to address in full
        """
        self._base_url = base_url
        self._import_only = import_only
        self._home = home
        self._selectors = selectors
        self._rendered = BoundedCache[RenderedPage](entries=entries, weight=weight, weigh=lambda page: page.weight)
        self._pages_made = MadeOnce[RenderedPage]()
        self._shelves_made = MadeOnce[_Shelf | None]()
        self._snapshots = BoundedCache["_Shelf"](entries=_SNAPSHOTS, weight=_SNAPSHOTS, weigh=lambda _: 1)

    @property
    def cache_figures(self) -> tuple[int, int]:
        """How many pages were found in memory, and how many had to be rendered."""
        return self._rendered.figures

    def project(
        self, name: str, asker: Asker, form: Form, root: str, beside: Beside | None = None
    ) -> RenderedPage | None:
        """Return a project's page, or None if the project is not hosted here.

        :param name: normalised
        :param root: the way from the page to the root of the server, such as ``../../``
        :param beside: what the upstream has of it, where the project merges
        """
        while True:
            serial = self._home.catalog.serial(name)
            if serial is None:
                return None
            try:
                return self._project(name, serial, asker, form, root, beside)
            except (CatalogChanged, NoSuchFile, NoSuchProject):
                # something was deleted while its page was made
                if self._home.catalog.serial(name) == serial:
                    raise

    def _project(
        self, name: str, serial: int, asker: Asker, form: Form, root: str, beside: Beside | None
    ) -> RenderedPage | None:
        shelf = self._shelf(name, serial)
        if shelf is None:
            return None
        profile = None if asker.profile is None else asker.profile.reduced_to(shelf.relevant)
        view: Hashable = asker.view if profile is None else (profile.arch, profile.features)
        if not shelf.merges:  # it was told to, when it was asked what stands beside
            beside = None
        key = (name, shelf.serial, view, form, root, None if beside is None else beside.key)
        reduced = Asker(view=asker.view, profile=profile)
        return self._once(key, lambda: self._render(shelf, reduced, form.media_type, root, beside).encoded(form.coding))

    def index(self, form: Form, reader: Reader = EVERYBODY) -> RenderedPage:
        """Return the page that lists the hosted projects, as far as somebody may read them.

        The names are read each time, since no serial tells that one came or went; they say whether a page is the same.
        """
        names = tuple(name for name in self._home.catalog.names() if reader.reads(name))
        key = ("index", hashlib.sha256("\n".join(names).encode()).digest(), form)
        return self._once(key, lambda: render(IndexPage(projects=names), form.media_type).encoded(form.coding))

    def _once(self, key: Hashable, make: Callable[[], RenderedPage]) -> RenderedPage:
        """Return a page out of memory, or make it: after a change everybody wants the new one at the same instant."""
        page = self._rendered.get(key, looks_again=True)
        return self._pages_made.get(key, lambda: self._kept(key, make)) if page is None else page

    def _kept(self, key: Hashable, make: Callable[[], RenderedPage]) -> RenderedPage:
        page = self._rendered.get(key)  # another may have ended with it just before
        if page is None:
            page = make()
            self._rendered.put(key, page)
        return page

    def _shelf(self, name: str, serial: int) -> _Shelf | None:
        shelf = self._snapshots.get(name)
        if shelf is not None and shelf.serial == serial:
            return shelf
        return self._shelves_made.get((name, serial), lambda: self._read(name, serial))

    def _read(self, name: str, serial: int) -> _Shelf | None:
        before = self._snapshots.get(name)
        if before is not None and before.serial == serial:  # another ended with it just before
            return before
        # of thousands of files one has come or gone: the others are not read again
        whole = self._home.catalog.snapshot(name, () if before is None else before.whole.files)
        if whole is None:
            return None
        snapshot = whole.shown()
        shelf = _Shelf(
            serial=snapshot.project.serial,
            whole=whole,
            snapshot=snapshot,
            relevant=relevant_features(snapshot.files),
        )
        self._snapshots.put(name, shelf)
        return shelf

    def _render(self, shelf: _Shelf, asker: Asker, media_type: str, root: str, beside: Beside | None) -> RenderedPage:
        rendered = self._render_view(shelf, asker, media_type, root, beside)
        return replace(rendered, serial=shelf.serial, merges=shelf.merges)

    def _render_view(
        self, shelf: _Shelf, asker: Asker, media_type: str, root: str, beside: Beside | None
    ) -> RenderedPage:
        snapshot = shelf.snapshot
        if snapshot.project.status == "quarantined":
            return render(quarantined_page(snapshot), media_type)
        placeholder = RenderedPage.fresh_word().decode()
        links = Links(root=root, fresh=placeholder, base_url=self._base_url)
        if asker.profile is not None:
            unmet = unmet_in(snapshot, asker.profile, import_only=self._import_only)
            page = profile_page(snapshot, links, asker.profile, import_only=self._import_only)
            if unmet is not None:
                page = replace(page, private={"_cpufit_unmet": unmet.as_dict()}, note=unmet.sentence)
            page = _merged(page, shelf, beside)
            rendered = render(page, media_type, placeholder=placeholder)
            return replace(rendered, unmet=unmet, relevant=shelf.relevant)
        sidecars = sidecars_of(self._home, snapshot) if asker.view is View.VARIANT else ()
        page = _merged(plain_page(snapshot, links, self._selectors.of(snapshot), sidecars), shelf, beside)
        return render(page, media_type, placeholder=placeholder)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    serial: int
    whole: ProjectSnapshot
    snapshot: ProjectSnapshot
    """What is shown of it."""
    relevant: frozenset[str]

    @property
    def versions(self) -> frozenset[Version]:
        """Of every hosted release, those too of which nothing is shown."""
        return frozenset(version_of(file.version) for file in self.whole.files)

    @property
    def merges(self) -> bool:
        return self.snapshot.project.upstream == "merge"


def _merged(page: ProjectPage, shelf: _Shelf, beside: Beside | None) -> ProjectPage:
    """Return a page with the upstream's files of the versions that are not hosted here."""
    return page if beside is None else merged(page, beside.files, shelf.versions)
