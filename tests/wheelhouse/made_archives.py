"""A corpus of wheels that are made here: good ones in every form, and bad ones of every class that is known.

The classes are those that indexes and installers have met: records that two tools read differently, names that lead
elsewhere, sizes that are not true. Each bad one is a good wheel but for one thing.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from contextlib import suppress
from dataclasses import replace

from tests.conftest import record_line
from tests.wheelhouse.zip_maker import ZIP64, Ends, Member, described, zip_of

_INFO = "fed-1.0.dist-info"
_FULL = 0xFFFFFFFF
_ALL_LEFT = {"here": 0xFFFF, "count": 0xFFFF, "size": _FULL, "offset": _FULL}


def members(*more: Member, plain: Member | None = None) -> list[Member]:
    """Return the members of a whole wheel: more of them, or another first one, listed in RECORD as they are."""
    first = Member(name=b"fed.py", data=b"answer = 42\n") if plain is None else plain
    contents = [
        first,
        *more,
        Member(name=f"{_INFO}/METADATA".encode(), data=b"Metadata-Version: 2.1\nName: fed\nVersion: 1.0\n"),
        Member(name=f"{_INFO}/WHEEL".encode(), data=b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
    ]
    lines = [record_line(_text(member), member.data) for member in contents if not member.name.endswith(b"/")]
    record = "\n".join([*lines, f"{_INFO}/RECORD,,", ""]).encode()
    return [*contents, Member(name=f"{_INFO}/RECORD".encode(), data=record)]


def _text(member: Member) -> str:
    return member.name.decode("utf-8", "replace")


def _all(**changes: object) -> list[Member]:
    return [replace(member, **changes) for member in members()]  # type: ignore[arg-type]  # a member's fields


def _first(**changes: object) -> list[Member]:
    """Return the members with the first one changed behind RECORD's back."""
    first, *rest = members()
    return [replace(first, **changes), *rest]  # type: ignore[arg-type]  # as above


_PLAIN = members()[0]
_PACKED = len(_PLAIN.content)
_SIZE = len(_PLAIN.data)
_WHOLE = zip_of(members())
_UNICODE = b"\x01" + struct.pack("<L", zlib.crc32(b"fed.py")) + b"evil.py"
_UNICODE_PATH = struct.pack("<2H", 0x7075, len(_UNICODE)) + _UNICODE
_ZIP64 = ZIP64.pack(1, 16, _SIZE, _PACKED)
_LEFT = {"packed": _FULL, "size": _FULL}
_STAMP = struct.pack("<2HBL", 0x5455, 5, 1, 0)


def _tar_too() -> bytes:
    """Return a wheel whose first 512 bytes are the header of a tar's member, too."""
    # the zip's checksum of the member is part of what the tar's checksum counts: one of many fillings makes both true
    for number in range(1 << 16):
        data = bytearray(600)
        data[400:402] = struct.pack("<H", number)
        member = Member(name=b"a", data=bytes(data), method=0)
        for _ in range(2):
            member = replace(member, data=bytes(data))
            head = bytearray(member.header() + data)[:512]
            head[148:156] = b" " * 8
            data[148 - 31 : 156 - 31] = b"%06o\0 " % sum(head)
        with suppress(tarfile.HeaderError):
            tarfile.TarInfo.frombuf(member.header() + member.data[: 512 - 31], "utf-8", "strict")
            return zip_of(members(plain=member))
    raise AssertionError("no filling makes a tar of it")


GOOD: dict[str, bytes] = {
    "deflated": _WHOLE,
    "stored": zip_of(_all(method=0)),
    "comment": zip_of(members(), Ends(comment=b"built at night")),
    "folder": zip_of(members(Member(name=b"more/", method=0, mode=0o40755))),
    "empty member": zip_of(members(Member(name=b"empty"), Member(name=b"empty too", method=0))),
    "name in utf-8": zip_of(members(Member(name="größe.py".encode(), flags=0x800))),
    "time in an extra field": zip_of(_first(local_extra=_STAMP, central_extra=_STAMP)),
    "descriptor": zip_of([described(member) for member in members()]),
    "descriptor without signature": zip_of([described(member, signed=False) for member in members()]),
    "descriptor with wide sizes": zip_of([described(member, wide=True) for member in members()]),
    "zip64 in the local header": zip_of(_first(local=_LEFT, local_extra=_ZIP64)),
    "zip64 in both": zip_of(_first(local=_LEFT, local_extra=_ZIP64, central=_LEFT, central_extra=_ZIP64)),
    "zip64 with one size": zip_of(_first(central={"size": _FULL}, central_extra=struct.pack("<2HQ", 1, 8, _SIZE))),
    "zip64 end": zip_of(members(), Ends(wide=True)),
    "zip64 end alone": zip_of(members(), Ends(wide=True, end=_ALL_LEFT)),
}
"""Whole wheels in every form that tools write."""

