"""Zips record by record, so that a test can make each of them say what it likes. No file of anybody else is in here."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

DEFLATED = 8
ZIP64 = struct.Struct("<2H2Q")
Numbers = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member; ``local`` and ``central`` replace numbers in its two headers."""

    name: bytes
    data: bytes = b""
    method: int = DEFLATED
    flags: int = 0
    mode: int = 0o100644
    local: Numbers = field(default_factory=dict)
    central: Numbers = field(default_factory=dict)
    local_name: bytes | None = None
    local_extra: bytes = b""
    central_extra: bytes = b""
    comment: bytes = b""
    packed: bytes | None = None
    """What lies in the file; None for the data, packed."""
    before: bytes = b""
    behind: bytes = b""
    listed: bool = True
    written: bool = True

    @property
    def content(self) -> bytes:
        """The packed bytes."""
        if self.packed is not None:
            return self.packed
        if self.method != DEFLATED:
            return self.data
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(self.data) + deflate.flush()

    def numbers(self) -> Numbers:
        """Return the numbers that both headers have."""
        return {
            "version": 45,
            "flags": self.flags,
            "method": self.method,
            "crc": zlib.crc32(self.data),
            "packed": len(self.content),
            "size": len(self.data),
        }

    def header(self) -> bytes:
        """Return the local header."""
        said = {**self.numbers(), **self.local}
        name = self.name if self.local_name is None else self.local_name
        head = struct.pack("<4s5H", b"PK\x03\x04", said["version"], said["flags"], said["method"], 0, 33)
        head += struct.pack("<3L2H", said["crc"], said["packed"], said["size"], len(name), len(self.local_extra))
        return head + name + self.local_extra

    def entry(self, offset: int) -> bytes:
        """Return the entry in the directory."""
        said = {**self.numbers(), "offset": offset, "disk": 0, "made": 0x031E, **self.central}
        head = struct.pack("<4s6H", b"PK\x01\x02", said["made"], said["version"], said["flags"], said["method"], 0, 33)
        head += struct.pack("<3L3H", said["crc"], said["packed"], said["size"], *map(len, self._texts()))
        head += struct.pack("<2H2L", said["disk"], 0, self.mode << 16, said["offset"])
        return head + b"".join(self._texts())

    def _texts(self) -> tuple[bytes, bytes, bytes]:
        return self.name, self.central_extra, self.comment


def described(member: Member, *, signed: bool = True, wide: bool = False, **wrong: int) -> Member:
    """Return a member whose sizes stand behind it."""
    said = {**member.numbers(), **wrong}
    sizes = struct.pack("<L2Q" if wide else "<3L", said["crc"], said["packed"], said["size"])
    return replace(
        member,
        flags=member.flags | 8,
        local={"crc": 0, "packed": 0, "size": 0, **member.local},
        behind=(b"PK\x07\x08" if signed else b"") + sizes,
    )


@dataclass(frozen=True, kw_only=True)
class Ends:
    """What stands behind the directory; numbers that are given replace the right ones."""

    wide: bool = False
    """A zip64 end record and its locator are there."""
    end: Numbers = field(default_factory=dict)
    end64: Numbers = field(default_factory=dict)
    locator: Numbers = field(default_factory=dict)
    with_record: bool = True
    with_locator: bool = True
    with_end: bool = True
    extensible: bytes = b""
    comment: bytes = b""
    prefix: bytes = b""
    between: bytes = b""
    """Between the last member and the directory."""
    behind_directory: bytes = b""
    suffix: bytes = b""


def zip_of(
    members: Sequence[Member],
    ends: Ends | None = None,
    entries: Callable[[list[bytes]], list[bytes]] = lambda all_: all_,
) -> bytes:
    """Return a zip of these members."""
    ends = ends or Ends()
    body, listed = ends.prefix, []
    for member in members:
        body += member.before
        if member.listed:
            listed.append(member.entry(len(body)))
        if member.written:
            body += member.header() + member.content + member.behind
    body += ends.between
    directory = b"".join(entries(listed))
    whole = {
        "disk": 0,
        "first": 0,
        "here": len(listed),
        "count": len(listed),
        "size": len(directory),
        "offset": len(body),
    }
    body += directory + ends.behind_directory
    if ends.wide:
        body += _wide(ends, whole, len(body))
    said = {**whole, "comment": len(ends.comment), **ends.end}
    if ends.with_end:
        body += struct.pack(
            "<4s4H2LH",
            b"PK\x05\x06",
            *(said[key] for key in ("disk", "first", "here", "count", "size", "offset", "comment")),
        )
    return body + ends.comment + ends.suffix


def _wide(ends: Ends, whole: Numbers, at: int) -> bytes:
    said = {**whole, "record": 44 + len(ends.extensible), **ends.end64}
    order = ("disk", "first", "here", "count", "size", "offset")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", said["record"], 45, 45, *(said[key] for key in order))
    where = {"disk": 0, "at": at, "disks": 1, **ends.locator}
    locator = struct.pack("<4sLQL", b"PK\x06\x07", where["disk"], where["at"], where["disks"])
    return (record + ends.extensible if ends.with_record else b"") + (locator if ends.with_locator else b"")
