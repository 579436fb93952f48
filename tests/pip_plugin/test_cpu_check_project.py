"""``cpu-check PROJECT``: against a small HTTP server that speaks the API, and on emulated CPUs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.tags import sys_tags
from tests.loopback import listening
from tests.pip_plugin.cpu_check_support import COMMAND, ROOTS, SCHEMA, answer, forget_settings

from cpufit_pip_plugin.cpu_check import cli

QEMU = shutil.which("qemu-x86_64")
LINUX = sys.platform == "linux" and os.uname().machine == "x86_64"
BEST = str(next(sys_tags()))
OTHER = "cp311-cp311-win_amd64" if sys.platform != "win32" else "cp311-cp311-manylinux_2_17_x86_64"

pytestmark = pytest.mark.skipif(not LINUX, reason="the wheels of these tests are for Linux on x86-64")


def wheel(name: str, need: str | None, *, tag: str = BEST, python: str | None = None) -> dict[str, Any]:
    return {
        "filename": name,
        "kind": "wheel",
        "tags": [tag],
        "build": "",
        "sha256": "0" * 64,
        "size": 1,
        "url": f"/files/{'0' * 64}/{name}",
        "requires_python": python,
        "verdict": "unknown" if need is None else "known",
        "need": None if need is None else ({} if need == "any" else {"x86_64": {"import": need, "use": need}}),
        "need_source": "declared",
        "evidence": [] if need is None else [f"declared: {need}"],
        "ordinary": need in ("any", "x86_64_v1"),
    }


PROJECT: dict[str, Any] = {
    "name": "demo",
    "serial": 3,
    "policy": {"variants": True, "unknown": "refuse", "plain": "ordinary", "build_sdist": False},
    "releases": [
        {"version": "3.0rc1", "files": [wheel("demo-3.0rc1.whl", "x86_64_v1")]},
        {"version": "2.0", "files": [wheel("demo-2.0.whl", "x86_64_v3"), wheel("demo-2.0-w.whl", "any", tag=OTHER)]},
        {"version": "1.5", "files": [wheel("demo-1.5.whl", "x86_64_v1", python="<3")]},
        {"version": "1.4", "files": [{**wheel("demo-1.4.tar.gz", "any", tag=BEST), "kind": "sdist", "tags": []}]},
        {"version": "1.3", "files": [wheel("demo-1.3.whl", None)]},
        {"version": "1.2", "files": [wheel("demo-1.2.whl", "x86_64_v2"), wheel("demo-1.2-v3.whl", "x86_64_v3")]},
    ],
}
TWIN_FILES = [wheel("twins-1.0.whl", "x86_64_v3"), wheel("twins-1.0.whl", "x86_64_v2")]
TWINS = {"name": "twins", "releases": [{"version": "1.0", "files": TWIN_FILES}]}
UNJUDGED = {"name": "unjudged", "releases": [{"version": "1.0", "files": [wheel("unjudged-1.0.whl", None)]}]}
SOURCE = {"name": "source", "releases": [PROJECT["releases"][3]]}
ANSWERS: Mapping[str, tuple[int, bytes]] = {
    "/api/v1/projects/demo": (200, json.dumps(PROJECT).encode()),
    "/api/v1/projects/twins": (200, json.dumps(TWINS).encode()),
    "/api/v1/projects/unjudged": (200, json.dumps(UNJUDGED).encode()),
    "/api/v1/projects/source": (200, json.dumps(SOURCE).encode()),
    "/api/v1/projects/locked": (401, b"{}"),
    "/api/v1/projects/broken": (503, b"oh"),
    "/api/v1/projects/odd": (200, b'{"name": "odd", "releases": [{"version": "1", "files": [{}]}]}'),
    "/api/v1/projects/elsewhere": (200, b"<html>a simple index</html>"),
    "/api/v1/projects/gone": (404, b'{"code": "no-such-project", "message": "no"}'),
}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, body = ANSWERS.get(self.path, (404, b"nothing here"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        REPORTS.append((self.path, self.headers["Authorization"], body))
        self.send_response(404 if body["project"] == "twins" else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
        pass


REPORTS: list[tuple[str, str | None, dict[str, Any]]] = []


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    with listening(Handler) as address:
        yield address


@pytest.fixture(autouse=True)
def bare_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forget_settings(monkeypatch, tmp_path)


@pytest.mark.parametrize("form", ["", "/", "/simple", "/simple/", "/cpu/x86_64_v2/simple/"])
def test_each_release_is_judged_newest_first(form: str, index: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, body = answer(capsys, "Demo", "--index", index + form, "--cpu", "x86_64_v2")
    assert code == 0
    assert (body["project"], body["index"], body["newest_fit"]) == ("demo", index, "1.2")
    rows = {row["version"]: row for row in body["releases"]}
    assert list(rows) == ["3.0rc1", "2.0", "1.5", "1.4", "1.3", "1.2"]
    assert [row["fits"] for row in body["releases"]] == [True, False, False, False, False, True]
    assert [row["refusals"][0]["code"] for row in body["releases"] if not row["fits"]] == [
        "wheel-needs-cpu-features",
        "wheel-for-another-python",
        "release-has-no-wheels",
        "wheel-not-inspected",
    ]
    assert "avx2" in rows["2.0"]["refusals"][0]["missing_features"]
    assert rows["1.2"]["wheel"] == "demo-1.2.whl"
    assert rows["1.2"]["need"] == {"x86_64": {"import": "x86_64_v2", "use": "x86_64_v2"}}


def test_better_cpu_gets_the_faster_wheel(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, body = answer(capsys, "demo", "--index", index, "--cpu", "x86_64_v3")
    assert body["newest_fit"] == "2.0"
    assert body["releases"][-1]["wheel"] == "demo-1.2-v3.whl"


def test_wheels_for_other_platforms_are_listed_on_demand(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    def codes(*more: str) -> list[str]:
        _, body = answer(capsys, "demo", "--index", index, "--cpu", "x86_64_v2", *more)
        return [refusal["code"] for row in body["releases"] if row["version"] == "2.0" for refusal in row["refusals"]]

    assert codes() == ["wheel-needs-cpu-features"]
    assert sorted(codes("--all")) == ["wheel-for-another-platform", "wheel-needs-cpu-features"]


def test_nothing_that_fits_is_exit_one(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, body = answer(capsys, "demo", "--index", index, "--cpu", "aarch64_9_0a")
    assert (code, body["newest_fit"]) == (1, None)
    assert cli.main(["demo", "--index", index, "--cpu", "aarch64_9_0a"]) == 1
    assert "No release fits" in capsys.readouterr().out


def test_text_says_what_fits_and_ends_with_a_line_to_copy(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--index", index, "--cpu", "x86_64_v2"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^2\.0 +does not fit$", out, re.MULTILINE)
    assert re.search(r"demo-2\.0\.whl: needs abm, avx, avx2.*does not have", out)
    assert "demo-1.2.whl (needs x86_64_v2)" in out
    line = f"Newest release that fits: 1.2    pip install 'demo==1.2' --index-url {index}/simple/"
    assert out.splitlines()[-1] == line


def test_line_to_copy_names_the_index_unless_pip_asks_it_anyway(
    index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def line(told: str) -> str:
        monkeypatch.setenv("PIP_INDEX_URL", told)
        assert cli.main(["demo", "--index", index.replace("//", "//me:pw@"), "--cpu", "x86_64_v2"]) == 0
        return capsys.readouterr().out.splitlines()[-1].partition("1.2    ")[2]

    with_index = f"pip install 'demo==1.2' --index-url {index}/simple/"
    assert line("https://elsewhere.example/simple") == with_index
    assert line("file:///srv/wheels") == with_index
    assert line(f"{index.replace('//', '//me:pw@')}/cpu/x86_64_v2/simple/") == "pip install 'demo==1.2'"


def test_second_build_of_one_file_name_is_told_apart(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["twins", "--index", index, "--cpu", "x86_64_v2"]) == 0
    out = capsys.readouterr().out
    assert "twins-1.0.whl (needs x86_64_v2)" in out
    assert "not another build of it: needs abm, avx" in out


@pytest.mark.parametrize(
    ("project", "cpu", "sentence"),
    [
        ("twins", "x86_64_v1", "No release fits this CPU. Whoever runs the index can add a build"),
        ("unjudged", "x86_64_v1", "No release is known to fit this CPU. What was not inspected may run or crash."),
        ("twins", "s390x", "No release fits this platform and Python; the CPU is not the reason."),
        ("source", "x86_64_v1", "No release fits: none has a wheel, only source."),
    ],
)
def test_why_nothing_fits_is_said_at_the_end(
    project: str, cpu: str, sentence: str, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([project, "--index", index, "--cpu", cpu]) == 1
    assert sentence in capsys.readouterr().out.rpartition("\n\n")[2]


@pytest.mark.parametrize(
    ("project", "error"),
    [
        ("gone", "no-such-project"),
        ("unheard-of", "not-a-cpufit-index"),
        ("elsewhere", "not-a-cpufit-index"),
        ("odd", "not-a-cpufit-index"),
        ("locked", "index-cannot-answer"),
        ("broken", "index-cannot-answer"),
    ],
)
def test_index_that_cannot_answer_is_exit_three_with_a_code(
    project: str, error: str, index: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, body = answer(capsys, project, "--index", index)
    assert (code, body["error"]["code"]) == (3, error)
    assert cli.main([project, "--index", index]) == 3
    assert index in capsys.readouterr().err


def test_credentials_of_the_index_are_never_shown(index: str, capsys: pytest.CaptureFixture[str]) -> None:
    secret = index.replace("http://", "http://me:s3cret@")
    assert cli.main(["demo", "--index", secret]) in (0, 1)
    assert cli.main(["gone", "--index", secret]) == 3
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err


@pytest.mark.parametrize("variable", ["CPUFIT_INDEX", "PIP_INDEX_URL"])
def test_index_is_taken_from_the_environment(
    variable: str, index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"{index}/simple/")
    assert answer(capsys, "demo", "--cpu", "x86_64_v2")[0] == 0


def test_profile_of_another_cpu_is_warned_of(
    index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_USER_AGENT_USER_DATA", "cpufit=x86_64_v1+amx_tile")
    _, body = answer(capsys, "demo", "--index", f"{index}/cpu/aarch64_8a/simple/")
    assert [(warning["code"], warning["where"]) for warning in body["warnings"]] == [
        ("profile-of-another-cpu", "PIP_USER_AGENT_USER_DATA"),
        ("profile-of-another-cpu", "the index URL"),
    ]


@pytest.mark.emulated
@pytest.mark.skipif(QEMU is None, reason="qemu-x86_64 is not installed (Debian: qemu-user)")
@pytest.mark.parametrize(
    ("model", "newest", "wheel"), [("Nehalem", "1.2", "demo-1.2.whl"), ("Haswell", "2.0", "demo-2.0.whl")]
)
def test_emulated_cpu_is_judged_as_it_is(model: str, newest: str, wheel: str, index: str) -> None:
    assert QEMU is not None
    libraries = [*ROOTS, *(path for path in sys.path if path.endswith("site-packages"))]
    done = subprocess.run(
        [QEMU, "-cpu", model, os.path.realpath(sys.executable), *COMMAND, "demo", "--index", index, "--json"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(libraries)},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    body = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(body)
    assert body["newest_fit"] == newest
    assert wheel in [row["wheel"] for row in body["releases"]]


def test_the_index_is_told_what_is_wanted_only_where_somebody_asks(
    index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    REPORTS.clear()
    address = index.replace("//", "//me:secret@")
    answer(capsys, "demo", "--index", address, "--cpu", "x86_64_v2+sha_ni")
    assert REPORTS == []
    code, body = answer(capsys, "demo", "--index", address, "--cpu", "x86_64_v2+sha_ni", "--report")
    assert (code, body["reported"]) == (0, True)
    ((path, credentials, report),) = REPORTS
    assert (path, credentials) == ("/api/v1/wanted", None)
    assert (report["project"], report["version"], report["cpu"]) == ("demo", "2.0", "x86_64_v2")
    assert "avx2" in report["missing"]
    assert report["platform"] == BEST.split("-", 2)[2]
    # what fits is not wanted, and an index that takes no reports is no error
    assert answer(capsys, "demo", "--index", index, "--cpu", "x86_64_v3", "--report")[1]["reported"] is False
    assert answer(capsys, "twins", "--index", index, "--cpu", "x86_64_v1", "--report")[1]["reported"] is False


def test_what_is_yanked_is_passed_over(
    index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {"3.0": "broken", "2.0": None, "1.0": False, "0.9": ""}
    releases = [
        {"version": version, "files": [{**wheel(f"leaky-{version}.whl", "x86_64_v1"), "yanked": yanked}]}
        for version, yanked in rows.items()
    ]
    body = json.dumps({"name": "leaky", "releases": releases}).encode()
    monkeypatch.setitem(ANSWERS, "/api/v1/projects/leaky", (200, body))
    status, told = answer(capsys, "leaky", "--index", index, "--cpu", "x86_64_v1")
    assert status == 0
    assert [row["version"] for row in told["releases"]] == ["2.0", "1.0"]


def test_where_nothing_fits_a_wheel_that_can_be_imported_is_a_way_out(
    index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    partly = {**wheel("partly-1.0.whl", "any"), "need": {"x86_64": {"import": "x86_64_v2", "use": "x86_64_v2+avx"}}}
    project = {"name": "partly", "releases": [{"version": "1.0", "files": [partly]}]}
    monkeypatch.setitem(ANSWERS, "/api/v1/projects/partly", (200, json.dumps(project).encode()))
    assert cli.main(["partly", "--index", index, "--cpu", "x86_64_v2"]) == 1
    out = capsys.readouterr().out.splitlines()
    assert "x86_64_v2. --report tells the index that it is wanted." in out
    assert "partly-1.0.whl can be imported here, and what needs avx dies: --import-only takes it," in out


def test_where_nothing_fits_the_project_that_the_index_names_is_looked_at(
    index: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lts = {"name": "fast-lts", "releases": [{"version": "0.9", "files": [wheel("fast_lts-0.9.whl", "x86_64_v1")]}]}
    fast = {
        "name": "fast",
        "instead": "fast-lts",
        "releases": [{"version": "1.0", "files": [wheel("f.whl", "x86_64_v3")]}],
    }
    for project in (fast, lts):
        monkeypatch.setitem(ANSWERS, f"/api/v1/projects/{project['name']}", (200, json.dumps(project).encode()))
    code, body = answer(capsys, "fast", "--index", index, "--cpu", "x86_64_v1")
    assert (code, body["instead"]) == (1, {"project": "fast-lts", "newest_fit": "0.9"})
    assert cli.main(["fast", "--index", index, "--cpu", "x86_64_v1"]) == 1
    assert (
        f"The project fast-lts fits: pip install 'fast-lts==0.9' --index-url {index}/simple/" in capsys.readouterr().out
    )
    assert "instead" not in answer(capsys, "fast", "--index", index, "--cpu", "x86_64_v3")[1]
