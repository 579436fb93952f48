"""The pages on running an index: each command of ours on them is one, each setting and metric is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cpufit_server.cli import make_parser
from cpufit_server.demo.processes import free_port
from cpufit_server.environment import PREFIX
from cpufit_server.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = tuple(ROOT / "docs" / "how-to" / name for name in ("run-in-production.md", "back-up-and-verify.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_is_one(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    ours = re.compile(r"(?:^ {4}|/bin/|^docker compose exec cpufit |CPUFIT_HOME=\S+ )cpufit-server (.*)")
    found = [match[1] for line in lines if (match := ours.search(line))]
    assert found
    for words in found:
        make_parser().parse_args(
            shlex.split(re.sub(r"\$\(.*?\)", "today", words))
        )  # leaves the process where it is none


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_every_setting_is_one(page: Path) -> None:
    named = set(re.findall(r"\bCPUFIT_[A-Z_]+[A-Z]\b", page.read_text(encoding="utf-8")))
    client = {"CPUFIT_CPU", "CPUFIT_NO_REPORT"}
    assert named - client <= {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}


def test_the_table_of_metrics_is_whole(tmp_path: Path, run_server: Callable[..., Any]) -> None:
    with run_server(tmp_path / "home", metrics_port=free_port()) as server:
        server.client.get("/simple/")
        address = f"http://127.0.0.1:{server.settings.metrics_port}/metrics"
        told = re.findall(r"^# TYPE (\w+)", httpx.get(address, trust_env=False).text, re.MULTILINE)
    ours = {name for name in told if name.startswith("cpufit_") and not name.endswith("_created")}
    assert set(re.findall(r"`(cpufit_\w+)", PAGES[0].read_text(encoding="utf-8"))) == ours
    assert {name.split("_")[0] for name in told} == {"cpufit", "process", "python"}
