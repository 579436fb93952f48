"""Ordinary wheels on three indexes: pip and uv resolve the same from each, and it is what the specifications say.

Where only this index followed them, an expectation alone would not show that installers are used to no other answer.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from tests.flow.flow_clients import NEWEST_PIP, uv_program
from tests.flow.flow_environments import Environments
from tests.flow.flow_machines import HERE, Environment
from tests.flow.flow_rivals import CannotBeHad, Door, devpi, pypiserver
from tests.flow.flow_server import running_server
from tests.flow.upload_probes import Upload, send, wheel

pytestmark = [
    pytest.mark.flow,
    pytest.mark.network,
    pytest.mark.grid,
    pytest.mark.skipif(os.environ.get("CPUFIT_TEST_GRID") != "1", reason="three minutes: CPUFIT_TEST_GRID=1 runs it"),
]

UNSOLVED = ("No matching distribution found", "ResolutionImpossible", "requires a different Python")
"""What pip says where there is no solution; the last of an index whose pages do not tell Requires-Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One wheel of a release, without native code."""

    project: str
    version: str
    requires: Sequence[str] = ()
    extras: Sequence[str] = ()
    python: str = ""
    build: str = ""
    tag: str = "py3-none-any"

    def upload(self) -> Upload:
        """Return it as twine sends it: the form says again what METADATA says."""
        python, abi, platform = self.tag.split("-")
        info = f"{self.project}-{self.version}.dist-info"
        lines = [f"Requires-Dist: {one}" for one in self.requires]
        lines += [f"Provides-Extra: {one}" for one in self.extras]
        lines += [f"Requires-Python: {self.python}"] if self.python else []
        text = f"Wheel-Version: 1.0\nGenerator: flow\nRoot-Is-Purelib: true\nTag: {self.tag}\n"
        text += f"Build: {self.build}\n" if self.build else ""
        form: dict[str, str | list[str]] = {"requires_dist": list(self.requires), "provides_extra": list(self.extras)}
        made = wheel(
            self.project,
            version=self.version,
            metadata=lines,
            add={f"{info}/WHEEL": text.encode()},
            form={**form, "requires_python": self.python, "pyversion": python},
        )
        parts = (self.project, self.version, self.build, python, abi, platform)
        return Upload(filename="-".join(part for part in parts if part) + ".whl", content=made.content, form=made.form)


RELEASES = (
    Release(project="core", version="1.0"),
    Release(project="core", version="1.1"),
    Release(project="core", version="2.0"),
    Release(project="lib", version="1.0", requires=["core>=1"]),
    Release(project="lib", version="2.0", requires=["core>=2"]),
    Release(project="app", version="1.0", requires=["lib", "core<2"]),
    Release(project="early", version="0.1a1"),
    Release(project="early", version="0.1a2"),
    Release(project="rc", version="1.0"),
    Release(project="rc", version="2.0rc1"),
    Release(project="late", version="1.0"),
    Release(project="late", version="1.0.post1"),
    Release(project="late", version="1.1.dev1"),
    Release(project="local", version="1.0"),
    Release(project="local", version="1.0+cpu"),
    Release(project="newpython", version="1.0"),
    Release(project="newpython", version="2.0", python=">=3.99"),
    Release(project="elsewhere", version="1.0"),
    Release(project="elsewhere", version="2.0", tag="py3-none-win_amd64"),
    Release(project="built", version="1.0"),
    Release(project="built", version="1.0", build="1"),
    Release(project="built", version="1.0", build="2local"),
    Release(project="closer", version="1.0"),
    Release(project="closer", version="1.0", tag="py3-none-manylinux_2_17_x86_64"),
    Release(project="more", version="1.0", requires=["core==1.1; extra == 'full'"], extras=["full"]),
    Release(project="windows", version="1.0", requires=["core; sys_platform == 'win32'"]),
    Release(project="dotted_name.here", version="1.0"),
    Release(project="epoch", version="2020.1"),
    Release(project="epoch", version="1!1.0"),
)

Found = Mapping[str, str]
"""The versions that were chosen; empty where there is no solution."""

CASES: Mapping[tuple[str, ...], Found] = {
    ("core",): {"core": "2.0"},
    ("app",): {"app": "1.0", "lib": "1.0", "core": "1.1"},
    ("lib>=2", "core<2"): {},
    ("early",): {"early": "0.1a2"},
    ("rc",): {"rc": "1.0"},
    ("rc>=2.0rc1",): {"rc": "2.0rc1"},
    ("late",): {"late": "1.0.post1"},
    ("local==1.0",): {"local": "1.0+cpu"},
    ("newpython",): {"newpython": "1.0"},
    ("newpython>=2",): {},
    ("elsewhere",): {"elsewhere": "1.0"},
    ("built",): {"built": "1.0"},
    ("closer",): {"closer": "1.0"},
    ("more[full]",): {"more": "1.0", "core": "1.1"},
    ("more",): {"more": "1.0"},
    ("windows",): {"windows": "1.0"},
    ("Dotted.Name-Here",): {"dotted-name-here": "1.0"},
    ("epoch",): {"epoch": "1!1.0"},
    ("core>=3",): {},
    ("nowhere",): {},
}

FILES = {
    "built": "built-1.0-2local-py3-none-any.whl",
    "closer": "closer-1.0-py3-none-manylinux_2_17_x86_64.whl",
}
"""Where one version has several wheels: the one that pip takes."""


@pytest.fixture(scope="module")
def indexes(network: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    """The three servers, each with all releases."""
    folder = tmp_path_factory.mktemp("indexes")
    with ExitStack() as stack:
        server = stack.enter_context(running_server(folder / "cpufit"))
        access = ("__token__", server.token(*sorted({release.project for release in RELEASES})))
        doors = {"cpufit": Door(version="", url=server.upload_url(), simple=f"{server.url}/simple/", auth=access)}
        for name, start in (("devpi", devpi), ("pypiserver", pypiserver)):
            (folder / name).mkdir()
            try:
                doors[name] = stack.enter_context(start(folder / name))
            except CannotBeHad as missing:
                pytest.skip(str(missing))
        for door in doors.values():
            for release in RELEASES:
                send(release.upload(), release.project, door.url, door.auth).raise_for_status()
        yield doors


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def by_pip(here: Environment, index: str, requirements: Sequence[str]) -> tuple[Found, dict[str, str]]:
    """Return what pip would install: versions, and the files' names."""
    pip = (here.python, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "report.json")
    (here.scratch / "report.json").unlink(missing_ok=True)
    ended = here.run(*pip, "--no-cache-dir", "--index-url", index, *requirements)
    if ended.status != 0:
        assert any(words in ended.output for words in UNSOLVED), ended.output
        return {}, {}
    report = json.loads((here.scratch / "report.json").read_text(encoding="utf-8"))
    found, files = {}, {}
    for one in report["install"]:
        name = normal(one["metadata"]["name"])
        found[name] = one["metadata"]["version"]
        files[name] = one["download_info"]["url"].split("#")[0].rsplit("/", 1)[-1].replace("%2B", "+")
    return found, files


