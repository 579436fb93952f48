"""A wheel of more than 4 GiB comes in and goes out while the server's memory stays small."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest
from tests.flow.flow_server import Server, running_server
from tests.flow.native_wheels import V1

pytestmark = [
    pytest.mark.flow,
    pytest.mark.grid,
    pytest.mark.skipif(os.environ.get("CPUFIT_TEST_GRID") != "1", reason="two minutes: CPUFIT_TEST_GRID=1 runs it"),
]

LARGE = (4 << 30) + 4096
"""The large member, in bytes: its size and all that stands behind it need zip64."""

PIECE = bytes(1 << 20)
MOST_MEMORY = 200 << 20
"""What the server's process may ever have resident, in bytes."""

NAME = "hugeone-1.0-cp311-abi3-linux_x86_64.whl"
INFO = "hugeone-1.0.dist-info"


class SparseFile(io.BufferedRandom):
    """A file in which the pieces of zeros take no room on the disk."""

    def write(self, data: object, /) -> int:
        if data is PIECE:
            self.seek(len(PIECE), io.SEEK_CUR)
            return len(PIECE)
        return super().write(data)  # type: ignore[arg-type]  # bytes of any kind


def zeros_digest(size: int) -> str:
    """Return the SHA-256 of zeros as RECORD writes it."""
    hasher = hashlib.sha256()
    for _ in range(size // len(PIECE)):
        hasher.update(PIECE)
    hasher.update(PIECE[: size % len(PIECE)])
    return base64.urlsafe_b64encode(hasher.digest()).rstrip(b"=").decode()


def record_line(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}"


def write_wheel(path: Path, library: bytes) -> None:
    """Write a right wheel with a library, and with zeros before and behind which zip64 is needed."""
    small = {
        "hugeone/native.so": library,
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: hugeone\nVersion: 1.0\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: flow\nRoot-Is-Purelib: false\nTag: cp311-abi3-linux_x86_64\n",
    }
    lines = [record_line(name, data) for name, data in small.items()]
    lines += [f"hugeone/zeros.bin,sha256={zeros_digest(LARGE)},{LARGE}", f"{INFO}/RECORD,,", ""]
    with SparseFile(io.FileIO(path, "x+")) as file, zipfile.ZipFile(file, "w") as archive:
        large = zipfile.ZipInfo("hugeone/zeros.bin")
        large.file_size = LARGE
        with archive.open(large, "w", force_zip64=True) as member:
            for _ in range(LARGE // len(PIECE)):
                member.write(PIECE)
            member.write(PIECE[: LARGE % len(PIECE)])
        for name, data in small.items():
            archive.writestr(zipfile.ZipInfo(name), data)
        archive.writestr(zipfile.ZipInfo(f"{INFO}/RECORD"), "\n".join(lines))


def sha256_of(file: BinaryIO) -> str:
    hasher = hashlib.sha256()
    while piece := file.read(len(PIECE)):
        hasher.update(piece)
    return hasher.hexdigest()


def peaks_of_children(pid: int) -> list[int]:
    """Return the most memory that each process under this one ever had resident, in bytes."""
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text(encoding="ascii").split():
            status = Path(f"/proc/{child}/status").read_text(encoding="ascii")
            found += [int(peak) * 1024 for peak in re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)]
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if shutil.disk_usage(tmp_path).free < 3 * LARGE:
        pytest.skip("less than 12 GiB are free on the disk")
    settings = {"CPUFIT_MAX_UPLOAD_BYTES": str(2 * LARGE), "CPUFIT_INSPECTION_PATIENCE": "600"}
    try:
        with running_server(tmp_path / "index", **settings) as server:
            yield server
    finally:
        # pytest keeps the folders of its last runs
        shutil.rmtree(tmp_path / "index")


def test_a_wheel_of_4_gib_takes_no_memory(
    server: Server, shared_objects: dict[str, Path], tmp_path: Path, figures: dict[str, str]
) -> None:
    wheel = tmp_path / NAME
    write_wheel(wheel, shared_objects[V1.name].read_bytes())
    length, token = wheel.stat().st_size, server.token("hugeone")
    assert length > LARGE
    with wheel.open("rb") as file:
        digest = sha256_of(file)
    before = server.peak_memory()

    with wheel.open("rb") as file:
        started = time.monotonic()
        answer = httpx.post(
            server.upload_url(),
            data={":action": "file_upload", "protocol_version": "1", "sha256_digest": digest},
            files={"content": (NAME, file, "application/octet-stream")},
            auth=("__token__", token),
            timeout=900,
        )
        seconds = time.monotonic() - started
    uploaded = server.peak_memory()
    children = peaks_of_children(server.pid)

    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["sha256"], told["verdict"], told["need"]["x86_64"]["use"]) == (digest, "known", "x86_64_v1")
    url = f"{server.url}/files/{digest}/{NAME}"
    head = httpx.head(url)
    assert (head.status_code, head.headers["content-length"], head.headers["accept-ranges"]) == (
        200,
        str(length),
        "bytes",
    )
    with wheel.open("rb") as file:
        for first, last in ((0, 4095), (LARGE - 100, LARGE + 1000), (length - 65536, length - 1)):
            file.seek(first)
            part = httpx.get(url, headers={"Range": f"bytes={first}-{last}"})
            assert (part.status_code, part.headers["content-range"]) == (206, f"bytes {first}-{last}/{length}")
            assert part.content == file.read(last - first + 1)
    with httpx.stream("GET", url, timeout=900) as whole:
        hasher, started = hashlib.sha256(), time.monotonic()
        for piece in whole.iter_bytes(1 << 20):
            hasher.update(piece)
    downloading = time.monotonic() - started
    assert hasher.hexdigest() == digest
    downloaded = server.peak_memory()
    figures["a wheel of 4 GiB"] = (
        f"uploaded in {seconds:.0f} s, downloaded in {downloading:.0f} s; peak RSS of the server "
        f"{before >> 20} MiB before, {uploaded >> 20} MiB after the upload, {downloaded >> 20} MiB in the end; "
        f"of its inspection {', '.join(str(peak >> 20) for peak in children) or 'none'} MiB"
    )
    assert downloaded < MOST_MEMORY
