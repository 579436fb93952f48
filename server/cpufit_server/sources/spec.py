"""What can be imported, and how it is written.

Grammar::

spec     = release | folder | file | file-url | page-url
release  = NAME "==" VERSION            from the index
folder   = a path                       every wheel and sdist in it
file     = a path to a wheel or sdist
file-url = URL of a wheel or sdist "#" ALGORITHM "=" HEX
page-url = any other http(s) URL        every wheel and sdist that the page links to
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit
from urllib.request import url2pathname

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from .errors import UnreadableSpec, UrlWithoutHash

_RELEASE = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*==\s*([^\s=;,]+)")
_HASH = re.compile(r"([a-z0-9_]+)=([0-9a-fA-F]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRelease:
    """One version of one project, wherever the index has it."""

    name: NormalizedName
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Every wheel and sdist in a folder."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """One wheel or sdist on this machine."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedUrl:
    """One wheel or sdist elsewhere, and what its bytes must be."""

    url: str
    hashes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinksPage:
    """Every wheel and sdist that a page links to."""

    url: str


Spec = NamedRelease | Folder | LocalFile | HashedUrl | LinksPage


def parse_spec(text: str) -> Spec:
    """Return what somebody asks to import.

    :raises UnreadableSpec: it has none of the forms, or names a file that is not there
    :raises UrlWithoutHash: a URL of a wheel or sdist without its hash
    """
    if text.startswith(("http://", "https://")):
        return _parse_url(text)
    if text.startswith("file://"):
        return _parse_path(Path(url2pathname(urlsplit(text).path)), text)
    match = _RELEASE.fullmatch(text.strip())
    if match is not None:
        return _parse_release(match.group(1), match.group(2))
    return _parse_path(Path(text).expanduser(), text)


def url_filename(url: str) -> str:
    """Return the last part of a URL's path."""
    return unquote(urlsplit(url).path.rpartition("/")[2])


def is_package_file(filename: str) -> bool:
    """Tell by its ending whether a file is a wheel or an sdist."""
    return filename.endswith((".whl", ".tar.gz"))


def parse_hashes(fragment: str) -> tuple[tuple[str, str], ...]:
    """Return the hashes that a URL's fragment gives, those alone that this Python can check."""
    pairs = (_HASH.fullmatch(part) for part in fragment.split("&"))
    return tuple(
        (match.group(1), match.group(2).lower())
        for match in pairs
        if match is not None and match.group(1) in hashlib.algorithms_guaranteed
    )


def _parse_url(text: str) -> Spec:
    url, fragment = urldefrag(text)
    if not is_package_file(url_filename(url)):
        return LinksPage(url=url)
    hashes = parse_hashes(fragment)
    if not hashes:
        raise UrlWithoutHash(
            f"the URL of {url_filename(url)} does not say what its bytes are",
            hint="add the hash to the URL: …#sha256=HEX",
        )
    return HashedUrl(url=url, hashes=hashes)


def _parse_release(name: str, version: str) -> NamedRelease:
    try:
        return NamedRelease(name=canonicalize_name(name), version=Version(version))
    except InvalidVersion as error:
        raise UnreadableSpec(f"{version!r} is not a version", where=f"{name}=={version}") from error


def _parse_path(path: Path, text: str) -> Spec:
    if path.is_dir():
        return Folder(path=path.absolute())
    if not path.is_file():
        raise UnreadableSpec(
            f"{text!r} is neither a release nor a file that is there",
            hint="write NAME==VERSION, a folder, a wheel's path, a page of links, or a URL with #sha256=HEX",
        )
    if not is_package_file(path.name):
        raise UnreadableSpec(f"{path.name} is neither a wheel nor an sdist")
    return LocalFile(path=path.absolute())