def by_uv(here: Environment, index: str, requirements: Sequence[str]) -> Found:
    """Return the versions that uv locks for this Python and platform."""
    (here.scratch / "requirements.in").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    command = ("pip", "compile", "--quiet", "--no-cache", "--no-header", "--no-annotate", "--python", here.python)
    ended = here.run(uv_program(), *command, "--index-url", index, "requirements.in")
    if ended.status != 0:
        assert "No solution found" in ended.output, ended.output
        return {}
    pinned = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==(\S+)$", ended.output, re.MULTILINE)
    return {normal(name): version for name, version in pinned}


@pytest.mark.parametrize("requirements", list(CASES), ids=" ".join)
class TestSameFromEach:
    def test_with_pip(
        self, requirements: tuple[str, ...], indexes: dict[str, Door], environments: Environments
    ) -> None:
        here = environments.get(NEWEST_PIP, HERE)
        for name, door in indexes.items():
            found, files = by_pip(here, door.simple, requirements)
            assert (name, found) == (name, CASES[requirements])
            for project, file in FILES.items():
                assert files.get(project, file) == file, name

    def test_with_uv(self, requirements: tuple[str, ...], indexes: dict[str, Door], environments: Environments) -> None:
        here = environments.get(NEWEST_PIP, HERE)
        for name, door in indexes.items():
            assert (name, by_uv(here, door.simple, requirements)) == (name, CASES[requirements])
