"""Fetching a file: streamed, resumed where the connection breaks, checked while it arrives."""

from __future__ import annotations

import hashlib
import secrets
import time
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO, Callable, TypeVar

from .failures import DownloadFailed, WrongBytes
from .release import RemoteFile
from .transport import BrokenConnection, Transport

RETRIES = 3
CHUNK = 1 << 18
"""Bytes read at once."""
METADATA_LIMIT = 32 << 20
"""Longest METADATA read, in bytes."""
PROGRESS_INTERVAL = 5.0
"""Seconds between two progress lines: installers show them line by line, or not at all."""

Narrate = Callable[[str], None]
T = TypeVar("T")


class _Arriving:
    """A file on its way: what has come of it so far outlives a broken connection."""

    def __init__(self, file: RemoteFile, stream: BinaryIO, narrate: Narrate) -> None:
        self.file = file
        self.received = 0
        self.etag: str | None = None
        self._stream = stream
        self._narrate = narrate
        self._digest = hashlib.sha256()
        self._told = time.monotonic()

    def restart(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()
        self._digest = hashlib.sha256()
        self.received = 0

    def write(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if self.received > self.file.size:
            raise WrongBytes(f"{self.file.filename} is longer than the {self.file.size} bytes that the selector says")
        self._stream.write(chunk)
        self._digest.update(chunk)
        if time.monotonic() - self._told >= PROGRESS_INTERVAL:
            self._told = time.monotonic()
            self._narrate(f"{100 * self.received // self.file.size}% of {self.file.filename}")

    def check(self) -> None:
        if self._digest.hexdigest() != self.file.sha256:
            raise WrongBytes(
                f"{self.file.filename} has the SHA-256 {self._digest.hexdigest()}, not {self.file.sha256}",
                hint="nothing was installed; whoever runs the index should know of it",
            )


def fetch(transport: Transport, file: RemoteFile, folder: Path, narrate: Narrate) -> Path:
    """Put a file into a folder under its own name, and return its path.

    It appears there only whole and with the right hash.

    :raises DownloadFailed: the index does not hand it out, or the connection broke four times
    :raises WrongBytes: it has another hash or size
    """
    started = time.monotonic()
    narrate(f"downloading {file.filename} ({megabytes(file.size)})")
    target = folder / file.filename
    part = folder / f".cpufit-{secrets.token_hex(8)}.part"
    try:
        with part.open("w+b") as stream:
            arriving = _Arriving(file, stream, narrate)
            _until_whole(transport, arriving, narrate)
            arriving.check()
        part.replace(target)
    except OSError as error:
        raise DownloadFailed(f"{file.filename} could not be written: {error.strerror or error}") from error
    finally:
        if part.exists():
            part.unlink()
    narrate(f"downloaded {file.filename} in {time.monotonic() - started:.1f} s; its hash is right")
    return target


def fetch_bytes(transport: Transport, url: str, sha256: str, what: str) -> bytes:
    """Return a small file, checked.

    :raises DownloadFailed: the index does not hand it out
    :raises WrongBytes: it has another hash
    """
    data = _again(lambda: _read_all(transport, url, what), what, lambda _: None)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise WrongBytes(f"{what} has another SHA-256 than the selector says ({sha256})")
    return data


def megabytes(size: int) -> str:
    """Return a number of bytes as people read it: ``273.6 MB``."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


def _read_all(transport: Transport, url: str, what: str) -> bytes:
    with transport.get(url) as response:
        try:
            data = response.read(METADATA_LIMIT + 1)
        except (OSError, HTTPException) as error:
            raise BrokenConnection(str(error) or type(error).__name__) from error
    if len(data) > METADATA_LIMIT:
        raise WrongBytes(f"{what} is longer than {METADATA_LIMIT} bytes")
    return data


def _until_whole(transport: Transport, arriving: _Arriving, narrate: Narrate) -> None:
    _again(lambda: _attempt(transport, arriving), arriving.file.filename, narrate)


def _again(attempt: Callable[[], T], what: str, narrate: Narrate) -> T:
    """Try once, and at most :data:`RETRIES` times more with growing pauses."""
    failed = 0
    while True:
        try:
            return attempt()
        except BrokenConnection as error:  # noqa: PERF203  # at most four turns, each of them a request
            failed += 1
            if failed > RETRIES:
                raise DownloadFailed(f"{what}: the connection broke {failed} times, last: {error}") from error
            narrate(f"the connection broke ({error}); trying again")
            time.sleep(0.25 * 2**failed)


def _attempt(transport: Transport, arriving: _Arriving) -> None:
    headers = {"Accept-Encoding": "identity"}
    if arriving.received and arriving.etag:
        headers.update({"Range": f"bytes={arriving.received}-", "If-Range": arriving.etag})
    else:
        arriving.restart()
    with transport.get(arriving.file.url, headers) as response:
        if not _continues(response, arriving.received):
            arriving.restart()
        etag = response.headers.get("ETag")
        # a weak tag says nothing about bytes (RFC 9110 section 13.1.5)
        arriving.etag = etag if etag and not etag.startswith("W/") else None
        _take(response, arriving)
    if arriving.received < arriving.file.size:
        raise BrokenConnection(f"{arriving.received} of {arriving.file.size} bytes came")


def _continues(response: HTTPResponse, received: int) -> bool:
    """Tell whether a response goes on where the last one broke off."""
    span = response.headers.get("Content-Range", "")
    return response.status == 206 and span.replace(" ", "").startswith(f"bytes{received}-")


def _take(response: HTTPResponse, arriving: _Arriving) -> None:
    while True:
        try:
            chunk = response.read(CHUNK)
        except (OSError, HTTPException) as error:
            raise BrokenConnection(str(error) or type(error).__name__) from error
        if not chunk:
            return
        arriving.write(chunk)
