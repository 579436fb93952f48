"""A server process whose disk becomes full or read-only: each request is refused whole, and works when it is well.

The disk is a small one in memory, which root alone can make. Whoever is not root gives the process a limit for one
file, which meets what is written in the same places.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_server import Server, running_server, server_environment, twine_upload
from tests.server.conftest import wheel_bytes
from tests.server.upstream_index import UpstreamIndex, upstream_server

from cpufit_server.demo.processes import free_port

if sys.platform != "win32":
    import resource

pytestmark = [
    pytest.mark.flow,
    pytest.mark.skipif(sys.platform != "linux", reason="the limits of a running process are set as Linux has it"),
]

SMALL = wheel_bytes("small")
LARGE = wheel_bytes("large", extra=f"\nNOISE = '{random.Random(3).randbytes(1_500_000).hex()}'\n".encode())
TAGS = "cp311-cp311-manylinux_2_17_x86_64"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder for a server whose home is a disk of 24 MiB; its log is elsewhere."""
    home = tmp_path / "served" / "home"
    home.mkdir(parents=True)
    mounted = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(home)]
    if os.geteuid() != 0 or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("a disk can be mounted by root alone, where the system lets it")
    try:
        yield home.parent
    finally:
        subprocess.run(["umount", str(home)], check=True)


@contextmanager
def filled(home: Path, *, leaving: int = 0) -> Iterator[None]:
    """Fill a disk, but for some bytes."""
    filler = home / "filler"
    with filler.open("xb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(1 << 12))
        except OSError:
            stream.truncate(stream.tell() - leaving)
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def limited(server: Server, size: int) -> Iterator[None]:
    """Let a server write no file beyond a size."""
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))


def upload(server: Server, token: str, file: tuple[str, bytes], **fields: str) -> httpx.Response:
    with httpx.Client(timeout=60, trust_env=False) as client:
        return client.post(
            server.upload_url(),
            data={":action": "file_upload", **fields},
            files={"content": file},
            auth=("__token__", token),
        )


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{server.url}{path}", headers=headers, timeout=30, trust_env=False)


