"""The conformance suite against a real server: the folder copied elsewhere and run as somebody else would run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from tests.flow.flow_server import running_server
from tests.loopback import listening

pytestmark = pytest.mark.flow

SUITE = Path(__file__).parent.parent / "conformance"
PROJECT = "Conformance.Probe"
_PROJECT_COMMAND = f"'{sys.executable}' -m cpufit_server project"
_WHY = "--why {reason} --who probe"
OPERATOR = (
    f"--yank-command={_PROJECT_COMMAND} yank {{project}} --file {{filename}} {_WHY}",
    f"--unyank-command={_PROJECT_COMMAND} unyank {{project}} --file {{filename}} {_WHY}",
    f"--status-command={_PROJECT_COMMAND} status {{project}} {{status}} {_WHY}",
)
"""The commands of this server's operator that the suite may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of the suite: its status, what it printed, and its figures."""

    status: int
    output: str
    figures: dict[str, Any]

    def unmet(self) -> list[str]:
        """Return the requirements that are not met, each in a line."""
        return [
            f"{one['level']} {one['spec']}, {one['section']}: {one['text']} ({one['reason']})"
            for one in self.figures["requirements"]
            if one["result"] == "failed"
        ]

    def passed(self, spec: str) -> int:
        """Return how many requirements of a specification are met."""
        return sum(level["passed"] for level in self.figures["scores"][spec].values())


def run_suite(folder: Path, *options: str, home: Path | None = None) -> Run:
    """Copy the suite into a folder and run it there, with nothing of this repository around it.

    :param home: that of the server, for the commands of its operator
    """
    shutil.copytree(SUITE, folder / "conformance", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", encoding="utf-8")
    written = folder / "figures.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "conformance"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON", "CPUFIT_"))}
    ended = subprocess.run(
        [*command, f"--conformance-json={written}", *options],
        cwd=folder,
        env={**clean, **({} if home is None else {"CPUFIT_HOME": str(home)})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    assert written.exists(), ended.stdout
    return Run(status=ended.returncode, output=ended.stdout, figures=json.loads(written.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def cpufit_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("conformance")
    with running_server(directory / "server") as server:
        secret = server.token(PROJECT, f"{PROJECT}-uploads", f"{PROJECT}-lifecycle")
        addresses = (f"--index-url={server.url}/simple/", f"--upload-url={server.upload_url()}")
        who = (f"--password={secret}", f"--project={PROJECT}")
        return run_suite(directory, *addresses, *who, *OPERATOR, home=server.home)


def test_every_requirement_that_applies_is_met(cpufit_run: Run) -> None:
    assert cpufit_run.unmet() == []
    assert cpufit_run.status == 0, cpufit_run.output


def test_every_specification_was_tried(cpufit_run: Run) -> None:
    assert [spec for spec in cpufit_run.figures["scores"] if not cpufit_run.passed(spec)] == []


def test_the_table_is_printed(cpufit_run: Run) -> None:
    lines = [line.split() for line in cpufit_run.output.splitlines()]
    assert ["MUST", "SHOULD", "not", "applicable"] in lines
    scores = cpufit_run.figures["scores"]
    must = {level: sum(spec["MUST"][level] for spec in scores.values()) for level in ("passed", "failed")}
    assert f"{must['passed']}/{sum(must.values())}" in next(line for line in lines if line[:1] == ["all"])


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def served_folder(tmp_path: Path) -> Iterator[str]:
    """A folder of files, served as it is: an index of links that knows no hashes and one format."""
    project = tmp_path / "served" / "example"
    project.mkdir(parents=True)
    (project / "example-1.0-py3-none-any.whl").write_bytes(b"PK\x05\x06" + bytes(18))
    with listening(partial(_Silent, directory=str(tmp_path / "served"))) as address:
        yield f"{address}/"


def test_what_a_bare_folder_does_not_have_is_found(tmp_path: Path, served_folder: str) -> None:
    run = run_suite(tmp_path, f"--index-url={served_folder}", "--read-only", "--project=example")
    assert run.status == 1
    unmet = "\n".join(run.unmet())
    assert "SHOULD PEP 503, Specification: the URL includes a hash" in unmet
    assert "MUST PEP 691, JSON Serialization: responses are always a JSON object" in unmet
    assert "MUST PEP 629, Overview: a meta tag pypi:repository-version" in unmet
    uploads = run.figures["scores"]["Upload"]["MUST"]
    assert (uploads["passed"], uploads["failed"]) == (0, 0)
    assert uploads["not applicable"] > 20
    assert run.passed("PEP 503") > 5