BAD: dict[str, bytes] = {
    # around the zip
    "nothing": b"",
    "no zip": b"this is no zip file",
    "prefix": zip_of(members(), Ends(prefix=b"#!/bin/sh\n")),
    "prefix not counted": b"#!/bin/sh\n" + _WHOLE,
    "suffix": zip_of(members(), Ends(suffix=b"more")),
    "suffix beyond its comment": zip_of(members(), Ends(comment=b"a", suffix=b"b")),
    "comment cut off": zip_of(members(), Ends(end={"comment": 9}, comment=b"short")),
    "cut off": _WHOLE[:-30],
    "end record cut off": _WHOLE[:-1],
    "two zips": _WHOLE + _WHOLE,
    "zip in the comment": zip_of(members(), Ends(comment=_WHOLE)),
    "end record in the comment": zip_of(members(), Ends(comment=_WHOLE[-22:])),
    "end record twice": _WHOLE + _WHOLE[-22:],
    "a tar too": _tar_too(),
    # members and the directory
    "member not listed": zip_of([Member(name=b"evil.py", listed=False), *members()]),
    "member listed and not there": zip_of(members(Member(name=b"evil.py", written=False))),
    "listed twice": zip_of(members(), entries=lambda all_: [all_[0], *all_]),
    "one name twice": zip_of([*members(), _PLAIN]),
    "gap between members": zip_of(_first(behind=b"gap")),
    "gap before the directory": zip_of(members(), Ends(between=b"gap")),
    "gap behind the directory": zip_of(members(), Ends(behind_directory=b"gap")),
    "signature record": zip_of(members(), Ends(behind_directory=struct.pack("<4sH", b"PK\x05\x05", 0))),
    "archive extra data": zip_of(members(), Ends(between=struct.pack("<4sL", b"PK\x06\x08", 0))),
    "overlap": zip_of(members(Member(name=b"evil.py", central={"offset": 0}, written=False))),
    "another name in the local header": zip_of(_first(local_name=b"bad.py")),
    "another method in the local header": zip_of(_first(local={"method": 0})),
    "another packed size in the local header": zip_of(_first(local={"packed": _PACKED - 1})),
    "another size in the local header": zip_of(_first(local={"size": _SIZE + 1})),
    "another checksum in the local header": zip_of(_first(local={"crc": 1})),
    "other flags in the local header": zip_of(_first(local={"flags": 0x800})),
    "no local signature": _WHOLE.replace(b"PK\x03\x04", b"PK\x03\x05", 1),
    "comment on a member": zip_of(_first(comment=b"hidden")),
    "another disk": zip_of(_first(central={"disk": 1})),
    "unknown flags": zip_of(_first(flags=0x10)),
    "patched data": zip_of(_first(flags=0x20)),
    "newer than anybody reads": zip_of(_first(central={"version": 900}, local={"version": 900})),
    # end records
    "counts too few": zip_of(members(), Ends(end={"here": 3, "count": 3})),
    "counts too many": zip_of(members(), Ends(end={"here": 5, "count": 5})),
    "counts in two ways": zip_of(members(), Ends(end={"here": 3})),
    "directory elsewhere": zip_of(members(), Ends(end={"offset": 0})),
    "directory of another size": zip_of(members(), Ends(end={"size": 46})),
    "several disks": zip_of(members(), Ends(end={"disk": 1, "first": 1})),
    "zip64 end elsewhere": zip_of(members(), Ends(wide=True, locator={"at": 0})),
    "zip64 end of several disks": zip_of(members(), Ends(wide=True, locator={"disks": 2})),
    "zip64 end without locator": zip_of(members(), Ends(wide=True, with_locator=False)),
    "zip64 end without locator, all left to it": zip_of(members(), Ends(wide=True, with_locator=False, end=_ALL_LEFT)),
    "locator without zip64 end": zip_of(members(), Ends(wide=True, with_record=False)),
    "zip64 end without end": zip_of(members(), Ends(wide=True, with_end=False)),
    "zip64 end with data of its own": zip_of(members(), Ends(wide=True, extensible=b"data" * 3)),
    "zip64 end of another length": zip_of(members(), Ends(wide=True, end64={"record": 45})),
    "zip64 end counts otherwise": zip_of(members(), Ends(wide=True, end64={"here": 3, "count": 3})),
    "zip64 end points elsewhere": zip_of(members(), Ends(wide=True, end64={"offset": 0})),
    # zip64 and other extra fields
    "zip64 twice": zip_of(_first(local=_LEFT, local_extra=_ZIP64 * 2)),
    "zip64 twice in the directory": zip_of(_first(central=_LEFT, central_extra=_ZIP64 * 2)),
    "zip64 beside the sizes": zip_of(_first(local_extra=_ZIP64)),
    "zip64 other than the sizes": zip_of(_first(local_extra=ZIP64.pack(1, 16, 1, 1))),
    "zip64 other than the directory's sizes": zip_of(_first(central_extra=ZIP64.pack(1, 16, 1, 1))),
    "zip64 too short": zip_of(_first(local=_LEFT, local_extra=struct.pack("<2HQ", 1, 8, _SIZE))),
    "zip64 too long": zip_of(_first(local=_LEFT, local_extra=struct.pack("<2H3Q", 1, 24, _SIZE, _PACKED, 0))),
    "zip64 too short in the directory": zip_of(_first(central=_LEFT, central_extra=struct.pack("<2HQ", 1, 8, _SIZE))),
    "zip64 of an odd length": zip_of(_first(local=_LEFT, local_extra=struct.pack("<2H", 1, 15) + bytes(15))),
    "zip64 missing": zip_of(_first(local=_LEFT)),
    "extra field cut off": zip_of(_first(local_extra=struct.pack("<2H", 7, 9) + b"ab")),
    "unicode path": zip_of(_first(central_extra=_UNICODE_PATH)),
    "unicode path in the local header": zip_of(_first(local_extra=_UNICODE_PATH)),
    "unicode path twice": zip_of(_first(central_extra=_UNICODE_PATH * 2)),
    # bytes of members
    "another checksum": zip_of(_first(local={"crc": 1}, central={"crc": 1})),
    "unpacks to more": zip_of(_first(local={"size": 1}, central={"size": 1})),
    "unpacks to less": zip_of(_first(local={"size": 99}, central={"size": 99})),
    "bytes behind a deflate stream": zip_of(_first(packed=_PLAIN.content + b"PK\x03\x04 and more")),
    "deflate stream cut off": zip_of(_first(packed=_PLAIN.content[:-2])),
    "no deflate stream": zip_of(_first(packed=b"\xff" * 9)),
    "stored with two sizes": zip_of(_first(method=0, local={"packed": 5}, central={"packed": 5})),
    "descriptor of a stored member": zip_of([described(replace(_PLAIN, method=0)), *members()[1:]]),
    "descriptor with another checksum": zip_of([described(_PLAIN, crc=1), *members()[1:]]),
    "descriptor with another size": zip_of([described(_PLAIN, size=1), *members()[1:]]),
    "descriptor missing": zip_of([replace(described(_PLAIN), behind=b""), *members()[1:]]),
    "descriptor and sizes that differ": zip_of(
        [replace(described(_PLAIN), local={"crc": 0, "packed": 1, "size": 1}), *members()[1:]]
    ),
    "encrypted": zip_of(_first(flags=1)),
    "strongly encrypted": zip_of(_first(flags=0x41)),
    "bzip2": zip_of(_first(method=12)),
    "lzma": zip_of(_first(method=14)),
    "zstandard": zip_of(_first(method=93)),
    # names and kinds
    "climbs": zip_of(members(Member(name=b"../evil.py"))),
    "climbs late": zip_of(members(Member(name=b"fed/../../evil.py"))),
    "absolute": zip_of(members(Member(name=b"/etc/evil"))),
    "drive": zip_of(members(Member(name=b"C:/evil"))),
    "backslash": zip_of(members(Member(name=b"fed\\evil.py"))),
    "control character": zip_of(members(Member(name=b"evil\n.py"))),
    "nul": zip_of(members(Member(name=b"evil.py\0.txt"))),
    "empty name": zip_of(members(Member(name=b""))),
    "empty part": zip_of(members(Member(name=b"fed//evil.py"))),
    "name that is no utf-8": zip_of(members(Member(name=b"evil\xff.py", flags=0x800))),
    "name of an unknown encoding": zip_of(members(Member(name=b"evil\xe9.py"))),
    "case alone": zip_of(members(Member(name=b"FED.py"))),
    "accents alone": zip_of(
        members(Member(name="é".encode(), flags=0x800), Member(name="e\u0301".encode(), flags=0x800))
    ),
    "file and folder": zip_of(members(Member(name=b"fed.py/evil.py"))),
    "folder with contents": zip_of(members(Member(name=b"more/", data=b"x", mode=0o40755))),
    "symbolic link": zip_of(members(Member(name=b"link", data=b"/etc/passwd", mode=0o120777))),
    "pipe": zip_of(members(Member(name=b"pipe", mode=0o10644))),
    # what is in a wheel
    "no members": zip_of([]),
    "zip in a zip alone": zip_of([Member(name=b"inner.whl", data=_WHOLE, method=0)]),
    "not in RECORD": zip_of([*members(), Member(name=b"evil.py")]),
    "other bytes than RECORD's": zip_of(_first(data=b"answer = 43\n")),
    "two dist-infos": zip_of(members(Member(name=b"evil-1.0.dist-info/METADATA"))),
}
"""Wheels of which each is bad in one way."""


