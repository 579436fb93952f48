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
    fields: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What came: the file's name, and the fields that were asked for; an empty field counts as not there."""

    filename: str
    fields: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        """Return a field, or None."""
        return self.fields.get(name)


class FormReader:
    """Takes the body of one request piece by piece. Not for two threads at once."""

    def __init__(
        self,
        content_type: str | None,
        *,
        sink: Sink,
        wanted: frozenset[str],
        limits: FormLimits,
        on_file: Callable[[str], None],
    ) -> None:
        """Prepare for one body.

        :param content_type: the request's header, which holds the boundary
        :param wanted: the names of the fields to keep
        :param on_file: called with the file's name before its first byte; what it raises ends the reading
        :raises InvalidForm: this is no multipart form
        """
        kind, options = parse_options_header(content_type)
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise InvalidForm("an upload is a multipart/form-data form", where="Content-Type")
        self._sink, self._wanted, self._limits, self._on_file = sink, wanted, limits, on_file
        self._kept: dict[str, bytearray] = {}
        self._filename: str | None = None
        self._header, self._value = bytearray(), bytearray()
        self._disposition = b""
        self._part: str | None = None
        self._parts = self._size = 0
        self._to_file = self._ended = False
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
        for name, value in self._kept.items():
            try:
                text = value.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise InvalidForm("not UTF-8", where=name) from error
            if text:
                fields[name] = text
        return Form(filename=self._filename, fields=fields)

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > self._limits.fields:
            raise UploadTooLarge(f"more than {self._limits.fields} form fields", where="body", code="too-many-fields")
        self._part, self._disposition, self._to_file, self._size = None, b"", False, 0
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
        if bytes(self._header).lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", errors="replace")
        if name == FILE_FIELD:
            self._file_begins(options.get(b"filename"))
        elif name in self._wanted:
            if name in self._kept:
                raise InvalidForm("this field stands twice", where=name)
            self._part = name
            self._kept[name] = bytearray()

    def _file_begins(self, filename: bytes | None) -> None:
        if filename is None:
            raise InvalidForm("this part is to be a file with a name", where=FILE_FIELD)
        if self._filename is not None:
            raise InvalidForm("one upload brings one file", where=FILE_FIELD)
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
        if self._size > self._limits.field_bytes:
            raise UploadTooLarge(
                f"a form field has more than {self._limits.field_bytes} bytes",
                where=self._part,
                code="form-field-too-large",
            )
        if self._part is not None:
            self._kept[self._part] += data[start:end]

    def _form_ends(self) -> None:
        self._ended = True
