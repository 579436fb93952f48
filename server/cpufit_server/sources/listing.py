"""What a source has: the files behind a release, a folder, a file, a page of links or a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from packaging.utils import NormalizedName

from cpufit_wheelhouse.errors import InvalidSimplePage
from cpufit_wheelhouse.simple_page import PageFile, ProjectPage
from cpufit_wheelhouse.simple_page_reading import parse_html, parse_json

from .choosing import Interpreter, SourceFile, Wishes, choose, narrow
from .errors import NothingMatches, PageUnreadable
from .fetcher import FetchedPage, Fetcher, without_login
from .spec import Folder, HashedUrl, LocalFile, NamedRelease, Spec, is_package_file, url_filename

Origin = Callable[[NormalizedName], Iterable[SourceFile]]
"""Where releases come from: the files that it has of one project."""


def index_origin(index_url: str, fetcher: Fetcher) -> Origin:
    """Return an index as the origin of releases.

    :param index_url: its root, as ``--index-url`` takes it
    """

    def files(name: NormalizedName) -> tuple[SourceFile, ...]:
        return _page_files(fetcher.page(f"{index_url.rstrip('/')}/{quote(name)}/"))

    return files


def folder_origin(folder: Path) -> Origin:
    """Return a folder of wheels and sdists as the origin of releases."""

    def files(name: NormalizedName) -> tuple[SourceFile, ...]:
        return tuple(file for file in _folder_files(folder) if file.release is not None and file.release[0] == name)

    return files


def list_files(
    spec: Spec, *, origin: Origin, fetcher: Fetcher, wishes: Wishes, interpreter: Interpreter
) -> tuple[SourceFile, ...]:
    """Return the files that are taken for what somebody asks, in the order of their names.

    :param origin: where releases come from
    :raises SourceError: there is none, or a page cannot be read
    """
    if isinstance(spec, NamedRelease):
        files = choose(origin(spec.name), spec.name, spec.version, wishes, interpreter)
    elif isinstance(spec, LocalFile):
        files = (_local_file(spec.path),)
    elif isinstance(spec, HashedUrl):
        files = (SourceFile(filename=url_filename(spec.url), url=spec.url, hashes=spec.hashes),)
    elif isinstance(spec, Folder):
        files = _some(narrow(_folder_files(spec.path), wishes), str(spec.path))
    else:
        files = _some(narrow(_page_files(fetcher.page(spec.url)), wishes), without_login(spec.url))
    return tuple(sorted(files, key=lambda file: file.filename))


def _some(files: tuple[SourceFile, ...], where: str) -> tuple[SourceFile, ...]:
    if not files:
        raise NothingMatches(f"there is no wheel or sdist as asked for in {where}")
    return files


def _folder_files(folder: Path) -> tuple[SourceFile, ...]:
    return tuple(_local_file(path) for path in folder.iterdir() if path.is_file() and is_package_file(path.name))


def _local_file(path: Path) -> SourceFile:
    return SourceFile(filename=path.name, url=path.as_uri(), size=path.stat().st_size)


def _page_files(page: FetchedPage) -> tuple[SourceFile, ...]:
    parse = parse_json if page.content_type.partition(";")[0].strip().endswith("+json") else parse_html
    try:
        parsed: ProjectPage = parse(page.text, page.url)
    except InvalidSimplePage as error:
        raise PageUnreadable(error.message, where=error.where, hint=error.hint) from error
    return tuple(_source_file(file) for file in parsed.files if is_package_file(file.filename))


def _source_file(file: PageFile) -> SourceFile:
    return SourceFile(
        filename=file.filename,
        url=file.url,
        hashes=tuple(sorted(file.hashes.items())),
        size=file.size,
        requires_python=file.requires_python,
    )
