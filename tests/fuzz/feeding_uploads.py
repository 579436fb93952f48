"""What the fuzzers and the property tests of uploads feed, and what must hold whatever they feed.

Archives: what :mod:`cpufit_wheelhouse` lets pass, :mod:`zipfile` (which reads the directory) and a reader of the stream
(which goes from header to header, as installers do that unpack while they download) see alike. Forms: the same body in
other pieces is the same form.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from cpufit_resolver.errors import CpufitError
from cpufit_server.multipart import FormLimits, FormReader
from cpufit_server.upload_form import FIELDS, REPEATED_FIELDS
from cpufit_wheelhouse.archive import open_archive, open_wheel
from cpufit_wheelhouse.archive_limits import ArchiveLimits
from cpufit_wheelhouse.sdist import open_sdist

WHEEL = "fed-1.0-py3-none-any.whl"
SDIST = "fed-1.0.tar.gz"
BOUNDARY = b"b"
LIMITS = ArchiveLimits(max_unpacked_bytes=1 << 24, max_ratio=2000)
FORM_LIMITS = FormLimits(file_bytes=1 << 16, field_bytes=1 << 12, form_bytes=1 << 14, fields=64)

_SCRATCH = tempfile.TemporaryDirectory(prefix="cpufit-fed-")
Contents = dict[str, bytes]


def feed_zip(data: bytes) -> str:
    """Read a zip, and the wheel that it may be; tell ``refused``, ``passed`` (as an archive) or ``wheel``."""
    path = Path(_SCRATCH.name) / "fed.whl"
    path.write_bytes(data)
    try:
        with open_archive(path, "fed", LIMITS) as archive:
            ours = {name: b"".join(archive.pieces(name)) for name in archive.files}
    except CpufitError:
        assert _refused(path), "an archive that is refused is no wheel"
        return "refused"
    assert ours == by_directory(path), "zipfile sees other members"
    assert ours == by_stream(data), "a reader of the stream sees other members"
    return "passed" if _refused(path) else "wheel"


def _refused(path: Path) -> bool:
    try:
        open_wheel(path, WHEEL, limits=LIMITS)
    except CpufitError:
        return True
    return False


def by_directory(path: Path) -> Contents:
    """Return the files of a zip as :mod:`zipfile` finds them."""
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        assert len({info.filename for info in infos}) == len(infos)
        return {info.filename: archive.read(info) for info in infos}


def by_stream(data: bytes) -> Contents:
    """Return the files of a zip as somebody finds them who reads it once, from the front, and no directory."""
    found: Contents = {}
    at = 0
    while data[at : at + 4] == b"PK\x03\x04":
        _, _, flags, method, _, _, _, packed, _, name_size, extra_size = struct.unpack_from("<4s5H3L2H", data, at)
        name = data[at + 30 : at + 30 + name_size]
        extra = data[at + 30 + name_size : at + 30 + name_size + extra_size]
        at += 30 + name_size + extra_size
        if packed == 0xFFFFFFFF:
            packed = _zip64_packed(extra)
        if method == 8:
            inflater = zlib.decompressobj(-15)
            content = inflater.decompress(data[at:]) + inflater.flush()
            end = len(data) - len(inflater.unused_data)
            assert flags & 8 or end == at + packed
            at = end
        else:
            assert not flags & 8
            content = data[at : at + packed]
            at += packed
        if flags & 8:
            at += _descriptor_size(data, at, content)
        text = name.decode("utf-8")
        assert text not in found
        if not text.endswith("/"):
            found[text] = content
    assert data[at : at + 4] in (b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06")
    return found


def _zip64_packed(extra: bytes) -> int:
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            return int(struct.unpack_from("<2Q", extra, at + 4)[1])
        at += 4 + size
    raise AssertionError("no zip64 field")


def _descriptor_size(data: bytes, at: int, content: bytes) -> int:
    signed = 4 if data[at : at + 4] == b"PK\x07\x08" else 0
    # four or eight bytes for each size: the next record tells
    for size in (12, 20):
        if data[at + signed + size : at + signed + size + 2] == b"PK":
            assert struct.unpack_from("<L", data, at + signed)[0] == zlib.crc32(content)
            return signed + size
    raise AssertionError("no data descriptor")


def feed_tar(data: bytes) -> str:
    """Read a tar in a gzip stream, and the bytes as they are; tell ``refused`` or ``passed``."""
    path = Path(_SCRATCH.name) / "fed.tar.gz"
    told = "refused"
    for packed in (gzip.compress(data, 1, mtime=0), data):
        path.write_bytes(packed)
        try:
            info = open_sdist(path, SDIST, limits=LIMITS)
        except CpufitError:
            continue
        assert info.members == _members(path), "tarfile sees other members"
        told = "passed"
    return told


def _members(path: Path) -> frozenset[str]:
    with tarfile.open(path, "r:gz") as archive:
        names = [member.name.removeprefix("./") for member in archive if not member.isdir()]
    return frozenset(name.partition("/")[2] for name in names)


def feed_form(data: bytes) -> str:
    """Read a form whole and in pieces that its own bytes choose; tell ``refused`` or ``read``."""
    size = 1 + (data[0] if data else 0)
    sizes = hashlib.sha256(data).digest()
    whole, pieces = read_form([data]), read_form(_cut(data, (1 + size % 7, *(1 + byte % 19 for byte in sizes))))
    if isinstance(whole, str):
        # of two things that are wrong, the pieces may tell which one is met first
        assert isinstance(pieces, str), "pieces matter"
        return "refused"
    assert whole == pieces, "pieces matter"
    return "read"


def _cut(data: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        for size in sizes:
            yield data[at : at + size]
            at += size


def read_form(
    pieces: Iterable[bytes], boundary: bytes = BOUNDARY
) -> tuple[str, Contents, dict[str, tuple[str, ...]]] | str:
    """Return what a form brings: file name, file and fields; or the code by which it is refused."""
    sink = io.BytesIO()
    names: list[str] = []
    reader = FormReader(
        "multipart/form-data; boundary=" + boundary.decode(),
        sink=sink,
        wanted=FIELDS,
        repeated=REPEATED_FIELDS,
        limits=FORM_LIMITS,
        on_file=names.append,
    )
    try:
        for piece in pieces:
            reader.write(piece)
        form = reader.finish()
    except CpufitError as error:
        return error.code
    assert names == [form.filename]
    assert all("\0" not in value and value.strip() == value for values in form.fields.values() for value in values)
    return form.filename, {"content": sink.getvalue()}, form.fields
