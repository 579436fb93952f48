"""``reinspect`` and ``override``, on a home with wheels of real machine code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from tests.machine_code.made_images import elf

from cpufit_resolver.need import parse_need
from cpufit_server.cli import main
from cpufit_wheelhouse.holding import Holding
from cpufit_wheelhouse.home import open_home
from cpufit_wheelhouse.inspection.verdict import Verdict

TAGS = "py3-none-manylinux_2_17_x86_64"
NEED = "x86_64_v2+avx+avx2"


@pytest.fixture
def home(tmp_path: Path, wheel_factory: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> Path:
    wheel = wheel_factory(tags=TAGS, members={"small/_x.so": elf()})
    assert main(["import", str(wheel), "--home", str(tmp_path / "home")]) == 0
    capsys.readouterr()
    return tmp_path / "home"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(list(words)) == 0
    return json.loads(capsys.readouterr().out)


def shown(capsys: pytest.CaptureFixture[str], home: Path) -> dict[str, Any]:
    document = told(capsys, "project", "show", "small", "--json", "--home", str(home))
    (file,) = document["files"] if "files" in document else document["releases"][0]["files"]
    return dict(file)


def test_what_is_current_is_left_alone_and_all_means_all(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "reinspect", "--json", "--home", str(home)) == {"files": []}
    (again,) = told(capsys, "reinspect", "--all", "--json", "--home", str(home))["files"]
    assert again["outcome"] == "unchanged"
    assert main(["reinspect", "--all", "small", "--home", str(home)]) == 0
    assert NEED in capsys.readouterr().out


def test_a_project_that_is_not_there_is_an_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reinspect", "nothing", "--home", str(home)]) == 1
    assert "no project nothing" in capsys.readouterr().err


def test_an_override_stands_until_it_ends(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = told(capsys, "reinspect", "--all", "--json", "--home", str(home))["files"]
    digest = file["sha256"]
    words = ["--needs", "x86_64_v1", "--why", "dispatches by hand", "--who", "mara", "--home", str(home)]
    assert main(["override", "set", digest, *words]) == 0
    assert f"{NEED} -> x86_64_v1" in capsys.readouterr().out
    (one,) = told(capsys, "override", "list", "--json", "--home", str(home))["overrides"]
    assert (one["sha256"], one["who"], one["why"]) == (digest, "mara", "dispatches by hand")
    assert main(["reinspect", "--all", "--home", str(home)]) == 0
    assert "needs x86_64_v1" in capsys.readouterr().out
    assert main(["override", "end", digest, "--home", str(home)]) == 0
    assert f"x86_64_v1 -> {NEED}" in capsys.readouterr().out
    assert told(capsys, "override", "list", "--json", "--home", str(home)) == {"overrides": []}


def test_an_override_of_nothing_is_an_error(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--needs", "x86_64_v1", "--why", "because", "--home", str(home)]
    assert main(["override", "set", "0" * 64, *words]) == 1
    assert "no wheel with SHA-256" in capsys.readouterr().err
    (file,) = told(capsys, "reinspect", "--all", "--json", "--home", str(home))["files"]
    assert main(["override", "end", file["sha256"], "--home", str(home)]) == 1
    assert "there is no override" in capsys.readouterr().err
    assert main(["override", "set", file["sha256"], *words[:1], "no_such_need", *words[2:]]) == 1


def words(need: str, home: Path, *more: str) -> list[str]:
    return ["--needs", need, "--why", "dispatches by hand", "--who", "mara", "--home", str(home), *more]


def test_an_override_may_be_recorded_before_its_wheel_comes(
    tmp_path: Path, wheel_factory: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel, home = wheel_factory(tags=TAGS, members={"small/_x.so": elf()}), tmp_path / "home"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert main(["override", "set", digest.upper(), *words("x86_64_v1", home)]) == 1
    assert "--beforehand" in capsys.readouterr().err
    assert main(["override", "set", digest.upper(), *words("x86_64_v1", home, "--beforehand")]) == 0
    assert "counts when the file comes in" in capsys.readouterr().out
    assert main(["override", "list", "--home", str(home)]) == 0
    assert "not here yet: needs x86_64_v1" in capsys.readouterr().out
    assert main(["import", str(wheel), "--needs", "x86_64_v2", "--home", str(home)]) == 0
    capsys.readouterr()
    assert shown(capsys, home)["need"] == {"x86_64": {"import": "x86_64_v1", "use": "x86_64_v1"}}
    assert main(["override", "end", digest, "--home", str(home)]) == 0
    assert f"x86_64_v1 -> {NEED}" in capsys.readouterr().out


def test_an_override_of_a_held_wheel_counts_when_its_verdict_comes(
    tmp_path: Path, wheel_factory: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = wheel_factory(tags=TAGS, members={"small/_x.so": elf()})
    job: Future[Verdict] = Future()
    with open_home(tmp_path / "home") as home:
        holding = Holding(home.path, home.catalog, home.blobs, home.ingest)
        with home.blobs.stage() as staged:
            staged.write(wheel.read_bytes())
            held = holding.hold(staged, wheel.name, job, declared="x86_64_v1", provenance={})
        assert main(["override", "set", held.sha256, *words("x86_64_v1", home.path)]) == 0
        assert main(["override", "list", "--home", str(home.path)]) == 0
        assert f"{wheel.name}: needs x86_64_v1" in capsys.readouterr().out
        job.set_result(Verdict(need=parse_need(NEED, frozenset({"x86_64"})), confidence="high"))
        assert [one.state for one in home.catalog.inspections.held()] == ["accepted"]
        assert [file.need_key for file in home.catalog.files("small")] == ["x86_64_v1"]


def test_who_said_what_when_and_why_stays_on_record(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = told(capsys, "reinspect", "--all", "--json", "--home", str(home))["files"][0]["sha256"]
    for need in ("x86_64_v1", "x86_64_v2"):
        assert main(["override", "set", digest, *words(need, home)]) == 0
    assert main(["override", "end", digest, "--home", str(home)]) == 0
    capsys.readouterr()
    first, second = told(capsys, "override", "list", "--all", "--json", "--home", str(home))["overrides"]
    assert [one["need"]["x86_64"]["use"] for one in (first, second)] == ["x86_64_v1", "x86_64_v2"]
    assert first["ended_at"] <= second["created_at"] <= second["ended_at"]
    assert first["filenames"] == [f"small-1.0-{TAGS}.whl"]
    assert main(["override", "list", "--all", "--home", str(home)]) == 0
    assert re.search(r"mara, \d{4}-\d\d-\d\d \d\d:\d\d UTC, ended .* UTC: dispatches by hand", capsys.readouterr().out)


@pytest.mark.parametrize(
    "arguments", [("0" * 63, "--why", "x"), ("0" * 64, "--why", " "), ("0" * 64, "--why", "x", "--who", "")]
)
def test_an_override_without_bytes_a_reason_or_a_name_is_wrong_usage(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["override", "set", "--needs", "x86_64_v1", *arguments])
    assert ended.value.code == 2
    assert "usage: cpufit-server" in capsys.readouterr().err


def test_an_override_speaks_of_every_architecture_of_its_wheel(
    tmp_path: Path, wheel_factory: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = wheel_factory(tags="py3-none-macosx_11_0_universal2", members={"small/_x.so": elf()})
    home = tmp_path / "home"
    assert main(["import", str(wheel), "--needs", "x86_64_v3,aarch64_8a", "--home", str(home)]) == 0
    capsys.readouterr()
    digest = shown(capsys, home)["sha256"]
    assert main(["override", "set", digest, *words("x86_64_v2", home)]) == 1
    assert "says nothing of aarch64" in capsys.readouterr().err
    assert told(capsys, "override", "list", "--json", "--home", str(home)) == {"overrides": []}
    assert main(["override", "set", digest, *words("x86_64_v2,aarch64_8a", home)]) == 0


def test_an_override_neither_begins_nor_ends_where_another_file_of_its_name_has_that_need(
    tmp_path: Path, wheel_factory: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    home, digests = tmp_path / "home", []
    for content, need in ((b"one", "x86_64_v3"), (b"two", NEED)):
        wheel = wheel_factory(tags=TAGS, members={"small/_x.so": elf(), "small/other": content})
        digests.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
        assert main(["import", str(wheel), "--needs", need, "--home", str(home)]) == 0
    second = digests[1]
    assert main(["override", "set", second, *words("x86_64_v3", home)]) == 1
    assert "[need-taken]" in capsys.readouterr().err
    assert told(capsys, "override", "list", "--all", "--json", "--home", str(home)) == {"overrides": []}
    assert main(["override", "set", second, *words("x86_64_v1", home)]) == 0
    assert main(["override", "set", digests[0], *words(NEED, home)]) == 0
    capsys.readouterr()
    assert main(["override", "end", second, "--home", str(home)]) == 1
    assert "[need-taken]" in capsys.readouterr().err
    in_force = told(capsys, "override", "list", "--json", "--home", str(home))["overrides"]
    assert {one["sha256"] for one in in_force} == set(digests)


def test_an_import_of_which_nothing_can_be_told_says_why(
    tmp_path: Path, wheel_factory: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = wheel_factory(tags=TAGS, members={"small/_x.so": b"\x7fELF\x02\x01\x01\0" + bytes(56)})
    assert main(["import", str(wheel), "--home", str(tmp_path / "home")]) == 0
    out = capsys.readouterr().out
    assert "needs unknown)\n  undetermined: small/_x.so: " in out
    assert "\n  hint: it is in no view" in out
    (file,) = told(capsys, "import", str(wheel), "--json", "--home", str(tmp_path / "other"))["files"]
    assert file["undetermined"][0].startswith("small/_x.so: ")
