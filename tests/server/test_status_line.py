"""The reason in the status line: where it comes from, and that nothing else gets into the line with it."""

from __future__ import annotations

import h11
import pytest

from cpufit_server.status_line import MAX_REASON_LENGTH, REASON_HEADER, _Connection, reason_phrase


def sent(*headers: tuple[str, str], status: int = 409) -> list[bytes]:
    """Return the lines of an answer's head as they go out."""
    connection = _Connection(h11.SERVER)
    connection.receive_data(b"POST /legacy/ HTTP/1.1\r\nHost: index.example\r\nContent-Length: 0\r\n\r\n")
    connection.next_event()
    head = connection.send(h11.Response(status_code=status, headers=[("Content-Length", "0"), *headers]))
    assert head is not None
    return head.split(b"\r\n")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("File already exists", "File already exists"),
        ("a\r\nSet-Cookie: b=c", "a??Set-Cookie: b=c"),
        ("größer \x00 €", "gr??er ? ?"),
        ("x" * MAX_REASON_LENGTH, "x" * MAX_REASON_LENGTH),
        ("x" * (MAX_REASON_LENGTH + 1), "x" * (MAX_REASON_LENGTH - 3) + "..."),
    ],
)
def test_a_phrase_is_one_short_line_of_ascii(text: str, phrase: str) -> None:
    assert reason_phrase(text) == phrase


def test_the_header_becomes_the_words_of_the_status_line() -> None:
    first, *others = sent(("Vary", "Accept"), (REASON_HEADER, "File already exists (file-already-exists)"))
    assert first.rstrip() == b"HTTP/1.1 409 File already exists (file-already-exists)"
    assert [line for line in others if line] == [b"Content-Length: 0", b"Vary: Accept"]


def test_an_answer_without_a_reason_goes_out_as_it_is() -> None:
    first, *_ = sent(("Vary", "Accept"), status=200)
    assert first.split(b" ")[:2] == [b"HTTP/1.1", b"200"]
