"""Opening a source distribution: one folder, safe members, PKG-INFO that matches the file name.

Specification: "Source distribution format", sections "Source distribution file format" and "Source distribution
archive features". The archive is read once from front to back; memory stays constant.
"""

from __future__ import annotations

import gzip
import io
import posixpath
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from .archive import DEFAULT_LIMITS, ArchiveLimits, check_member_name
from .errors import InvalidMetadata, NotAWheel, UnsafeMember, WheelTooLarge
from .filename import SdistFilename, parse_sdist_filename
from .metadata import MetadataFacts, check_identity, parse_metadata

_LARGEST_READ = 16 << 20
_RATIO_COUNTS_FROM = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SdistInfo:
    """What was found in a source distribution that passed every check."""

    filename: SdistFilename
    metadata: MetadataFacts
    metadata_bytes: bytes
    """PKG-INFO."""


def open_sdist(path: Path, filename: str, *, limits: ArchiveLimits = DEFAULT_LIMITS) -> SdistInfo:
    """Check a source distribution and return what is in it.

    :param filename: the name under which it was offered; the path's own does not matter
    :raises WheelError: one of its kinds, for the first rule that is broken
    """
    name = parse_sdist_filename(filename)
    try:
        with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
            most = limits.max_unpacked_bytes
            ratio_limit = max(_RATIO_COUNTS_FROM, path.stat().st_size * limits.max_ratio)
            bounded = _BoundedStream(unpacked, min(most, ratio_limit))
            with tarfile.open(fileobj=bounded, mode="r:") as archive:
                metadata_bytes = _read(archive, limits)
    except (tarfile.TarError, OSError, EOFError, zlib.error, UnicodeError, ValueError) as error:
        raise NotAWheel(f"the tar.gz cannot be read: {error}", where=filename) from error
    metadata = parse_metadata(metadata_bytes, where="PKG-INFO")
    check_identity(metadata, name.name, name.version, where="PKG-INFO")
    return SdistInfo(filename=name, metadata=metadata, metadata_bytes=metadata_bytes)


class _BoundedStream(io.BytesIO):
    """The unpacked bytes of a gzip file, never more than a limit, and never many at once.

    :mod:`tarfile` reads a member's extended header whole, at whatever length it claims. (The base class is there for
    the type that tarfile asks for; its own buffer stays empty.)
    """

    def __init__(self, unpacked: gzip.GzipFile, most: int) -> None:
        super().__init__()
        self._unpacked = unpacked
        self._most = most

    def tell(self) -> int:
        return self._unpacked.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_SET:
            self._check(offset)
        return self._unpacked.seek(offset, whence)

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or not 0 <= size <= _LARGEST_READ:
            raise WheelTooLarge(f"a header of {size} bytes", hint=f"at most {_LARGEST_READ}")
        data = self._unpacked.read(size)
        self._check(self._unpacked.tell())
        return data

    def _check(self, position: int) -> None:
        if position > self._most:
            raise WheelTooLarge(f"unpacks to more than {self._most} bytes")


def _read(archive: tarfile.TarFile, limits: ArchiveLimits) -> bytes:
    top: str | None = None
    metadata: bytes | None = None
    links: set[str] = set()
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
        if rest == "PKG-INFO":
            metadata = _read_metadata(archive, member, limits)
    if metadata is None:
        raise InvalidMetadata("PKG-INFO is missing in the top folder")
    return metadata


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
