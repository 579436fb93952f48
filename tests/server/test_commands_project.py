from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cpufit_server.cli import main
from cpufit_wheelhouse.home import open_home


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def shown(home: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["project", "show", "small", "--json", "--home", str(home)]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_what_is_not_named_of_a_policy_stays(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["project", "set", "small", "--create", "--unknown", "allow", "--home", str(home)]) == 0
    assert main(["project", "set", "Small", "--variants", "on", "--plain", "selector", "--home", str(home)]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line == "small: variants on, unknown allow, plain selector, build-sdist off"
    assert main(["project", "set", "small", "--variants", "off", "--build-sdist", "on", "--home", str(home)]) == 0
    assert shown(home, capsys)["policy"] == {
        "variants": False,
        "unknown": "allow",
        "plain": "selector",
        "build_sdist": True,
        "upstream": "never",
    }
    assert main(["project", "set", "small", "--upstream", "merge", "--home", str(home)]) == 0
    assert capsys.readouterr().out.strip().endswith("build-sdist on, upstream merge")
    assert shown(home, capsys)["policy"]["upstream"] == "merge"


def test_a_project_that_is_not_there_is_made_only_when_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["project", "set", "small", "--variants", "on", "--home", str(home)]) == 1
    assert "--create makes it" in capsys.readouterr().err
    assert main(["project", "show", "small", "--home", str(home)]) == 1
    with open_home(home) as opened:
        assert opened.catalog.projects() == ()


def test_the_files_are_shown_with_what_they_need(
    home: Path, wheel_factory: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    tags = "py3-none-manylinux_2_17_x86_64"
    wheel = wheel_factory(tags=tags, members={"small/_x.so": b"\x7fELF\x02\x01\x01" + bytes(57)})
    assert main(["import", str(wheel), "--needs", "x86_64_v3", "--home", str(home)]) == 0
    capsys.readouterr()
    assert main(["project", "show", "small", "--home", str(home)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "small: variants on, unknown refuse, plain ordinary, build-sdist off",
        f"  small-1.0-{tags}.whl  needs x86_64_v3 (declared)",
    ]
    (file,) = shown(home, capsys)["files"]
    assert file["need"] == {"x86_64": {"import": "x86_64_v3", "use": "x86_64_v3"}}
