from __future__ import annotations

import json

import pytest

from cpufit_resolver.profile import CpuProfile
from cpufit_server.client import NOBODY, Asker, View, asker_of_token, asker_of_user_agent


def ask(user_agent: str | None) -> Asker:
    return asker_of_user_agent(user_agent, max_length=4096, max_token_length=1024)


def pip(user_data: object, version: str = "26.3") -> str:
    facts = {"ci": None, "cpu": "x86_64", "user_data": user_data}
    return f"pip/{version} {json.dumps(facts, separators=(',', ':'), sort_keys=True)}"


@pytest.mark.parametrize(
    "told",
    [
        "cpufit=x86_64_v2+avx",
        "team=a;cpufit=x86_64_v2+avx",
        "a b cpufit=x86_64_v2+avx, c",
        '{"team": 1, "cpufit": "x86_64_v2+avx"}',
    ],
)
def test_pip_tells_its_profile_in_the_user_data(told: str) -> None:
    asker = ask(pip(told))
    assert asker == Asker(view=View.PROFILE, profile=CpuProfile.parse("x86_64_v2+avx"))


@pytest.mark.parametrize(
    "user_agent",
    [
        None,
        "",
        pip(None),
        pip("notcpufit=x86_64_v2"),
        pip({"cpufit": "x86_64_v2"}),
        pip("cpufit=nonsense_v9"),
        pip("cpufit="),
        pip('{"cpufit": ["x86_64_v2"]}'),
        pip("cpufit=x86_64_v2+" + "a" * 1024),
        "pip/26.3 {" + '"user_data":"cpufit=x86_64_v2"',
        "pip/26.3 [" + "[" * 3000,
        "pip/26.3 {" + '"user_data":' + "[" * 3000,
        "Mozilla/5.0 (cpufit=x86_64_v3)",
        "poetry/2.0",
        "uv/0.13.5",
        "uv/nonsense",
        "xuv/0.13.9",
    ],
)
def test_who_tells_nothing_readable_gets_what_runs_everywhere(user_agent: str | None) -> None:
    assert ask(user_agent) == NOBODY


def test_a_user_agent_that_is_too_long_counts_as_none() -> None:
    user_agent = pip("cpufit=x86_64_v3") + " " * 4096
    assert ask(user_agent) == NOBODY
    assert asker_of_user_agent(user_agent, max_length=10_000, max_token_length=1024).view is View.PROFILE


@pytest.mark.parametrize("user_agent", ["uv/0.13.6", "uv/0.13.9 {}", 'uv/0.14.0 {"cpu":"x86_64"}', "uv/1.0.0"])
def test_a_uv_that_knows_labels_sees_the_variants(user_agent: str) -> None:
    assert ask(user_agent) == Asker(view=View.VARIANT)


def test_a_feature_newer_than_our_tables_does_not_cost_the_others() -> None:
    asker = asker_of_token("x86_64_v3+avx2048", max_token_length=100)
    assert asker.profile == CpuProfile.parse("x86_64_v3")


@pytest.mark.parametrize("token", ["", "nonsense", "x86_64_v2+" * 20, "../../etc", "x86_64_v3\n"])
def test_a_token_that_cannot_be_read_is_no_error(token: str) -> None:
    asker = asker_of_token(token, max_token_length=100)
    assert asker == NOBODY or (token == "x86_64_v3\n" and asker.profile == CpuProfile.parse("x86_64_v3"))
