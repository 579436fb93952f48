"""Asking for less: the file, where it is found, what counts of it, and that nobody gets more than the CPU has."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpufit_resolver import CpuProfile
from cpufit_resolver.detection import DetectedCpu, InvalidConfig, MoreThanTheCpuHas, profile_for
from cpufit_resolver.detection.decide import HiddenFeatures
from cpufit_resolver.detection.toml_subset import read_tables
from cpufit_resolver.detection.wishes import config_paths, find_wishes, read_wishes, reduced

HERE = DetectedCpu(
    CpuProfile.parse("x86_64_v3+aes"), "glibc", (HiddenFeatures("hypervisor", frozenset(), "hidden"),), "A CPU"
)
FILE = """\
# what this project is built with
cpu = "x86_64_v2+avx"   # a trailing comment

[packages]
Polars = 'x86_64_v2'
"zope.interface" = "x86_64_v1, aarch64_8a"
numpy = "aarch64_8a"
"""


def meant(text: str, project: str | None, cpu: DetectedCpu = HERE) -> str:
    return reduced(cpu, read_wishes(text, "cpufit.toml"), project).profile.token


@pytest.mark.parametrize(
    ("project", "token"),
    [
        (None, "x86_64_v2+avx"),
        ("other", "x86_64_v2+avx"),
        ("polars", "x86_64_v2"),
        ("POLARS", "x86_64_v2"),
        ("zope_interface", "x86_64_v1"),
        # a wish for another architecture says nothing about this one
        ("numpy", "x86_64_v3+aes"),
    ],
)
def test_a_wish_for_the_package_comes_before_that_for_everything(project: str | None, token: str) -> None:
    assert meant(FILE, project) == token


def test_what_counts_says_so_and_blames_nobody_for_hiding_features() -> None:
    cpu = reduced(HERE, read_wishes(FILE, "cpufit.toml"), "polars")
    assert (cpu.source, cpu.hidden, cpu.brand) == ("cpufit.toml", (), "A CPU")
    assert reduced(HERE, read_wishes("", "cpufit.toml"), "polars") is HERE


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_named_cpu_sets_the_general_wish_aside_and_not_that_for_a_package(source: str) -> None:
    named = DetectedCpu(CpuProfile.parse("x86_64_v4"), source)
    assert meant(FILE, "other", named) == "x86_64_v4"
    assert meant(FILE, "polars", named) == "x86_64_v2"


def test_more_than_the_cpu_has_is_refused_with_a_sentence() -> None:
    with pytest.raises(MoreThanTheCpuHas) as caught:
        meant('[packages]\npolars = "x86_64_v4"\n', "polars")
    error = caught.value
    assert (error.code, error.where) == ("more-than-the-cpu-has", "cpufit.toml:2")
    assert error.message == (
        "the wish for polars is x86_64_v4, and this CPU does not have avx512bw, avx512cd, avx512dq, avx512f, avx512vl"
    )
    assert "x86_64_v3" in str(error.hint)
    # nobody installs polars here
    assert meant('[packages]\npolars = "x86_64_v4"\n', "other") == "x86_64_v3+aes"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('cpu = "x86_64_v9"', 1),
        ('cpu = "x86-64-v3"', 1),
        ('cpu = ""', 1),
        ('cpu = "x86_64_v2,x86_64_v3"', 1),
        ("cpu = x86_64_v2", 1),
        ('cpu = ["x86_64_v2"]', 1),
        ('cpu = """x86_64_v2"""', 1),
        ('cpu = "x86_64_v2\\n"', 1),
        ('cpu = "x86_64_v2" and more', 1),
        ('\ncpu = "x86_64_v2"\ncpu = "x86_64_v1"', 3),
        ('cpus = "x86_64_v2"', 1),
        ('[packages]\nzope.interface = "x86_64_v2"', 2),
        ('[packages]\na-b = "x86_64_v2"\nA_B = "x86_64_v1"', 3),
        ('[packages]\n"no name!" = "x86_64_v2"', 2),
        ("[packages]\n[packages]", 2),
        ("[[packages]]", 1),
        ("cpu", 1),
        ('cpu = "x86_64_v2"\x07', 1),
    ],
)
def test_what_cannot_be_understood_is_told_with_its_line(text: str, line: int) -> None:
    with pytest.raises(InvalidConfig) as caught:
        read_wishes(text, "cpufit.toml")
    assert caught.value.where == f"cpufit.toml:{line}"


def test_an_unknown_table_is_told_even_where_it_is_empty() -> None:
    with pytest.raises(InvalidConfig, match=r"\[package\]"):
        read_wishes("[package]", "cpufit.toml")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python has a reader of TOML from 3.11 on")
@given(st.text(alphabet="ab =[]\"'\\#.\n\r\t_-\x00é", max_size=40))
def test_what_this_reader_takes_every_reader_takes_and_reads_alike(text: str) -> None:
    import tomllib  # noqa: PLC0415  # 3.11 and later

    try:
        ours = read_tables(text, "f")
    except InvalidConfig:
        return
    theirs = tomllib.loads(text)
    top = {key: value for key, value in theirs.items() if isinstance(value, str)}
    assert {key: value.text for key, value in ours[""].items()} == top
    for table, values in ours.items():
        if table:
            assert {key: value.text for key, value in values.items()} == theirs[table]


def write(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def test_the_nearest_file_counts_and_the_users_own_where_it_says_nothing(tmp_path: Path) -> None:
    settings, work = tmp_path / "settings", tmp_path / "a" / "b"
    write(settings / "cpufit.toml", 'cpu = "x86_64_v1"\n[packages]\nx = "x86_64_v1"\ny = "x86_64_v1"\n')
    write(tmp_path / "cpufit.toml", 'cpu = "x86_64_v3"\n')
    write(tmp_path / "a" / "cpufit.toml", '[packages]\nx = "x86_64_v2"\n')
    found = find_wishes({}, settings, work)
    assert found.cpu is not None
    assert (found.cpu.text, found.packages["x"].text, found.packages["y"].text) == (
        "x86_64_v1",
        "x86_64_v2",
        "x86_64_v1",
    )
    assert found.packages["x"].where == f"{tmp_path / 'a' / 'cpufit.toml'}:2"
    assert [*config_paths(settings, None)] == [settings / "cpufit.toml"]


def test_one_file_can_be_named_or_none(tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    write(settings / "cpufit.toml", 'cpu = "x86_64_v1"\n')
    named = write(tmp_path / "mine.toml", 'cpu = "x86_64_v2"\n')
    found = find_wishes({"CPUFIT_CONFIG": str(named)}, settings, tmp_path)
    assert found.cpu is not None
    assert found.cpu.text == "x86_64_v2"
    assert find_wishes({"CPUFIT_CONFIG": ""}, settings, tmp_path).cpu is None
    with pytest.raises(InvalidConfig) as caught:
        find_wishes({"CPUFIT_CONFIG": str(tmp_path / "gone.toml")}, settings, tmp_path)
    assert caught.value.where == "CPUFIT_CONFIG"


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    write(tmp_path / "long" / "cpufit.toml", "#" * 70_000)
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "cpufit.toml").write_bytes(b"\xff\xfe")
    for folder in ("long", "odd"):
        with pytest.raises(InvalidConfig):
            find_wishes({}, tmp_path / "settings", tmp_path / folder)
    (tmp_path / "folder" / "cpufit.toml").mkdir(parents=True)
    assert find_wishes({}, tmp_path / "settings", tmp_path / "folder").cpu is None


def test_whoever_names_a_cpu_asks_about_that_one(tmp_path: Path) -> None:
    write(tmp_path / "cpufit.toml", FILE)
    environ = {"HOME": str(tmp_path / "home")}
    assert (
        profile_for("x86_64_v4", environ, lambda: HERE, project="polars", folder=tmp_path).profile.level == "x86_64_v4"
    )
    assert profile_for(None, environ, lambda: HERE, project="polars", folder=tmp_path).profile.token == "x86_64_v2"
    assert profile_for(None, environ, lambda: HERE, project="polars").profile == HERE.profile