def _tar(*names: str) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name in names:
            data = b"Metadata-Version: 2.2\nName: fed\nVersion: 1.0\n"
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return target.getvalue()


_TAR = _tar("fed-1.0/PKG-INFO", "fed-1.0/fed.py")
_GZ = gzip.compress(_TAR, mtime=0)

GOOD_SDISTS: dict[str, bytes] = {"sdist": _GZ, "sdist with a longer end": gzip.compress(_TAR + bytes(10240), mtime=0)}

BAD_SDISTS: dict[str, bytes] = {
    "no gzip": b"nothing",
    "tar without gzip": _TAR,
    "gzip cut off": _GZ[:-9],
    "another checksum": _GZ[:-8] + bytes(8),
    "bytes behind the gzip stream": _GZ + b"more",
    "two gzip streams": _GZ + _GZ,
    "one tar in two gzip streams": gzip.compress(_TAR[:1536], mtime=0) + gzip.compress(_TAR[1536:], mtime=0),
    "bytes behind the tar": gzip.compress(_TAR + b"more", mtime=0),
    "two tars": gzip.compress(_TAR + _TAR, mtime=0),
    "a zip too": _GZ + _WHOLE,
    "two folders": gzip.compress(_tar("fed-1.0/PKG-INFO", "evil/x"), mtime=0),
    "PKG-INFO twice": gzip.compress(_tar("fed-1.0/PKG-INFO", "fed-1.0/PKG-INFO"), mtime=0),
    "no PKG-INFO": gzip.compress(_tar("fed-1.0/fed.py"), mtime=0),
    "climbs": gzip.compress(_tar("fed-1.0/PKG-INFO", "fed-1.0/../../evil"), mtime=0),
}

MADE: dict[str, bytes] = {
    **{f"good {number}": data for number, data in enumerate(GOOD.values())},
    **{f"bad {number}": data for number, data in enumerate(BAD.values())},
    **{f"tar {number}": gzip.decompress(data) for number, data in enumerate(GOOD_SDISTS.values())},
    **{f"sdist {number}": data for number, data in enumerate({**GOOD_SDISTS, **BAD_SDISTS}.values())},
}
"""Every archive, under a name that a file can have; and tars without their gzip, which no fuzzer gets through."""
