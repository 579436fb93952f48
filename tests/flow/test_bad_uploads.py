"""What must not get in: each bad upload is a 4xx with code and hint, and leaves the home as it was."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_server import Server, running_server, twine_upload, uv_publish
from tests.flow.native_wheels import record_of

pytestmark = pytest.mark.flow

LIMIT = 100_000
"""The largest upload that the server of this module takes, in bytes."""

Members = dict[str, bytes]

NAME = "goodone-1.0-py3-none-any.whl"
INFO = "goodone-1.0.dist-info"


def good_members() -> Members:
    return {
        "goodone.py": b"ANSWER = 42\n",
        f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: goodone\nVersion: 1.0\n",
        f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nGenerator: flow\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }


def zipped(members: Members, *, record: bytes | None = None) -> bytes:
    """Return a zip file with a RECORD, the right one unless another is given; same members, same bytes."""
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data)
        archive.writestr(
            zipfile.ZipInfo(f"{INFO}/RECORD"), record_of(members, f"{INFO}/RECORD") if record is None else record
        )
    return target.getvalue()


def with_member(name: str, data: bytes) -> bytes:
    return zipped({**good_members(), name: data})


@dataclass(frozen=True, slots=True, kw_only=True)
class Bad:
    """One bad upload: what differs from a good one, and what must come of it."""

    code: str
    status: int = 400
    filename: str = NAME
    content: Callable[[], bytes] = field(default=lambda: zipped(good_members()))
    fields: dict[str, str] = field(default_factory=dict)


def _with_native(name: str) -> bytes:
    return zipped({**good_members(), name: b"\x7fELF" + bytes(60)})


BAD_UPLOADS = {
    "not a zip": Bad(code="not-a-wheel", content=lambda: b"this is no zip file"),
    "a cut zip": Bad(code="not-a-wheel", content=lambda: zipped(good_members())[:-30]),
    "an empty file": Bad(code="not-a-wheel", content=lambda: b""),
    "another sha256": Bad(code="digest-mismatch", fields={"sha256_digest": "0" * 64}),
    "another blake2": Bad(code="digest-mismatch", fields={"blake2_256_digest": "0" * 64}),
    "another md5": Bad(code="digest-mismatch", fields={"md5_digest": "0" * 32}),
    "another project's METADATA": Bad(
        code="metadata-mismatch",
        content=lambda: with_member(f"{INFO}/METADATA", b"Metadata-Version: 2.1\nName: otherone\nVersion: 1.0\n"),
    ),
    "another version's METADATA": Bad(
        code="metadata-mismatch",
        content=lambda: with_member(f"{INFO}/METADATA", b"Metadata-Version: 2.1\nName: goodone\nVersion: 2.0\n"),
    ),
    "a METADATA that is none": Bad(
        code="invalid-metadata", content=lambda: with_member(f"{INFO}/METADATA", b"\xff\xfe nothing")
    ),
    "another dist-info": Bad(code="dist-info-mismatch", filename="goodone-1.1-py3-none-any.whl"),
    "two dist-infos": Bad(
        code="dist-info-mismatch", content=lambda: with_member("goodone-2.0.dist-info/METADATA", b"Name: goodone\n")
    ),
    "other tags": Bad(code="wheel-tags-mismatch", filename="goodone-1.0-py2-none-any.whl"),
    "a RECORD with another digest": Bad(
        code="record-mismatch",
        content=lambda: zipped(
            good_members(), record=record_of({**good_members(), "goodone.py": b"ANSWER = 41\n"}, f"{INFO}/RECORD")
        ),
    ),
    "a member that RECORD lacks": Bad(
        code="record-mismatch",
        content=lambda: zipped({**good_members(), "evil.py": b""}, record=record_of(good_members(), f"{INFO}/RECORD")),
    ),
    "a file name that leaves the folder": Bad(code="invalid-wheel-name", filename=f"../{NAME}"),
    "a file name with a backslash": Bad(code="invalid-wheel-name", filename="..\\goodone-1.0-py3-none-any.whl"),
    "a file name that is no wheel's": Bad(code="invalid-wheel-name", filename="goodone.whl"),
    "a file of another kind": Bad(code="invalid-wheel-name", filename="goodone-1.0.exe"),
    "a member that leaves the folder": Bad(
        code="unsafe-member-path", content=lambda: with_member("../../evil.py", b"")
    ),
    "a member with an absolute path": Bad(code="unsafe-member-path", content=lambda: with_member("/etc/evil", b"")),
    "a member with backslashes": Bad(code="unsafe-member-path", content=lambda: with_member("..\\evil.py", b"")),
    "a label without variant.json": Bad(
        code="variant-metadata-missing", filename="goodone-1.0-py3-none-any-x86_64_v3.whl"
    ),
    "a need that no table has": Bad(code="unknown-cpu-feature", fields={"cpufit_needs": "x86_64_v3+avx3"}),
    "a need without an architecture": Bad(code="invalid-cpu-token", fields={"cpufit_needs": "avx"}),
    "more bytes than are taken": Bad(
        code="upload-too-large", status=413, content=lambda: with_member("data.bin", bytes(LIMIT))
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Uploads:
    """A server that has one good file, and the token to upload to its project."""

    server: Server
    token: str

    def send(self, bad: Bad, *, token: str | None = None) -> httpx.Response:
        """Upload as twine does, but with whatever the form is given."""
        content = bad.content()
        fields = {
            ":action": "file_upload",
            "protocol_version": "1",
            "filetype": "bdist_wheel",
            "sha256_digest": hashlib.sha256(content).hexdigest(),
            **bad.fields,
        }
        secret = self.token if token is None else token
        access = base64.b64encode(f"__token__:{secret}".encode()).decode()
        return httpx.post(
            self.server.upload_url(),
            data=fields,
            files={"content": (bad.filename, content, "application/octet-stream")},
            headers={"Authorization": f"Basic {access}"} if secret else {},
        )

    def home(self) -> tuple[list[str], list[str]]:
        """Return everything that the home holds: its files with their sizes, and the catalog's rows."""
        files = sorted(
            f"{path.relative_to(self.server.home)} {path.stat().st_size}"
            for path in self.server.home.rglob("*")
            if path.is_file() and not path.name.startswith("catalog.sqlite3")
        )
        with sqlite3.connect(f"file:{self.server.home / 'catalog.sqlite3'}?mode=ro", uri=True) as catalog:
            rows = list(catalog.iterdump())
        catalog.close()
        return files, rows


