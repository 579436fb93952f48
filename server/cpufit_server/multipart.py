"""Reading an upload form as it arrives: the file goes straight to its sink, fields that nobody asked for go nowhere.

RFC 7578. Fields and file come in any order (twine sends the file last, uv sends attestations behind it), so nothing is
judged before the last part is in, except what can only get worse: a size, or a file that may not come in at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from .errors import InvalidForm, UploadTooLarge

if TYPE_CHECKING:
    from collections.abc import Callable

FILE_FIELD = "content"
"""The field that brings the file (legacy upload API)."""

SIGNATURE_FIELD = "gpg_signature"
"""The other field that may be a file; it is read past."""

ABSENT = "UNKNOWN"
"""What old build tools write where they know nothing: it counts as not there."""

MAX_HEADER_BYTES = 4096
"""The longest header of a part; a field's name and a file's name fit in many times over."""


class Sink(Protocol):
    """Where the file's bytes go."""

    def write(self, data: memoryview, /) -> int:
        """Take the next bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLimits:
    """How much one form may bring."""

    file_bytes: int
    field_bytes: int
    form_bytes: int
    """Everything but the file, in bytes: whatever is kept of a form is within it."""
    fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What came: the file's name, and the fields that were asked for; an empty field counts as not there."""

    filename: str
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By name, the values in the order in which they came."""

    def get(self, name: str) -> str | None:
        """Return a field that stands once, or None."""
        found = self.fields.get(name)
        return found[0] if found else None

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field that may stand several times."""
        return self.fields.get(name, ())


class FormReader:
    """Takes the body of one request piece by piece. Not for two threads at once."""

    def __init__(
        self,
        content_type: str | None,
        *,
        sink: Sink,
        wanted: frozenset[str],
        repeated: frozenset[str] = frozenset(),
        limits: FormLimits,
        on_file: Callable[[str], None],
    ) -> None:
        """Prepare for one body.

        :param content_type: the request's header, which holds the boundary
        :param wanted: the names of the fields to keep; each may stand once
        :param repeated: the names of further fields to keep, which may stand several times
        :param on_file: called with the file's name before its first byte; what it raises ends the reading
        :raises InvalidForm: this is no multipart form
        """
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InvalidForm("an upload is a multipart/form-data form", where="Content-Type")
        self._sink, self._limits, self._on_file = sink, limits, on_file
        self._wanted, self._repeated = wanted, repeated
        self._kept: dict[str, list[bytearray]] = {}
        self._filename: str | None = None
        self._header, self._value = bytearray(), bytearray()
        self._disposition = self._type = b""
        self._name = ""
        self._part: bytearray | None = None
        self._parts = self._size = self._form_size = 0
        self._to_file = self._ended = False
        # the parser finds a preamble's end or not, depending on the pieces; no upload tool sends one
        self._opening = b"--" + options[b"boundary"]
        self._begun: bytearray | None = bytearray()
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._part_data,
                    "on_end": self._form_ends,
                },
            )
        except FormParserError as error:
            raise InvalidForm("the form's boundary cannot be used", where="Content-Type") from error

    def write(self, data: bytes) -> None:
        """Take the next bytes of the body.

        :raises InvalidForm: they do not follow the format, or a field stands twice
        :raises UploadTooLarge: a limit is passed
        """
        if self._begun is not None:
            self._begun += data
            if len(self._begun) < len(self._opening) and self._opening.startswith(self._begun):
                return
            if not self._begun.startswith(self._opening):
                raise InvalidForm("the form does not begin with its boundary", where="body")
            data, self._begun = bytes(self._begun), None
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidForm("the form's parts cannot be told apart", where="body") from error

    def finish(self) -> Form:
        """Return the form once the whole body was written.

        :raises InvalidForm: it broke off, brought no file, or a field is not UTF-8
        """
        if not self._ended:
            raise InvalidForm("the form breaks off before its last boundary", where="body")
        if self._filename is None:
            raise InvalidForm("the form brings no file", where=FILE_FIELD)
        fields = {}
        for name, values in self._kept.items():
            texts = tuple(text for value in values if (text := _text(name, value)) not in ("", ABSENT))
            if texts:
                fields[name] = texts
        return Form(filename=self._filename, fields=fields)

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > self._limits.fields:
            raise UploadTooLarge(f"more than {self._limits.fields} form fields", where="body", code="too-many-fields")
        self._part, self._to_file, self._size = None, False, 0
        self._disposition = self._type = b""
        self._header.clear()
        self._value.clear()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._check_header()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._check_header()

    def _check_header(self) -> None:
        if len(self._header) + len(self._value) > MAX_HEADER_BYTES:
            raise InvalidForm(f"a part has a header of more than {MAX_HEADER_BYTES} bytes", where="body")

    def _header_ends(self) -> None:
        header = bytes(self._header).lower()
        if header == b"content-disposition":
            self._disposition = bytes(self._value)
        elif header == b"content-type":
            self._type = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._name = name = options.get(b"name", b"").decode("utf-8", errors="replace")
        filename = options.get(b"filename")
        if name == FILE_FIELD:
            self._file_begins(filename)
        elif filename is not None and name != SIGNATURE_FIELD:
            raise InvalidForm("this field is to be text, not a file", where=name, code="field-not-text")
        elif name in self._wanted or name in self._repeated:
            values = self._kept.setdefault(name, [])
            if values and name in self._wanted:
                raise InvalidForm("this field stands twice", where=name, code="field-repeated")
            self._part = bytearray()
            values.append(self._part)

    def _file_begins(self, filename: bytes | None) -> None:
        if filename is None:
            raise InvalidForm("this part is to be a file with a name", where=FILE_FIELD)
        if self._filename is not None:
            raise InvalidForm("one upload brings one file", where=FILE_FIELD, code="field-repeated")
        if self._type.strip().lower().startswith(b"image/"):
            raise InvalidForm("the file is said to be an image", where=FILE_FIELD, code="content-type-not-allowed")
        self._filename = filename.decode("utf-8", errors="replace")
        self._on_file(self._filename)
        self._to_file = True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._to_file:
            if self._size > self._limits.file_bytes:
                raise UploadTooLarge(
                    f"the file has more than {self._limits.file_bytes} bytes",
                    where=FILE_FIELD,
                    hint="CPUFIT_MAX_UPLOAD_BYTES sets the limit",
                )
            self._sink.write(memoryview(data)[start:end])
            return
        self._form_size += end - start
        if self._size > self._limits.field_bytes or self._form_size > self._limits.form_bytes:
            what, most = "a form field has", self._limits.field_bytes
            if self._size <= most:
                what, most = "the form fields together have", self._limits.form_bytes
            raise UploadTooLarge(f"{what} more than {most} bytes", where=self._name, code="form-field-too-large")
        if self._name != SIGNATURE_FIELD and data.find(b"\0", start, end) >= 0:
            raise InvalidForm("a NUL stands in this field", where=self._name, code="nul-in-field")
        if self._part is not None:
            self._part += data[start:end]

    def _form_ends(self) -> None:
        self._ended = True


def _text(name: str, value: bytearray) -> str:
    try:
        return value.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise InvalidForm("not UTF-8", where=name) from error
