"""What holds for every form and every archive: pieces do not matter, and what passes is one thing for every reader."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.feeding_uploads import feed_form, feed_tar, feed_zip, read_form
from tests.wheelhouse.made_archives import GOOD, GOOD_SDISTS

BOUNDARY = b"b0undary"
ONCE = ("name", "version", "sha256_digest", "requires_python", "summary", "description", "keywords")
OFTEN = ("requires_dist", "provides_extra", "classifiers", "license_file")
KEPT = ("name", "version", "sha256_digest", "requires_python", "requires_dist", "provides_extra")

values = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["", "UNKNOWN", " UNKNOWN ", "--b0undary", "\r\n--b0undar", "\r\n", "a\r\nb: c"]),
).filter(lambda text: "\r\n--b0undary" not in "\r\n" + text)
contents = st.one_of(st.binary(max_size=200), st.sampled_from([b"\r\n--b0undar", b"\r\n" * 9, b"--b0undary--"])).filter(
    lambda data: b"\r\n--b0undary" not in b"\r\n" + data
)
types = st.sampled_from(
    [b"", b"Content-Type: text/plain; charset=utf-8\r\n", b"content-type:application/octet-stream\r\n"]
)


@st.composite
def forms(draw: st.DrawFn) -> tuple[list[tuple[str, str]], bytes, list[bytes]]:
    """Return fields in an order, a file, and the parts that bring them, the file's among the others."""
    once = draw(st.lists(st.sampled_from(ONCE), unique=True))
    often = draw(st.lists(st.sampled_from(OFTEN), max_size=6))
    fields = [(name, draw(values)) for name in draw(st.permutations([*once, *often]))]
    parts = [
        b'Content-Disposition: form-data; name="' + name.encode() + b'"\r\n' + draw(types) + b"\r\n" + text.encode()
        for name, text in fields
    ]
    data = draw(contents)
    head = b'Content-Disposition: form-data; name="content"; filename="a-1.0.tar.gz"\r\n'
    head = draw(types) + head if draw(st.booleans()) else head + draw(types)
    parts.insert(draw(st.integers(0, len(parts))), head + b"\r\n" + data)
    return fields, data, parts


@st.composite
def pieces(draw: st.DrawFn, body: bytes) -> list[bytes]:
    cuts = sorted(draw(st.lists(st.integers(0, len(body)), max_size=20)))
    return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


@settings(deadline=None)
@given(st.data())
def test_any_order_of_parts_in_any_pieces_is_the_same_form(data: st.DataObject) -> None:
    fields, content, parts = data.draw(forms())
    body = b"".join(b"--" + BOUNDARY + b"\r\n" + part + b"\r\n" for part in parts) + b"--" + BOUNDARY + b"--\r\n"
    expected: dict[str, tuple[str, ...]] = {}
    for name, text in fields:
        if name in KEPT and text.strip() not in ("", "UNKNOWN"):
            expected[name] = (*expected.get(name, ()), text.strip())
    assert read_form(data.draw(pieces(body)), BOUNDARY) == ("a-1.0.tar.gz", {"content": content}, expected)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(body: bytes) -> None:
    feed_form(body)
    feed_form(b'--b\r\nContent-Disposition: form-data; name="content"; filename="a"\r\n\r\n' + body + b"\r\n--b--")


@st.composite
def mutated(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return an archive with some of its bytes replaced, doubled, moved or left out."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 80)))
        other = draw(st.integers(0, len(data)))
        piece = bytes(data[start:end])
        kind = draw(st.sampled_from(["replace", "insert", "leave out", "double", "flip", "zero"]))
        if kind == "replace":
            data[start:end] = draw(st.binary(min_size=end - start, max_size=end - start))
        elif kind == "insert":
            data[start:start] = draw(st.binary(max_size=30))
        elif kind == "leave out":
            del data[start:end]
        elif kind == "double":
            data[other:other] = piece
        elif kind == "flip" and start < len(data):
            data[start] ^= 1 << draw(st.integers(0, 7))
        elif kind == "zero":
            data[start:end] = bytes(end - start)
    return bytes(data)


@pytest.mark.parametrize("name", GOOD)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_wheel_is_refused_or_is_one_thing_for_every_reader(name: str, data: st.DataObject) -> None:
    changed = data.draw(mutated(GOOD[name]))
    told = feed_zip(changed)
    assert told in ("refused", "passed", "wheel")


@pytest.mark.parametrize("name", GOOD_SDISTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_changed_source_distribution_is_refused_or_is_one_thing_for_every_reader(
    name: str, data: st.DataObject
) -> None:
    assert feed_tar(data.draw(mutated(GOOD_SDISTS[name]))) in ("refused", "passed")
