"""Project pages of another index as they came, with their validators (RFC 9111, section 4.3).

A file holds a line of JSON and the compressed body. A power cut may tear one; its digest tells, and then there is none.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from .folder import QuotaFolder

_FORMAT = 1
_FIELDS = ("url", "content_type", "etag", "last_modified", "validated_at", "lifetime", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """A page as the other index sent it."""

    url: str
    """Where it was in the end, for its relative addresses; without a user name and a password."""
    content_type: str
    etag: str | None
    last_modified: str | None
    validated_at: float
    """When the other index last said that it is this, in seconds since the epoch."""
    lifetime: float
    """Seconds from then in which nobody needs to ask again."""
    version: str
    """The SHA-256 of the body."""
    packed: bytes
    """The body, compressed."""

    @property
    def body(self) -> bytes:
        """The page's bytes."""
        return zlib.decompress(self.packed)

    def is_fresh(self, now: float) -> bool:
        """Tell whether it may be used without asking; a clock that was set back makes nothing fresh."""
        return 0 <= now - self.validated_at < self.lifetime


def version_of(body: bytes) -> str:
    """Return a body's version."""
    return hashlib.sha256(body).hexdigest()


def pack(body: bytes) -> tuple[str, bytes]:
    """Return a body's version and its compressed form."""
    return version_of(body), zlib.compress(body, 1)


@final
class PageCache:
    """The pages of one index on disk; safe for many threads.

    :param index: the index's address, without user name and password: another index has other pages
    :param quota: bytes
    """

    def __init__(self, root: Path, index: str, quota: int) -> None:
        self._folder = QuotaFolder(root, quota)
        self._folder.sweep()
        self._index = index

    def get(self, name: str) -> StoredPage | None:
        """Return a project's page, which counts as a use; None where there is none, or none that is whole."""
        key = self._key(name)
        try:
            head, _, packed = self._folder.path(key).read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        page = _read(head, packed)
        if page is not None:
            self._folder.touch(key)
        return page

    def put(self, name: str, page: StoredPage) -> None:
        """Keep a page in place of the one before."""
        head = {name: getattr(page, name) for name in _FIELDS}
        head |= {"format": _FORMAT, "packed_sha256": hashlib.sha256(page.packed).hexdigest()}
        staged = self._folder.staging_path()
        try:
            staged.write_bytes(json.dumps(head).encode() + b"\n" + page.packed)
            self._folder.take_in(staged, self._key(name))
        finally:
            staged.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Forget a page."""
        self._folder.remove(self._key(name))

    def _key(self, name: str) -> str:
        return hashlib.sha256(f"{self._index}\n{name}".encode()).hexdigest()


def _read(head: bytes, packed: bytes) -> StoredPage | None:
    try:
        told: dict[str, Any] = json.loads(head)
        if told["format"] != _FORMAT or told["packed_sha256"] != hashlib.sha256(packed).hexdigest():
            return None
        return StoredPage(**{name: told[name] for name in _FIELDS}, packed=packed)
    except (ValueError, KeyError, TypeError):
        return None
