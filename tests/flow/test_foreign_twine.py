"""twine's own integration tests, from its source distribution, with this server in place of the devpi they start."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import httpx
import pytest
from tests.flow import foreign_twine
from tests.flow.flow_clients import uv_program
from tests.flow.flow_machines import clean_environment
from tests.flow.flow_server import Server, running_server

from cpufit_server.machines import base_interpreter

pytestmark = [pytest.mark.flow, pytest.mark.network]

VERSION = importlib.metadata.version("twine")
UPLOADED = "test_devpi_upload"
FIXTURES = 4
"""How many files each upload test sends: two source distributions with metadata 1.1, two wheels."""


def unpack_sdist(directory: Path) -> Path:
    """Download twine's source distribution and unpack it outside of the repository."""
    wanted = f"twine=={VERSION}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "download", "--quiet", "--no-deps"]
    ended = subprocess.run(
        [*pip, "--no-binary", "twine", "--dest", str(directory), wanted],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if ended.returncode != 0:
        pytest.skip(f"the source distribution of {wanted} cannot be had: {ended.stderr.strip()[-200:]}")
    with tarfile.open(directory / f"twine-{VERSION}.tar.gz") as archive:
        archive.extractall(directory, filter="data")
    return directory / f"twine-{VERSION}"


def make_python(directory: Path) -> Path:
    """Make an environment with that twine and what its tests ask for."""
    python, requirements = directory / "bin" / "python", (f"twine=={VERSION}", "pytest", "pytest-socket")
    for command in (
        [uv_program(), "--no-config", "venv", "--quiet", "--python", base_interpreter(), directory],
        [uv_program(), "--no-config", "pip", "install", "--quiet", "--python", python, *requirements],
    ):
        words = [str(word) for word in command]
        ended = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode != 0:
            pytest.skip(f"what twine's tests ask for cannot be had: {ended.stderr.strip()[-200:]}")
    return python


def run_tests(python: Path, sources: Path, server: Server, report: Path) -> str:
    """Run the integration tests of an unpacked twine against a server, and return what pytest printed."""
    shutil.copy(foreign_twine.__file__, sources)
    # the project's own settings leave these tests out
    settings = ("-c", os.devnull, "--rootdir", str(sources), "-p", "foreign_twine", "-p", "no:cacheprovider")
    ended = subprocess.run(
        [str(python), "-m", "pytest", *settings, f"--junitxml={report}", "-rA", "tests/test_integration.py"],
        env={
            **clean_environment(sources.parent),
            "PYTHONPATH": str(sources),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "UPLOAD_URL": server.upload_url(),
            "UPLOAD_TOKEN": server.token("twine"),
        },
        cwd=sources,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return ended.stdout


def outcomes(report: Path) -> Counter[tuple[str, str]]:
    """Count (test, outcome) in a JUnit report; parametrized tests count by their function."""
    found = Counter[tuple[str, str]]()
    for case in ET.parse(report).iter("testcase"):
        tags = {child.tag for child in case} & {"failure", "error", "skipped"}
        found[case.get("name", "").split("[")[0], tags.pop() if tags else "passed"] += 1
    return found


def test_twines_integration_tests_pass(network: None, tmp_path: Path, figures: dict[str, str]) -> None:
    sources = unpack_sdist(tmp_path)
    python = make_python(tmp_path / "environment")
    report = tmp_path / "report.xml"
    with running_server(tmp_path / "server") as server:
        printed = run_tests(python, sources, server, report)
        assert report.exists(), printed
        found = outcomes(report)
        # a test that is new in another twine is neither: it has to be looked at
        assert set(found) == {(UPLOADED, "passed"), *((name, "skipped") for name in foreign_twine.NOT_APPLICABLE)}, (
            printed
        )
        assert found[UPLOADED, "passed"] == FIXTURES, printed
        answer = httpx.get(f"{server.url}/simple/twine/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
        listed = {file["filename"]: file["hashes"]["sha256"] for file in answer.json()["files"]}
    sent = [*(sources / "tests" / "fixtures").glob("twine-*.whl"), *(sources / "tests" / "fixtures").glob("twine-*.gz")]
    assert listed == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sent}
    figures[f"twine {VERSION}'s own integration tests"] = f"{FIXTURES} passed, {found.total() - FIXTURES} do not apply"
