"""Opening a wheel: is this archive what its name says, can it be unpacked safely, and what is in it.

Specification: binary distribution format, sections "File contents" and "The .dist-info directory". Whatever fails is
refused with an error that names the rule. Memory stays constant: members are read in pieces, only the few small text
files of ``.dist-info`` are kept.
"""

from __future__ import annotations

import hashlib
import stat
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile, ZipInfo

from packaging.utils import canonicalize_name
from packaging.version import Version

from . import framing
from .archive_limits import DEFAULT_LIMITS, ArchiveLimits
from .entry_points import check_entry_points
from .errors import (
    DistInfoMismatch,
    NotAWheel,
    UnsafeMember,
    VariantMetadataMissing,
    WheelTooLarge,
)
from .filename import WheelFilename, parse_wheel_filename
from .metadata import MetadataFacts, check_identity, parse_metadata
from .native import PREFIX_LENGTH, NativeMember, native_kind
from .record import RecordRow, check_listing, check_member, expected_digest, parse_record
from .wheel_file import check_tags, read_wheel_file

_RATIO_COUNTS_FROM = 64 << 20
_SEPARATOR = "\0"
"""Sorts before every character that a name may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelInfo:
    """What was found in a wheel that passed every check."""

    filename: WheelFilename
    metadata: MetadataFacts
    metadata_bytes: bytes
    dist_info: str
    """The ``.dist-info`` folder as the wheel writes it, without a slash."""
    members: tuple[str, ...]
    """Every file, in the order of the zip's directory; no folders."""
    native: tuple[NativeMember, ...]
    """The members that hold machine code."""
    variant_json: bytes | None
    root_is_purelib: bool


MemberWatch = Callable[[str, Iterable[bytes]], Iterator[bytes]]
"""Passes on the bytes of a member, by its name, and refuses them where it does not like what it sees."""


def open_wheel(
    path: Path, filename: str, *, limits: ArchiveLimits = DEFAULT_LIMITS, watch: MemberWatch | None = None
) -> WheelInfo:
    """Check a wheel and return what is in it.

    Every member is read once, in pieces: its checksum, its hash in RECORD and its first bytes are looked at together.

    :param filename: the name under which it was offered; the path's own does not matter
    :param watch: sees every member's bytes
    :raises WheelError: one of its kinds, for the first rule that is broken
    """
    name = parse_wheel_filename(filename)
    with open_archive(path, filename, limits) as archive:
        _refuse_tar(archive.file, filename)
        return _read(archive, name, watch)


def _refuse_tar(file: BinaryIO, where: str) -> None:
    """Refuse a zip that is a tar too: a tool that goes by what is in a file could take it for either."""
    file.seek(0)
    with suppress(tarfile.HeaderError):
        tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
        raise NotAWheel("a tar file too", where=where, hint="a wheel is a zip and nothing else")


@dataclass(frozen=True, slots=True)
class CheckedArchive:
    """An open zip whose framing and member names were checked; the members' bytes were not."""

    file: BinaryIO
    files: Mapping[str, ZipInfo]
    """Every file by name, in the order of the zip's directory; no folders."""
    begins: Mapping[str, int]
    """Where each member's packed bytes begin."""
    limits: ArchiveLimits

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield one member's bytes, checked by :func:`.framing.unpacked`."""
        return framing.unpacked(self.file, self.files[name], self.begins[name])

    def text(self, name: str) -> bytes:
        """Return the bytes of one of the small files that are kept in memory.

        :raises WheelTooLarge: it is not small
        """
        info = self.files[name]
        most = self.limits.max_record_bytes if name.endswith("/RECORD") else self.limits.max_text_bytes
        if info.file_size > most:
            raise WheelTooLarge(f"{info.file_size} bytes", where=name, hint=f"at most {most}")
        return b"".join(self.pieces(name))


