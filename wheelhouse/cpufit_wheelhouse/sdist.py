"""Opening a source distribution: one folder, safe members, PKG-INFO that matches the file name.

Specification: "Source distribution format", sections "Source distribution file format" and "Source distribution
archive features". The archive is read once from front to back; memory stays constant but for the names of its files.

One gzip stream holds one tar and nothing else: of two streams in a row some tools read the first alone, of what
stands behind the tar's end most read nothing, and a zip in it is what :mod:`zipfile` would find.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .archive import MemberWatch, check_member_name
from .archive_limits import DEFAULT_LIMITS, ArchiveLimits
from .errors import InvalidMetadata, NotAWheel, UnsafeMember, WheelTooLarge
from .filename import SdistFilename, parse_sdist_filename
from .metadata import MetadataFacts, check_identity, parse_metadata
from .storage_failures import storage_failure

_CHUNK = 1 << 18
_LARGEST_READ = 16 << 20
_RATIO_COUNTS_FROM = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SdistInfo:
    """What was found in a source distribution that passed every check."""

    filename: SdistFilename
    metadata: MetadataFacts
    metadata_bytes: bytes
    """PKG-INFO."""
    members: frozenset[str]
    """Every file, by its name below the top folder."""


def open_sdist(
    path: Path, filename: str, *, limits: ArchiveLimits = DEFAULT_LIMITS, watch: MemberWatch | None = None
) -> SdistInfo:
    """Check a source distribution and return what is in it.

    :param filename: the name under which it was offered; the path's own does not matter
    :param watch: sees every file's bytes, but those of PKG-INFO
    :raises WheelError: one of its kinds, for the first rule that is broken
    """
    name = parse_sdist_filename(filename)
    try:
        if _is_zip(path):
            raise NotAWheel("a zip file too", where=filename, hint="a source distribution is a tar.gz and nothing else")
        with path.open("rb") as packed:
            most = limits.max_unpacked_bytes
            ratio_limit = max(_RATIO_COUNTS_FROM, path.stat().st_size * limits.max_ratio)
            stream = _OneStream(packed, min(most, ratio_limit))
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                metadata_bytes, members = _read(archive, limits, watch)
            stream.end()
    except (tarfile.TarError, OSError, EOFError, zlib.error, UnicodeError, ValueError) as error:
        if storage_failure(error) is not None:  # the disk could not be read, which is no fault of the file
            raise
        raise NotAWheel(f"the tar.gz cannot be read: {error}", where=filename) from error
    metadata = parse_metadata(metadata_bytes, where="PKG-INFO")
    check_identity(metadata, name.name, name.version, where="PKG-INFO")
    return SdistInfo(filename=name, metadata=metadata, metadata_bytes=metadata_bytes, members=members)


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # one of several parts, for the Pythons that say so
        return True


class _OneStream(io.BytesIO):
    """The unpacked bytes of one gzip stream, read forward, never more than a limit, and never many at once.

    :mod:`tarfile` reads a member's extended header whole, at whatever length it claims. (The base class is there for
    the type that tarfile asks for; its own buffer stays empty.)
    """

    def __init__(self, packed: BinaryIO, most: int) -> None:
        super().__init__()
        self._packed = packed
        self._most = most
        self._inflater = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._waiting = b""
        self._position = 0

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET or offset < self._position:
            raise tarfile.ReadError("the tar points backwards")
        self._check(offset)
        while self._position < offset and self._some(min(offset - self._position, _CHUNK)):
            pass
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _LARGEST_READ:
            raise WheelTooLarge(f"a header of {size} bytes", hint=f"at most {_LARGEST_READ}")
        pieces = []
        while size and (piece := self._some(size)):
            size -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def end(self) -> None:
        """Read what is left: nothing but zeros, and nothing behind the stream.

        :raises NotAWheel: something else stands there
        """
        while piece := self._some(_CHUNK):
            if piece.strip(b"\0"):
                raise NotAWheel("something stands behind the end of the tar")
        if not self._inflater.eof:
            raise NotAWheel("the gzip stream is cut off")
        if self._inflater.unused_data or self._packed.read(1):
            raise NotAWheel("something stands behind the end of the gzip stream")

    def _some(self, most: int) -> bytes:
        """Return up to so many of the next bytes; none at the stream's end."""
        piece = b""
        while not piece and not self._inflater.eof:
            packed = self._waiting or self._packed.read(_CHUNK)
            piece = self._inflater.decompress(packed, most)
            self._waiting = self._inflater.unconsumed_tail
            if not packed and not piece:
                break
        self._position += len(piece)
        self._check(self._position)
        return piece

    def _check(self, position: int) -> None:
        if position > self._most:
            raise WheelTooLarge(f"unpacks to more than {self._most} bytes")


