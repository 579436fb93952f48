"""What ``uv publish`` does with files that are there already: the steps by which uv's own tests try an index."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_clients import uv_program
from tests.flow.flow_machines import HERE, Environment, Outcome
from tests.flow.flow_server import Server, running_server
from tests.flow.native_wheels import V3, make_native_wheel
from tests.flow.upload_probes import Upload, sdist, wheel

pytestmark = pytest.mark.flow

PYPROJECT = """\
[project]
name = "any"
version = "1"

[[tool.uv.index]]
name = "ours"
url = "{url}/simple/"
publish-url = "{url}/legacy/"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("again")) as server:
        yield server


class Release:
    """A release in a folder, and the server that it goes to."""

    def __init__(self, server: Server, project: str, folder: Path) -> None:
        self.server, self.project, self.folder = server, project, folder
        self.token = server.token(project)
        self.dist = folder / "dist"
        self.dist.mkdir()
        self._here = Environment(machine=HERE, python=folder, scratch=folder)

    def put(self, *uploads: Upload) -> None:
        """Write files, in place of those of the same names."""
        for upload in uploads:
            (self.dist / upload.filename).write_bytes(upload.content)

    def publish(self, *options: str) -> Outcome:
        """Run ``uv publish`` on all files; the options say where to."""
        access = ("--token", self.token, "--trusted-publishing", "never")
        (self.folder / "pyproject.toml").write_text(PYPROJECT.format(url=self.server.url), encoding="utf-8")
        # the index's name is read from the project's settings
        command = ("env", "-u", "UV_NO_CONFIG", str(uv_program()), "publish", *access, *options)
        return self._here.run(*command, *(str(path) for path in sorted(self.dist.iterdir())))

    @property
    def there(self) -> tuple[str, ...]:
        """The options that name the upload address alone."""
        return ("--publish-url", self.server.upload_url())

    @property
    def checked(self) -> tuple[str, ...]:
        """The options with which uv looks at the index first."""
        return (*self.there, "--check-url", f"{self.server.url}/simple/")

    def uploads(self) -> int:
        """Count the uploads that the server was sent until now."""
        return (self.server.home.parent / "server.log").read_text(encoding="utf-8").count('"POST /legacy/')

    def serial(self) -> int:
        """Return the number that grows with each change of the project."""
        answer = httpx.get(f"{self.server.url}/api/v1/projects/{self.project}")
        number: int = answer.json()["serial"]
        return number


def project_of(folder: Path) -> str:
    """Return a name that no other test's project has."""
    return f"again{zlib.crc32(str(folder).encode())}"


@pytest.fixture
def release(server: Server, tmp_path: Path) -> Release:
    """A release of an ordinary project, published once."""
    project = project_of(tmp_path)
    release = Release(server, project, tmp_path)
    release.put(wheel(project), sdist(project))
    first = release.publish(*release.there)
    assert first.status == 0, first.output
    assert uploaded(first) == sorted(path.name for path in release.dist.iterdir())
    return release


def uploaded(outcome: Outcome) -> list[str]:
    """Return the files that uv said it uploads."""
    return sorted(line.split()[1] for line in outcome.output.splitlines() if line.startswith("Uploading "))


def change(release: Release) -> None:
    """Build the wheel anew, with other contents."""
    project = release.project
    release.put(wheel(project, add={f"{project}/__init__.py": b"answer = 43\n"}))


def test_the_same_files_again_are_sent_again_and_change_nothing(release: Release) -> None:
    before = release.serial()
    again = release.publish(*release.there)
    assert again.status == 0, again.output
    assert uploaded(again) == sorted(path.name for path in release.dist.iterdir())
    assert "already exists" not in again.output
    assert release.serial() == before


@pytest.mark.parametrize("way", ["--check-url", "--index"])
def test_a_check_finds_what_is_there_and_sends_nothing(way: str, release: Release) -> None:
    before = release.uploads()
    again = release.publish(*(release.checked if way == "--check-url" else ("--index", "ours")))
    assert again.status == 0, again.output
    assert uploaded(again) == []
    for path in release.dist.iterdir():
        assert f"{path.name} already exists, skipping" in again.output
    assert release.uploads() == before


def test_a_check_sends_what_is_missing_alone(release: Release) -> None:
    new = wheel(release.project, version="1.1")
    release.put(new)
    more = release.publish(*release.checked)
    assert more.status == 0, more.output
    assert uploaded(more) == [new.filename]


def test_a_check_finds_other_bytes_before_they_are_sent(release: Release) -> None:
    change(release)
    before = release.uploads()
    other = release.publish(*release.checked)
    assert other.status != 0
    assert "Local file and index file do not match" in other.output
    assert release.uploads() == before


def test_without_a_check_the_server_refuses_other_bytes(release: Release) -> None:
    change(release)
    other = release.publish(*release.there)
    assert other.status != 0
    assert "File already exists" in other.output


class TestCpuSpecificRelease:
    """On the page that uv checks, the selector has the name of the source distribution."""

    @pytest.fixture
    def release(self, server: Server, tmp_path: Path, shared_objects: dict[str, Path]) -> Release:
        project = project_of(tmp_path)
        release = Release(server, project, tmp_path)
        made = make_native_wheel(tmp_path / "built", shared_objects[V3.name], project, "1.0")
        made.rename(release.dist / made.name)
        release.put(sdist(project))
        return release

    def test_is_published_and_published_again_without_a_check(self, release: Release) -> None:
        for _ in range(2):
            sent = release.publish(*release.there)
            assert sent.status == 0, sent.output
            assert uploaded(sent) == sorted(path.name for path in release.dist.iterdir())

    def test_a_check_takes_the_selector_for_the_source_distribution(self, release: Release) -> None:
        sent = release.publish(*release.checked)
        assert sent.status != 0
        assert f"do not match for `{release.project}-1.0.tar.gz`" in sent.output

    def test_a_check_by_the_page_of_a_cpu_has_no_selector_to_find(self, release: Release) -> None:
        assert release.publish(*release.there).status == 0
        again = release.publish(*release.there, "--check-url", f"{release.server.url}/cpu/x86_64_v3/simple/")
        assert again.status == 0, again.output
        assert uploaded(again) == [f"{release.project}-1.0.tar.gz"]
