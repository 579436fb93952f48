from __future__ import annotations

import io
import tracemalloc

import pytest

from cpufit_server.errors import InvalidForm, ServerError, UploadTooLarge
from cpufit_server.multipart import Form, FormLimits, FormReader

BOUNDARY = "b0undary"
LIMITS = FormLimits(file_bytes=100, field_bytes=50, form_bytes=120, fields=10)


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FILE = part("content", b"bytes\r\n--b0und", "a-1.0.tar.gz")


def read(body: bytes, piece: int = 7, limits: FormLimits = LIMITS) -> tuple[Form, bytes]:
    sink = io.BytesIO()
    reader = FormReader(
        f"multipart/form-data; boundary={BOUNDARY}",
        sink=sink,
        wanted=frozenset({"name", "version"}),
        repeated=frozenset({"requires_dist"}),
        limits=limits,
        on_file=lambda _: None,
    )
    for start in range(0, len(body), piece):
        reader.write(body[start : start + piece])
    return reader.finish(), sink.getvalue()


@pytest.mark.parametrize("piece", [1, 2, 7, 10_000])
@pytest.mark.parametrize(
    "parts",
    [[part("name", b"a"), FILE], [FILE, part("name", b"a")], [part("other", b"x"), FILE, part("name", b" a ")]],
)
def test_fields_and_file_come_in_any_order_and_in_any_pieces(parts: list[bytes], piece: int) -> None:
    form, data = read(b"".join(parts) + END, piece)
    assert (form, data) == (Form(filename="a-1.0.tar.gz", fields={"name": ("a",)}), b"bytes\r\n--b0und")


@pytest.mark.parametrize("value", [b"", b"  ", b"UNKNOWN", b"UNKNOWN\r\n"])
def test_an_empty_field_counts_as_not_there(value: bytes) -> None:
    form, _ = read(part("version", value) + part("requires_dist", value) + FILE + END)
    assert (form.get("version"), form.all("requires_dist"), form.fields) == (None, (), {})


def test_a_field_that_may_stand_several_times_keeps_every_value_in_order() -> None:
    parts = [part("requires_dist", value) for value in (b"b", b"a", b"", b"b")]
    form, _ = read(FILE + b"".join(parts) + END)
    assert form.all("requires_dist") == ("b", "a", "b")


def test_a_signature_is_read_past_and_may_be_a_file() -> None:
    assert read(part("gpg_signature", b"\0\x88", "a.asc") + FILE + END)[0].fields == {}


def test_a_part_says_of_what_type_it_is_in_vain_unless_that_is_an_image() -> None:
    for kind in (b"application/octet-stream", b"text/plain", b""):
        typed = FILE.replace(b"\r\n\r\n", b"\r\nContent-Type: " + kind + b"\r\n\r\n", 1)
        assert read(typed + END)[1] == b"bytes\r\n--b0und"


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        (FILE, InvalidForm, "invalid-form"),
        (part("name", b"a") + END, InvalidForm, "invalid-form"),
        (FILE + FILE + END, InvalidForm, "field-repeated"),
        (part("name", b"a", "a.txt") + FILE + END, InvalidForm, "field-not-text"),
        (part("nobody-knows", b"a", "a.txt") + FILE + END, InvalidForm, "field-not-text"),
        (part("name", b"a\0b") + FILE + END, InvalidForm, "nul-in-field"),
        (part("description", b"a\0b") + FILE + END, InvalidForm, "nul-in-field"),
        (part("requires_dist", b"x" * 41) * 3 + FILE + END, UploadTooLarge, "form-field-too-large"),
        (
            FILE.replace(b"\r\n\r\n", b"\r\nContent-Type: image/png\r\n\r\n", 1) + END,
            InvalidForm,
            "content-type-not-allowed",
        ),
        (part("content", b"x") + END, InvalidForm, "invalid-form"),
        (part("name", b"a") + part("name", b"b") + FILE + END, InvalidForm, "field-repeated"),
        (part("name", b"\xff") + FILE + END, InvalidForm, "invalid-form"),
        (b"nothing of the kind", InvalidForm, "invalid-form"),
        (b"a preamble\r\n" + FILE + END, InvalidForm, "invalid-form"),
        (b"\r\n" + FILE + END, InvalidForm, "invalid-form"),
        (b"--", InvalidForm, "invalid-form"),
        (part("content", b"x" * 101, "a-1.0.tar.gz") + END, UploadTooLarge, "upload-too-large"),
        (part("name", b"x" * 51) + FILE + END, UploadTooLarge, "form-field-too-large"),
        (part("unwanted", b"x" * 51) + FILE + END, UploadTooLarge, "form-field-too-large"),
        (part("x", b"") * 11 + FILE + END, UploadTooLarge, "too-many-fields"),
        (b"", InvalidForm, "invalid-form"),
    ],
)
def test_a_form_that_cannot_be_taken_is_refused(body: bytes, error: type[ServerError], code: str) -> None:
    with pytest.raises(error) as caught:
        read(body)
    assert caught.value.code == code


