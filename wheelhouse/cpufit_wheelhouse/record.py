"""``RECORD``: every member of a wheel with its hash and size.

Specification: "Recording installed projects", section "The RECORD file", and the binary distribution format, section
"Signed wheel files", which leaves the two signature files out of the list.
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import RecordMismatch

UNLISTED = ("RECORD.jws", "RECORD.p7s")
"""Signatures of RECORD, which can be written only after it and therefore are not in it."""

_STRONG = ("sha256", "sha384", "sha512")
"""The binary distribution format asks for SHA-256 or better."""


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One line of RECORD."""

    name: str
    hash: str
    """``sha256=`` and the digest in URL-safe base64 without padding; empty for RECORD itself."""
    size: str
    """Bytes, as written; may be empty."""


def parse_record(data: bytes, *, where: str = "RECORD") -> tuple[RecordRow, ...]:
    """Return the rows of a RECORD file.

    :raises RecordMismatch: it is not UTF-8, not CSV, or a line has not three fields
    """
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RecordMismatch(f"cannot be read: {error}", where=where) from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        if len(line) != 3:
            raise RecordMismatch(f"line {number} has {len(line)} fields, not three", where=where)
        rows.append(RecordRow(*line))
    return tuple(rows)


def format_record(rows: Iterable[RecordRow]) -> bytes:
    """Return the bytes of a RECORD file, with line feeds."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows((row.name, row.hash, row.size) for row in rows)
    return text.getvalue().encode("utf-8")


def record_row(name: str, data: bytes) -> RecordRow:
    """Return the row of a member with these bytes."""
    return RecordRow(name, f"sha256={_digest_text(hashlib.sha256(data).digest())}", str(len(data)))


def own_row(record_name: str) -> RecordRow:
    """Return the row of RECORD itself, which can hold neither hash nor size."""
    return RecordRow(record_name, "", "")


def expected_digest(row: RecordRow, *, where: str = "RECORD") -> tuple[str, bytes]:
    """Return the algorithm and the digest that a row gives.

    :raises RecordMismatch: there is none, it is weaker than SHA-256, or it is not base64
    """
    algorithm, _, text = row.hash.partition("=")
    if not text:
        raise RecordMismatch(f"{row.name!r} is listed without a hash", where=where)
    if algorithm not in _STRONG:
        raise RecordMismatch(
            f"{row.name!r} has a {algorithm!r} hash", where=where, hint="SHA-256 or better is asked for"
        )
    try:
        # some tools pad, the specification does not
        digest = base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordMismatch(f"the hash of {row.name!r} is not base64", where=where) from error
    return algorithm, digest


def check_listing(rows: Iterable[RecordRow], members: Iterable[str], record_name: str) -> Mapping[str, RecordRow]:
    """Check that RECORD lists exactly the members, and return the rows that a member's bytes must match.

    :param members: every file of the wheel, RECORD and signatures included
    :raises RecordMismatch: a member is not listed, a listed one is missing, or two rows for one name differ
    """
    listed: dict[str, RecordRow] = {}
    for row in rows:
        if listed.setdefault(row.name, row) != row:
            raise RecordMismatch(f"{row.name!r} is listed twice, with two hashes or sizes", where=record_name)
    signatures = {record_name.rpartition("/")[0] + "/" + name for name in UNLISTED}
    present = frozenset(members) - signatures - {record_name}
    expected = {name: row for name, row in listed.items() if name not in signatures and name != record_name}
    _refuse("not listed", present - expected.keys(), record_name)
    _refuse("listed, but not in the wheel", expected.keys() - present, record_name)
    return expected


def _refuse(what: str, names: Iterable[str], where: str) -> None:
    found = sorted(names)
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise RecordMismatch(f"{what}: {found[0]!a}{more}", where=where)


def check_member(row: RecordRow, algorithm: str, expected: bytes, found: bytes, size: int) -> None:
    """Check one member's bytes against its row.

    :raises RecordMismatch: hash or size differ
    """
    if row.size and row.size != str(size):
        raise RecordMismatch(f"{row.name!r} has {size} bytes, RECORD says {row.size[:20]}", where=row.name)
    if found != expected:
        raise RecordMismatch(f"the {algorithm} of {row.name!r} is not the one in RECORD", where=row.name)


def _digest_text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
