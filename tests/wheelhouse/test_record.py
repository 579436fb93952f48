from __future__ import annotations

import hashlib

import pytest

from cpufit_wheelhouse.errors import RecordMismatch
from cpufit_wheelhouse.record import (
    RecordRow,
    check_listing,
    check_member,
    expected_digest,
    format_record,
    own_row,
    parse_record,
    record_row,
)

# SHA-256 of nothing, in URL-safe base64 without padding
EMPTY = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def test_a_row_has_the_hash_of_the_specification() -> None:
    assert record_row("a/b.py", b"") == RecordRow("a/b.py", f"sha256={EMPTY}", "0")


def test_names_with_commas_and_quotes_come_back() -> None:
    rows = (record_row('a,"b".py', b"x"), record_row("ü.py", b"y"), own_row("a-1.dist-info/RECORD"))
    assert parse_record(format_record(rows)) == rows


def test_windows_line_ends_and_empty_lines_are_read() -> None:
    assert parse_record(b"a,sha256=x,1\r\n\r\nb,,\r\n") == (RecordRow("a", "sha256=x", "1"), RecordRow("b", "", ""))


@pytest.mark.parametrize("data", [b"a,b\n", b"a,b,c,d\n", b"\xff,,\n", b'"a,b,c\n'])
def test_what_is_not_three_fields_a_line_is_refused(data: bytes) -> None:
    with pytest.raises(RecordMismatch):
        parse_record(data)


def test_a_padded_hash_is_understood() -> None:
    assert expected_digest(RecordRow("a", f"sha256={EMPTY}=", "0")) == ("sha256", hashlib.sha256().digest())


@pytest.mark.parametrize(
    ("text", "what"), [("", "without a hash"), ("md5=abc", "md5"), ("sha256=?", "base64"), ("sha256=", "without")]
)
def test_a_missing_weak_or_broken_hash_is_refused(text: str, what: str) -> None:
    with pytest.raises(RecordMismatch, match=what):
        expected_digest(RecordRow("a", text, "0"))


def test_listing_and_members_must_be_the_same() -> None:
    rows = [record_row("a", b""), record_row("b", b""), own_row("x.dist-info/RECORD")]
    signature = "x.dist-info/RECORD.jws"
    members = ["a", "b", "x.dist-info/RECORD", signature]
    assert set(check_listing(rows, members, "x.dist-info/RECORD")) == {"a", "b"}
    assert set(check_listing([*rows, rows[0]], members, "x.dist-info/RECORD")) == {"a", "b"}
    with pytest.raises(RecordMismatch, match=r"not listed: 'c' \(and 1 more\)"):
        check_listing(rows, [*members, "d", "c"], "x.dist-info/RECORD")
    with pytest.raises(RecordMismatch, match="listed, but not in the wheel: 'b'"):
        check_listing(rows, ["a"], "x.dist-info/RECORD")
    with pytest.raises(RecordMismatch, match="twice"):
        check_listing([*rows, record_row("a", b"other")], members, "x.dist-info/RECORD")


def test_size_and_hash_are_checked() -> None:
    row = record_row("a", b"12")
    right = hashlib.sha256(b"12").digest()
    check_member(row, "sha256", right, right, 2)
    check_member(RecordRow("a", row.hash, ""), "sha256", right, right, 2)
    with pytest.raises(RecordMismatch, match="3 bytes"):
        check_member(row, "sha256", right, right, 3)
    with pytest.raises(RecordMismatch, match="sha256"):
        check_member(row, "sha256", right, hashlib.sha256(b"").digest(), 2)