@pytest.mark.parametrize("header", [b"X-Long: " + b"y" * 10**6, b"x" * 10**6 + b": y"])
@pytest.mark.parametrize("piece", [100, 10**7])
def test_the_header_of_a_part_has_a_limit_of_its_own(header: bytes, piece: int) -> None:
    body = f"--{BOUNDARY}\r\n".encode() + header + b"\r\n\r\n\r\n" + FILE + END
    with pytest.raises(InvalidForm):
        read(body, piece)


def test_a_field_with_a_giant_name_is_refused_with_a_sentence_and_a_hint() -> None:
    with pytest.raises(InvalidForm, match="header of more than 4096 bytes") as caught:
        read(part("x" * 4090, b"") + FILE + END)
    assert caught.value.hint is not None


def test_a_file_of_just_the_limit_is_taken() -> None:
    assert read(part("content", b"x" * 100, "a-1.0.tar.gz") + END)[1] == b"x" * 100


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 999]
)
def test_what_is_no_form_is_refused_before_its_first_byte(content_type: str | None) -> None:
    with pytest.raises(InvalidForm):
        FormReader(content_type, sink=io.BytesIO(), wanted=frozenset(), limits=LIMITS, on_file=lambda _: None)


def test_a_file_that_may_not_come_in_stops_the_reading_before_its_first_byte() -> None:
    def refuse(filename: str) -> None:
        raise InvalidForm(filename)

    sink = io.BytesIO()
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    reader = FormReader(content_type, sink=sink, wanted=frozenset(), limits=LIMITS, on_file=refuse)
    with pytest.raises(InvalidForm, match=r"a-1\.0\.tar\.gz"):
        reader.write(FILE + END)
    assert sink.getvalue() == b""


def test_memory_does_not_grow_with_the_form() -> None:
    class Nowhere:
        size = 0

        def write(self, data: memoryview) -> int:
            self.size += len(data)
            return len(data)

    sink = Nowhere()
    piece, pieces = bytes(1 << 16), 800
    limits = FormLimits(file_bytes=1 << 30, field_bytes=1 << 30, form_bytes=1 << 30, fields=10)
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    reader = FormReader(content_type, sink=sink, wanted=frozenset(), limits=limits, on_file=lambda _: None)
    tracemalloc.start()
    try:
        reader.write(part("description", b"", None)[:-2])
        for _ in range(pieces):
            reader.write(b"x" * len(piece))
        reader.write(b"\r\n" + part("content", b"", "a-1.0.tar.gz")[:-2])
        for _ in range(pieces):
            reader.write(piece)
        reader.write(b"\r\n" + END)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (reader.finish().fields, sink.size) == ({}, len(piece) * pieces)
    assert peak < 8 * len(piece), "of the 100 MiB that came"