def ended(server: Server, *words: str) -> tuple[int, str]:
    """Run a command on the server's home; returns its exit code and what it wrote."""
    done = subprocess.run(
        [sys.executable, "-m", "cpufit_server", *words],
        env=server_environment(server.home, server.settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def is_clean(server: Server) -> bool:
    """Tell whether nothing is left of what was refused."""
    staged = [path for folder in server.home.rglob("staging") for path in folder.iterdir()]
    return staged == [] and "all is well" in server.command("verify") and "left" not in server.command("verify")


def log_of(server: Server) -> str:
    return (server.home.parent / "server.log").read_text(encoding="utf-8")


def test_a_full_disk_refuses_what_is_written_and_serves_what_is_there(disk: Path, tmp_path: Path) -> None:
    with running_server(disk) as server:
        token = server.token("small", "large", "native")
        admin = {"Authorization": f"Bearer {admin_token(server)}"}
        assert (
            upload(server, token, wheel_bytes("native", tags=TAGS, native=True), cpufit_needs="x86_64_v3").status_code
            == 200
        )
        assert upload(server, token, wheel_bytes("small", "0.9")).status_code == 200
        wheel = tmp_path / SMALL[0]
        wheel.write_bytes(SMALL[1])
        with filled(server.home):
            for file in (SMALL, LARGE, wheel_bytes("native", "1.1", TAGS, native=True)):
                assert told(upload(server, token, file)) == (507, "storage-full")
            assert "there is no room left" in twine_upload(server, token, wheel).output
            api = f"{server.url}/api/v1/projects/small"
            body = {"version": "0.9", "why": "wrong"}
            with httpx.Client(headers=admin, timeout=30, trust_env=False) as client:
                assert told(client.post(f"{api}/yank", json=body)) == (507, "storage-full")
                assert told(client.post(f"{api}/settings", json={"unknown": "allow", "why": "x"})) == (
                    507,
                    "storage-full",
                )
                assert told(client.delete(f"{api}/releases/0.9", params={"why": "wrong"})) == (507, "storage-full")
            for words in (
                ("token", "create", "--project", "small"),
                ("import", str(wheel)),
                ("backup", f"{disk}/home/b"),
            ):
                status, said = ended(server, *words)
                assert (status, "[storage-full]" in said, "Traceback" in said) == (1, True, False), said
            assert f"{server.home}/b" in ended(server, "backup", f"{server.home}/b")[1]  # which disk it is that is full
            for path in ("/simple/", "/simple/small/", "/cpu/x86_64_v4/simple/native/", "/api/v1/projects/native"):
                assert get(server, path).status_code == 200
            page = get(server, "/simple/small/", Accept="application/vnd.pypi.simple.v1+json").json()
            assert [file["filename"] for file in page["files"]] == ["small-0.9-py3-none-any.whl"]
            assert get(server, f"/simple/small/{page['files'][0]['url']}").content == wheel_bytes("small", "0.9")[1]
            # the selector of a release that no plain pip asked for yet would have to be stored
            assert told(get(server, "/simple/native/")) == (507, "storage-full")
        assert is_clean(server)
        assert [upload(server, token, file).json()["status"] for file in (SMALL, LARGE)] == ["new", "new"]
        assert get(server, "/simple/native/").status_code == 200
        assert is_clean(server)
        assert "Traceback" not in log_of(server)


def admin_token(server: Server) -> str:
    return server.command("token", "create", "--all-projects", "--scope", "admin").split()[0]


def test_files_of_the_upstream_come_whole_or_not_at_all(disk: Path) -> None:
    data = random.Random(5).randbytes(3_000_000)
    with upstream_server() as index, running_server(disk, CPUFIT_UPSTREAM=index.simple) as server:
        here = index.add("other", "other-1.0.tar.gz", data)
        sized = index.add("other", "other-2.0.tar.gz", data + b"2")
        unsized = index.add("other", "other-3.0.tar.gz", data + b"3")
        index.pages["other"][2].pop("size")
        large = index.add("other", "other-4.0.tar.gz", data * 2)
        assert get(server, here).content == data
        with filled(server.home, leaving=1_000_000):
            assert told(get(server, large)) == (507, "storage-full")
            with pytest.raises(httpx.RemoteProtocolError):
                get(server, unsized)
            assert get(server, here).content == data
        with filled(server.home):
            assert told(get(server, unsized)) == (507, "storage-full")
            assert get(server, here).content == data
            assert_pages_pass(server, index)
        with filled(server.home, leaving=100_000):  # what is cached makes room for it
            assert get(server, sized).content == data + b"2"
            assert told(get(server, large)) == (507, "storage-full")
            assert get(server, sized).content == data + b"2"
        assert is_clean(server)
        assert get(server, large).content == data * 2
        assert get(server, unsized).content == data + b"3"
        assert "Traceback" not in log_of(server)


def assert_pages_pass(server: Server, index: UpstreamIndex) -> None:
    """Get a page that cannot be stored."""
    index.add("another", "another-1.0.tar.gz", b"small")
    assert get(server, "/simple/another/").status_code == 200


def test_a_server_starts_on_a_read_only_disk_and_not_on_a_full_one(disk: Path) -> None:
    with running_server(disk) as server:
        assert upload(server, server.token("small"), SMALL).status_code == 200
    with filled(server.home):
        status, said = ended(server, "serve", "--port", str(free_port()))
        assert (status, "Traceback" in said) == (1, False)
        assert "[storage-" in said
    subprocess.run(["mount", "-o", "remount,ro", str(server.home)], check=True)
    with running_server(disk) as again:
        assert get(again, "/simple/small/").status_code == 200
        status, said = ended(again, "token", "create", "--project", "small")
        assert (status, "[storage-failed]" in said, "Traceback" in said) == (1, True, False)
    assert "Traceback" not in log_of(again)


def test_a_limit_for_one_file_is_told_as_a_disk_is(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        token = server.token("small", "large")
        with limited(server, 1 << 20):
            assert told(upload(server, token, LARGE)) == (507, "storage-full")
            assert upload(server, token, SMALL).status_code == 200
        assert is_clean(server)
        log = (tmp_path / "server.log").stat().st_size
        with limited(server, log + 4000):  # no room for the catalog, and for a few lines of the log
            assert told(upload(server, token, wheel_bytes("small", "2.0"))) == (503, "storage-failed")
            assert get(server, "/simple/small/").status_code == 200
        assert upload(server, token, LARGE).status_code == 200
        assert upload(server, token, wheel_bytes("small", "2.0")).status_code == 200
        assert is_clean(server)
        assert "Traceback" not in log_of(server)
