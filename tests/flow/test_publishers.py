"""Six tools publish by the commands on their how-to page: a release, the same again, other bytes, a wrong token."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.flow.flow_clients import uv_program
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import Outcome, clean_environment
from tests.flow.flow_server import Server, running_server
from tests.how_to_pages import PUBLISHING, blocks_of

pytestmark = pytest.mark.flow

COMMANDS = {block.program: block.text for block in blocks_of(PUBLISHING) if block.run_here and block.program}

BACKENDS = {"flit": ("flit_core", "flit_core.buildapi")}
HATCHLING = ("hatchling", "hatchling.build")
"""The build backend of the projects that other tools than flit publish: it is installed with the tests."""

PYPROJECT = """\
[build-system]
requires = ["{requirement}"]
build-backend = "{backend}"

[project]
name = "{name}"
version = "1.0"
description = "A small project"
readme = "README.md"
requires-python = ">=3.8"
license = "MIT"
keywords = ["small", "project"]
classifiers = ["Programming Language :: Python :: 3"]
dependencies = []
urls = {{ Source = "https://example.invalid/source" }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """A tool with a project of its own to publish."""

    tool: str
    programs: Path
    """The folder with the tool's program."""
    folder: Path
    server: Server
    token: str

    @property
    def module(self) -> str:
        return f"published_by_{self.tool}"

    @property
    def dist(self) -> list[Path]:
        return sorted((self.folder / "dist").iterdir())

    def write_project(self, answer: int) -> None:
        """Write the project's source, and build it unless the tool does so itself."""
        requirement, backend = BACKENDS.get(self.tool, HATCHLING)
        text = PYPROJECT.format(name=self.module.replace("_", "-"), requirement=requirement, backend=backend)
        (self.folder / "pyproject.toml").write_text(text, encoding="utf-8")
        (self.folder / "README.md").write_text("# Größer than it looks\n" + "A long line. " * 500, encoding="utf-8")
        (self.folder / self.module).mkdir(exist_ok=True)
        code = f'"""A small project."""\n\nanswer = {answer}\n'
        (self.folder / self.module / "__init__.py").write_text(code, encoding="utf-8")
        if self.tool not in BACKENDS:
            built = subprocess.run(
                [sys.executable, "-m", "hatchling", "build"],
                cwd=self.folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert built.returncode == 0, built.stderr

    def publish(self, token: str | None = None, *, option: str = "") -> Outcome:
        """Run the commands of the page; only the index's address is another, and the last may get a further option."""
        script = COMMANDS[self.tool].replace("https://index.example", self.server.url).rstrip() + f" {option}"
        scratch = self.folder.parent
        ended = subprocess.run(
            ["sh", "-e", "-c", script],
            env={
                **clean_environment(scratch),
                "PATH": os.pathsep.join([str(self.programs), os.environ["PATH"]]),
                "INDEX_TOKEN": token or self.token,
                "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
                "PDM_CHECK_UPDATE": "false",
                # it would ask pypi.org for the list of classifiers, whatever index the machine has
                "FLIT_NO_NETWORK": "1",
            },
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=240,
            check=False,
        )
        # some of them break lines where a terminal of 80 columns ends
        return Outcome(status=ended.returncode, output=" ".join(ended.stdout.split()))

    def published(self) -> dict[str, str]:
        """Return what the index lists: the files' names and their SHA-256."""
        answer = httpx.get(
            f"{self.server.url}/simple/{self.module.replace('_', '-')}/",
            headers={"Accept": "application/vnd.pypi.simple.v1+json"},
        )
        return (
            {} if answer.status_code == 404 else {f["filename"]: f["hashes"]["sha256"] for f in answer.json()["files"]}
        )

    def installed_answer(self, target: Path) -> str:
        """Install the project from the index with pip, and return what its module says."""
        index = ("--index-url", f"{self.server.url}/simple/")
        pip = [sys.executable, "-m", "pip", "install", *index, "--target", str(target), self.module.replace("_", "-")]
        environment = clean_environment(target.parent)
        ended = subprocess.run(pip, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        code = f"import {self.module}; print({self.module}.answer)"
        asked = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONPATH": str(target)}, capture_output=True, text=True, check=True
        )
        return asked.stdout.strip()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(tmp_path_factory.mktemp("publishers")) as server:
        yield server


def _programs(tool: str, environments: Environments) -> Path:
    match tool:
        case "twine":
            return Path(sys.executable).parent
        case "uv":
            return uv_program().parent
        case "poetry" | "pdm" | "flit" | "hatch":
            return environments.tool(tool).parent
    raise AssertionError(f"the page names a tool that nothing here installs: {tool}")


def make_publisher(tool: str, server: Server, environments: Environments, directory: Path) -> Publisher:
    """Return a tool with a token and a project that is built; skips where the tool cannot be had."""
    folder = directory / "project"
    folder.mkdir()
    token = server.token(f"published-by-{tool}")
    programs = _programs(tool, environments)
    publisher = Publisher(tool=tool, programs=programs, folder=folder, server=server, token=token)
    publisher.write_project(42)
    return publisher


NETWORK = {"poetry", "pdm", "hatch", "flit"}


@pytest.mark.parametrize(
    "tool", [pytest.param(tool, marks=pytest.mark.network if tool in NETWORK else ()) for tool in sorted(COMMANDS)]
)
def test_a_tool_publishes_once_and_again_and_is_told_why_not(
    tool: str, server: Server, environments: Environments, tmp_path: Path
) -> None:
    publisher = make_publisher(tool, server, environments, tmp_path)
    refused = publisher.publish("cpufit-" + "A" * 43)
    assert refused.status != 0, refused.output
    assert "this token was never issued here, or was revoked" in refused.output
    assert publisher.published() == {}

    sent = publisher.publish()
    assert sent.status == 0, sent.output
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in publisher.dist}
    assert sorted(files) == [f"published_by_{tool}-1.0-py3-none-any.whl", f"published_by_{tool}-1.0.tar.gz"]
    assert publisher.published() == files

    again = publisher.publish()
    assert again.status == 0, again.output
    assert publisher.published() == files

    publisher.write_project(43)
    other = publisher.publish()
    assert other.status != 0, other.output
    assert "File already exists" in other.output
    assert publisher.published() == files
    assert publisher.installed_answer(tmp_path / "installed") == "42"


class TestSkipExisting:
    @pytest.mark.network
    def test_poetry_passes_over_a_taken_name(self, environments: Environments, tmp_path: Path) -> None:
        with running_server(tmp_path / "server") as server:
            publisher = make_publisher("poetry", server, environments, tmp_path)
            assert publisher.publish().status == 0
            files = publisher.published()
            publisher.write_project(43)
            skipped = publisher.publish(option="--skip-existing")
            assert skipped.status == 0, skipped.output
            assert "File exists. Skipping" in skipped.output
            assert publisher.published() == files

    def test_twine_says_that_it_is_for_pypi_alone(
        self, server: Server, environments: Environments, tmp_path: Path
    ) -> None:
        refused = make_publisher("twine", server, environments, tmp_path).publish(option="--skip-existing")
        assert refused.status != 0
        assert "does not have support for the following features: --skip-existing" in refused.output


def test_the_page_covers_the_tools_that_publish() -> None:
    assert sorted(COMMANDS) == ["flit", "hatch", "pdm", "poetry", "twine", "uv"]
