"""``reinspect`` and ``override``, on a home with wheels of real machine code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.machine_code.made_images import elf

from cpufit_server.cli import main

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