@pytest.fixture(scope="module")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploads]:
    with running_server(tmp_path_factory.mktemp("bad"), CPUFIT_MAX_UPLOAD_BYTES=str(LIMIT)) as server:
        uploads = Uploads(server=server, token=server.token("goodone"))
        taken = uploads.send(Bad(code=""))
        assert taken.status_code == 200, taken.text
        yield uploads


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.json()["message"]
    assert answer.json().get("hint"), answer.text


@pytest.mark.parametrize("bad", BAD_UPLOADS.values(), ids=BAD_UPLOADS.keys())
def test_a_bad_upload_is_refused_and_nothing_is_stored(bad: Bad, uploads: Uploads) -> None:
    before = uploads.home()
    assert_refused(uploads.send(bad), bad.status, bad.code)
    assert uploads.home() == before


class TestWithoutTheRight:
    @pytest.mark.parametrize(
        ("token", "status", "code"),
        [
            ("", 401, "authentication-required"),
            ("wrong", 403, "token-not-valid"),
            ("cpufit-" + "A" * 43, 403, "token-not-valid"),
        ],
        ids=["no token", "no token of ours", "an unknown token"],
    )
    def test_nothing_is_stored(self, token: str, status: int, code: str, uploads: Uploads) -> None:
        before = uploads.home()
        assert_refused(uploads.send(Bad(code=code), token=token), status, code)
        assert uploads.home() == before

    def test_a_token_of_another_project_does_not_do(self, uploads: Uploads) -> None:
        other = uploads.server.token("otherone")
        before = uploads.home()
        assert_refused(uploads.send(Bad(code=""), token=other), 403, "token-not-for-project")
        assert uploads.home() == before

    def test_twine_and_uv_publish_say_so(self, uploads: Uploads, tmp_path: Path) -> None:
        wheel = tmp_path / NAME
        wheel.write_bytes(zipped({**good_members(), "goodone.py": b"ANSWER = 43\n"}))
        before = uploads.home()
        for upload in (twine_upload, uv_publish):
            sent = upload(uploads.server, "cpufit-" + "A" * 43, wheel)
            assert sent.status != 0
            assert "403" in sent.output
        assert uploads.home() == before


class TestATakenName:
    def test_the_same_bytes_again_are_no_fault(self, uploads: Uploads) -> None:
        before = uploads.home()
        again = uploads.send(Bad(code=""))
        assert (again.status_code, again.json()["status"]) == (200, "same")
        assert uploads.home() == before

    def test_other_bytes_of_the_same_need_are_refused(self, uploads: Uploads) -> None:
        other = Bad(code="", content=lambda: with_member("goodone.py", b"ANSWER = 43\n"))
        before = uploads.home()
        assert_refused(uploads.send(other), 409, "file-already-exists")
        assert uploads.home() == before

    def test_another_need_is_refused_where_the_project_has_no_variants(self, uploads: Uploads) -> None:
        uploads.server.command("project", "set", "goodone", "--variants", "off")
        other = Bad(code="", content=lambda: _with_native("goodone/native.so"))
        before = uploads.home()
        assert_refused(uploads.send(other), 409, "variants-not-enabled")
        assert uploads.home() == before