@contextmanager
def open_archive(path: Path, where: str, limits: ArchiveLimits = DEFAULT_LIMITS) -> Iterator[CheckedArchive]:
    """Open a zip, check its framing and its member names, and turn what :mod:`zipfile` raises into our errors.

    :param where: what errors call the file
    :raises WheelError: one of its kinds, also for what is raised while the members are read
    """
    try:
        with path.open("rb") as file:
            directory = framing.find_directory(
                file, max_members=limits.max_members, max_bytes=limits.max_directory_bytes
            )
            with ZipFile(file) as archive:
                infos = archive.infolist()
            begins = {info.filename: begin for info, begin in framing.data_ranges(file, infos, directory)}
            yield CheckedArchive(file, _checked_members(infos, limits), begins, limits)
    # zipfile raises NotImplementedError for a member that wants a newer zip than it knows
    except (BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeError) as error:
        raise NotAWheel(f"the zip cannot be read: {error}", where=where) from error


def _read(archive: CheckedArchive, name: WheelFilename, watch: MemberWatch | None) -> WheelInfo:
    files = archive.files
    dist_info = find_dist_info(files, name)
    metadata_bytes = archive.text(f"{dist_info}/METADATA")
    metadata = parse_metadata(metadata_bytes, where=f"{dist_info}/METADATA")
    check_identity(metadata, name.name, name.version, where=f"{dist_info}/METADATA")
    wheel = read_wheel_file(archive.text(f"{dist_info}/WHEEL"), f"{dist_info}/WHEEL")
    check_tags(wheel, name, f"{dist_info}/WHEEL")
    entry_points = f"{dist_info}/entry_points.txt"
    if entry_points in files:
        check_entry_points(archive.text(entry_points), entry_points)
    variant = f"{dist_info}/variant.json"
    if name.label is not None and variant not in files:
        raise VariantMetadataMissing(
            f"the name has the variant label {name.label!r}, and {variant} is missing",
        )
    record_name = f"{dist_info}/RECORD"
    rows = check_listing(parse_record(archive.text(record_name), where=record_name), files, record_name)
    return WheelInfo(
        filename=name,
        metadata=metadata,
        metadata_bytes=metadata_bytes,
        dist_info=dist_info,
        members=tuple(files),
        native=_verified_native(archive, rows, watch),
        variant_json=archive.text(variant) if variant in files else None,
        root_is_purelib=wheel.get("Root-Is-Purelib", "").strip().lower() == "true",
    )


def _checked_members(infos: Iterable[ZipInfo], limits: ArchiveLimits) -> dict[str, ZipInfo]:
    files: dict[str, ZipInfo] = {}
    places: dict[str, ZipInfo] = {}
    packed = unpacked = 0
    for info in infos:
        _check_entry(info)
        packed += info.compress_size
        unpacked += info.file_size
        place = _place(info.filename)
        other = places.setdefault(place, info)
        if other is not info and not (other.is_dir() and info.is_dir()):
            raise UnsafeMember(f"{info.filename!a} and {other.filename!a} are one file on some systems")
        if not info.is_dir():
            files[info.filename] = info
    _check_nesting(places)
    _check_size(packed, unpacked, limits)
    return files


def _check_nesting(places: Mapping[str, ZipInfo]) -> None:
    # what lies in a folder sorts directly behind the folder's own name
    above = None
    for place in sorted(places):
        if above is not None and place.startswith(above + _SEPARATOR):
            raise UnsafeMember(f"{places[above].filename!a} is a file and a folder")
        if not places[place].is_dir():
            above = place


def _check_entry(info: ZipInfo) -> None:
    where = ascii(info.orig_filename)
    check_member_name(info.orig_filename)
    if info.flag_bits & framing.FLAG_ENCRYPTED:
        raise NotAWheel("an encrypted member", where=where)
    if info.compress_type not in (framing.STORED, framing.DEFLATED):
        raise NotAWheel(f"compression method {info.compress_type}", where=where, hint="wheels use deflate, or none")
    if info.compress_type == framing.STORED and info.compress_size != info.file_size:
        raise NotAWheel("a stored member with two sizes", where=where)
    if not info.orig_filename.isascii() and not info.flag_bits & framing.FLAG_UTF8:
        raise UnsafeMember("a name in an unknown encoding", where=where)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a symbolic link" if kind == stat.S_IFLNK else "neither a file nor a folder"
        raise UnsafeMember(what, where=where, hint="a wheel holds plain files")
    if info.is_dir() and info.file_size:
        raise UnsafeMember("a folder with contents", where=where)


