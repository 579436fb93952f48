"""Architectures, levels and the data files behind them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest

import cpufit_resolver
from cpufit_resolver.errors import UnknownCpuFeature
from cpufit_resolver.features import architecture, architecture_of_level, architectures, close_names

DATA = Path(cpufit_resolver.__file__).parent / "data"


@pytest.mark.parametrize("name", ["levels", "baselines"])
def test_data_file_is_valid_against_its_schema(name: str) -> None:
    schema = json.loads((DATA / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads((DATA / f"{name}.json").read_text()))


def test_x86_64_levels_are_those_of_the_psabi() -> None:
    v2 = {"cx16", "lahf_lm", "popcnt", "sse3", "sse4_1", "sse4_2", "ssse3"}
    v3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}
    v4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
    levels = [level.features for level in architecture("x86_64").levels]
    assert [after - before for before, after in pairwise(levels)] == [v2, v3, v4]


def test_x86_64_levels_rise() -> None:
    levels = architecture("x86_64").levels
    assert all(low.features < high.features for low, high in pairwise(levels))


def test_every_level_name_belongs_to_one_architecture() -> None:
    names = [level.name for table in architectures().values() for level in table.levels]
    assert len(names) == len(set(names))
    for table in architectures().values():
        assert all(architecture_of_level(level.name) is table for level in table.levels)


def test_every_alias_leads_to_a_name_of_the_vocabulary_and_hides_none() -> None:
    for table in architectures().values():
        assert set(table.aliases.values()) <= table.vocabulary, table.name
        assert not set(table.aliases) & table.vocabulary, table.name


def test_levels_extend_levels_that_stand_before_them() -> None:
    for name, row in json.loads((DATA / "levels.json").read_text())["architectures"].items():
        seen: set[str] = set()
        for level in row["levels"]:
            assert level.get("extends") is None or level["extends"] in seen, (name, level["name"])
            seen.add(level["name"])


@pytest.mark.parametrize(("spelled", "name"), [("PNI", "sse3"), (" lzcnt ", "abm"), ("SSE4.2", "sse4_2"), ("x", None)])
def test_names_are_understood_in_any_case_and_by_alias(spelled: str, name: str | None) -> None:
    assert architecture("x86_64").canonical(spelled) == name


def test_highest_level_is_none_below_the_floor() -> None:
    assert architecture("x86_64").highest_level(frozenset({"sse"})) is None


def test_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownCpuFeature) as caught:
        architecture("m68k")
    assert "aarch64" in (caught.value.hint or "")


def test_close_name_is_suggested() -> None:
    assert "avx512f" in close_names("avx512ff", architecture("x86_64"))
    assert close_names("x86-64-v3", architecture("x86_64")) == "did you mean 'x86_64_v3'?"
    assert "/proc/cpuinfo" in close_names("zzzzzz", architecture("x86_64"))
