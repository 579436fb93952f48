"""Packing a selector: values in, the bytes of a source distribution out, always the same bytes for the same values.

The form is PEP 517's in-tree build backend: ``requires = []`` and ``backend-path``, so that an installer fetches
nothing but this file to run it.
"""

from __future__ import annotations

import json
import tarfile
from functools import lru_cache
from importlib import metadata

from packaging.utils import canonicalize_name
from packaging.version import Version

from .contents import SelectorContents
from .deflate import GzipPieces, compressed_piece
from .pkg_info import pkg_info
from .vendoring import TOP, travelling_files

FORMAT = 1
"""The version of ``candidates.json``; it travels with the backend that reads it, so no other reader exists."""

_PYPROJECT = f"""\
# A selector of cpufit: it holds no source. Its backend finds out what this CPU can run and fetches the best wheel.
[build-system]
requires = []
build-backend = "{TOP}.backend"
backend-path = ["."]
"""


def selector_filename(project: str, version: str) -> str:
    """Return the file name of a release's selector (PEP 625): ``my_project-1.0.tar.gz``."""
    return f"{_stem(project, version)}.tar.gz"


def pack(contents: SelectorContents) -> bytes:
    """Return the selector of one release.

    The bytes depend on the contents, on this version of cpufit and on the installed ``packaging``, on nothing else.

    :raises InvalidSelector: the contents make no selector (see :meth:`SelectorContents.check`)
    """
    contents.check()
    own = {
        "PKG-INFO": pkg_info(contents.metadata, contents.project, str(Version(contents.version))),
        "pyproject.toml": _PYPROJECT.encode(),
        "candidates.json": _candidates_json(contents),
    }
    travelling = _compressed_travellers()
    top = _stem(contents.project, contents.version)
    archive, length = GzipPieces(), 0
    for path in sorted((*own, *travelling)):
        data, piece = travelling[path] if path in travelling else (own[path], None)
        header = _header(f"{top}/{path}", len(data))
        padded = _padded(data)
        archive.add(header)
        if piece is None:
            archive.add(padded)
        else:
            archive.add_compressed(padded, piece)
        length += len(header) + len(padded)
    # two empty blocks end an archive, and it is filled up to whole records (POSIX.1, pax)
    archive.add(bytes(2 * tarfile.BLOCKSIZE + -(length + 2 * tarfile.BLOCKSIZE) % tarfile.RECORDSIZE))
    return archive.finish()


@lru_cache(maxsize=1)
def _compressed_travellers() -> dict[str, tuple[bytes, bytes]]:
    """Return content and compressed form of what is the same in all selectors: nine tenths of each of them."""
    return {path: (data, compressed_piece(_padded(data))) for path, data in travelling_files()}


def _header(path: str, size: int) -> bytes:
    # a fresh TarInfo has mtime 0, owner 0:0 and mode 0644
    member = tarfile.TarInfo(path)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % tarfile.BLOCKSIZE)


def _stem(project: str, version: str) -> str:
    return f"{canonicalize_name(project).replace('-', '_')}-{Version(version)}"


def _candidates_json(contents: SelectorContents) -> bytes:
    document = {
        "format": FORMAT,
        "cpufit": metadata.version("cpufit"),
        "project": contents.project,
        "version": str(Version(contents.version)),
        "api_url": contents.api_url.rstrip("/"),
        "allow_unknown": contents.allow_unknown,
        "wanted": contents.wanted,
        "candidates": [
            candidate.as_dict()
            for candidate in sorted(contents.candidates, key=lambda each: (each.filename, each.sha256))
        ],
        "source": None if contents.source is None else contents.source.as_dict(),
    }
    return (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