def check_member_name(name: str) -> None:
    r"""Check that an archive member's name stays inside the place it is unpacked to, on every system.

    :raises UnsafeMember: it is absolute, climbs (``..``), has a drive, a backslash or a control character, or is empty
    """
    parts = name.removesuffix("/").split("/")
    bad = (
        "\\" in name
        or any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name)
        or parts[0][1:2] == ":"
        or any(part in ("", ".", "..") for part in parts)
    )
    if bad:
        raise UnsafeMember("a name that could lead elsewhere", where=ascii(name))


def _place(name: str) -> str:
    # macOS and Windows do not tell case apart, macOS not the two ways to write an accent
    return unicodedata.normalize("NFC", name.removesuffix("/")).casefold().replace("/", _SEPARATOR)


def _check_size(packed: int, unpacked: int, limits: ArchiveLimits) -> None:
    if unpacked > limits.max_unpacked_bytes:
        raise WheelTooLarge(f"unpacks to {unpacked} bytes", hint=f"at most {limits.max_unpacked_bytes}")
    if unpacked > _RATIO_COUNTS_FROM and unpacked > packed * limits.max_ratio:
        raise WheelTooLarge(
            f"unpacks from {packed} to {unpacked} bytes", hint=f"at most {limits.max_ratio} bytes out of one"
        )


def find_dist_info(files: Iterable[str], name: WheelFilename) -> str:
    """Return the one ``.dist-info`` folder of a wheel, without a slash.

    :raises DistInfoMismatch: there is not exactly one, it is another project's, or it lacks a file
    """
    names = frozenset(files)
    tops = {file.partition("/")[0] for file in names}
    found = sorted(top for top in tops if top.casefold().endswith(".dist-info"))
    if len(found) != 1:
        raise DistInfoMismatch(
            f"{len(found)} .dist-info folders, not one" + (f": {', '.join(map(ascii, found))}" if found else "")
        )
    folder = found[0]
    if not is_folder_of(folder, ".dist-info", name):
        raise DistInfoMismatch(f"{folder!a} is not {name.dist_info}", where=ascii(folder))
    for needed in ("METADATA", "WHEEL", "RECORD"):
        if f"{folder}/{needed}" not in names:
            raise DistInfoMismatch(f"{folder}/{needed} is missing", where=folder)
    return folder


def is_folder_of(folder: str, suffix: str, name: WheelFilename) -> bool:
    """Tell whether a top folder is ``{name}-{version}{suffix}`` of this wheel, compared in their normal forms."""
    project, dash, version = folder.removesuffix(suffix).rpartition("-")
    if not dash or not folder.endswith(suffix):
        return False
    try:
        return canonicalize_name(project) == name.name and Version(version) == name.version
    except ValueError:  # InvalidVersion is one; another is raised for a number of more digits than Python reads
        return False


def _verified_native(
    archive: CheckedArchive, rows: Mapping[str, RecordRow], watch: MemberWatch | None
) -> tuple[NativeMember, ...]:
    native = []
    for name in archive.files:
        pieces = archive.pieces(name) if watch is None else watch(name, archive.pieces(name))
        kind = native_kind(_verified_prefix(pieces, rows.get(name)))
        if kind is not None:
            native.append(NativeMember(name, kind))
    return tuple(native)


def _verified_prefix(pieces: Iterable[bytes], row: RecordRow | None) -> bytes:
    """Read a member to its end, check it against its row in RECORD, and return its first bytes."""
    algorithm, expected = ("sha256", b"") if row is None else expected_digest(row)
    hasher = hashlib.new(algorithm)
    prefix, size = b"", 0
    for piece in pieces:
        if len(prefix) < PREFIX_LENGTH:
            prefix = (prefix + piece[:PREFIX_LENGTH])[:PREFIX_LENGTH]
        hasher.update(piece)
        size += len(piece)
    if row is not None:
        check_member(row, algorithm, expected, hasher.digest(), size)
    return prefix