def _read(archive: tarfile.TarFile, limits: ArchiveLimits, watch: MemberWatch | None) -> tuple[bytes, frozenset[str]]:
    """Check every member; return PKG-INFO and the names of the files."""
    top: str | None = None
    metadata: bytes | None = None
    links: set[str] = set()
    files: set[str] = set()
    for count, member in enumerate(archive, start=1):
        if count > limits.max_members:
            raise WheelTooLarge(f"more than {limits.max_members} members")
        _check_member(member, links)
        if member.name == ".":
            continue
        first, _, rest = _relative(member.name).partition("/")
        if first != (top or first):
            raise NotAWheel(f"two folders at the top, {first!a} and {top!a}", hint="an sdist has one: {name}-{version}")
        if not rest and not member.isdir():
            raise NotAWheel(f"{first!a} stands beside the top folder")
        top = first
        if not member.isdir():
            files.add(rest)
        if rest == "PKG-INFO":
            if metadata is not None:
                raise UnsafeMember("PKG-INFO stands twice", where=ascii(member.name))
            metadata = _read_metadata(archive, member, limits)
        else:
            _show(archive, member, watch)
    if metadata is None:
        raise InvalidMetadata("PKG-INFO is missing in the top folder")
    return metadata, frozenset(files)


def _show(archive: tarfile.TarFile, member: tarfile.TarInfo, watch: MemberWatch | None) -> None:
    """Read a file to its end, where somebody wants to see it."""
    if watch is not None and member.isfile():
        deque(watch(member.name, _pieces(archive, member)), maxlen=0)


def _pieces(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    reader = archive.extractfile(member)
    while reader is not None and (piece := reader.read(_CHUNK)):
        yield piece


def _relative(name: str) -> str:
    # GNU tar writes ./name when it is given "."
    return name.removeprefix("./")


def _check_member(member: tarfile.TarInfo, links: set[str]) -> None:
    """Check one member; ``links`` are those before it, and takes it up if it is one."""
    name, where = _relative(member.name), ascii(member.name)
    if member.name != ".":
        check_member_name(name)
    if any(name.startswith(f"{link}/") for link in links):
        raise UnsafeMember("a member below a link", where=where)
    if member.issparse():
        raise UnsafeMember("a sparse file", where=where)
    if member.issym() or member.islnk():
        _check_link(member)
        links.add(name)
    elif not (member.isfile() or member.isdir()):
        raise UnsafeMember("neither a file nor a folder nor a link", where=where)


def _check_link(member: tarfile.TarInfo) -> None:
    # a symbolic link starts at its own folder, a hard link at the archive's top
    start = posixpath.dirname(_relative(member.name)) if member.issym() else ""
    target = posixpath.normpath(posixpath.join(start, member.linkname))
    top = _relative(member.name).partition("/")[0]
    # ".." behind a name may lead out after all, where that name is a link itself
    climbs_late = ".." in member.linkname.lstrip("./").split("/")
    if "\\" in member.linkname or climbs_late or not (target == top or target.startswith(f"{top}/")):
        raise UnsafeMember(f"a link that leads out, to {member.linkname!a}", where=ascii(member.name))


def _read_metadata(archive: tarfile.TarFile, member: tarfile.TarInfo, limits: ArchiveLimits) -> bytes:
    if not member.isfile():
        raise InvalidMetadata("PKG-INFO is not a plain file")
    if member.size > limits.max_text_bytes:
        raise WheelTooLarge(f"{member.size} bytes", where=member.name, hint=f"at most {limits.max_text_bytes}")
    reader = archive.extractfile(member)
    return b"" if reader is None else reader.read()
