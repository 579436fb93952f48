"""Microarchitectures by name, and the data file behind them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

import cpufit_resolver
from cpufit_resolver import CpuProfile, InvalidCpuToken, UnknownCpuFeature
from cpufit_resolver.detection.override import overriding_profile
from cpufit_resolver.microarchitectures import close_microarchitecture, microarchitectures, named_profile

DATA = Path(cpufit_resolver.__file__).parent / "data"
ROWS = json.loads((DATA / "microarchitectures.json").read_text())["microarchitectures"]
GCC = shutil.which("gcc")
MACROS = {
    "sse3": "__SSE3__", "ssse3": "__SSSE3__", "sse4_1": "__SSE4_1__", "sse4_2": "__SSE4_2__", "popcnt": "__POPCNT__",
    "avx": "__AVX__", "f16c": "__F16C__", "fma": "__FMA__", "avx2": "__AVX2__", "bmi1": "__BMI__", "bmi2": "__BMI2__",
    "abm": "__LZCNT__", "movbe": "__MOVBE__", "aes": "__AES__", "sha_ni": "__SHA__", "avx512f": "__AVX512F__",
    "avx512vl": "__AVX512VL__", "avx512_vnni": "__AVX512VNNI__", "amx_tile": "__AMX_TILE__", "xop": "__XOP__",
}  # fmt: skip


def test_data_file_is_valid_against_its_schema() -> None:
    schema = json.loads((DATA / "microarchitectures.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(json.loads((DATA / "microarchitectures.json").read_text()))


def test_tokens_are_canonical_and_names_stand_once() -> None:
    assert [row["name"] for row in ROWS if CpuProfile.parse(row["token"]).token != row["token"]] == []
    names = [name.replace("-", "") for row in ROWS for name in (row["name"], *row["aliases"])]
    assert sorted(names) == sorted(set(names))
    assert {CpuProfile.parse(row["token"]).arch for row in ROWS} == {"x86_64", "aarch64"}


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("Nehalem", "x86_64_v2"),
        ("SandyBridge", "x86_64_v2+avx+pclmulqdq+xsave+xsaveopt"),
        ("sandy_bridge+aes", "x86_64_v2+aes+avx+pclmulqdq+xsave+xsaveopt"),
        ("cortex-a72", "aarch64_8a+crc32"),
        ("Skylake-Server", microarchitectures()["skylake-avx512"].profile.token),
    ],
)
def test_names_are_understood_in_any_spelling(text: str, token: str) -> None:
    found = named_profile(text)
    assert found is not None
    assert found[1].token == token


@pytest.mark.parametrize("text", ["x86_64_v3", "pentium", "", "x86_64_v2+avx"])
def test_what_is_no_name_is_left_to_the_grammar_of_tokens(text: str) -> None:
    assert named_profile(text) is None


def test_a_name_stands_wherever_a_cpu_may_be_named() -> None:
    cpu = overriding_profile(None, {"CPUFIT_CPU": "Haswell"}, lambda: ("", None))
    assert cpu is not None
    assert (cpu.brand, cpu.profile.level, cpu.source) == ("haswell", "x86_64_v3", "environment")


def test_a_name_that_nobody_knows_is_refused_with_the_one_meant() -> None:
    for text in ("sandbridge", "cortex-a79"):
        with pytest.raises(InvalidCpuToken) as caught:
            overriding_profile(text, {}, lambda: ("", None))
        assert f"did you mean {close_microarchitecture(text)!r}?" in str(caught.value)
    with pytest.raises(UnknownCpuFeature):
        named_profile("haswell+avxx")


@pytest.mark.skipif(GCC is None, reason="gcc is not installed")
@pytest.mark.parametrize("name", [row["name"] for row in ROWS if row["token"].startswith("x86_64")])
def test_names_promise_what_gcc_compiles_for_them(name: str) -> None:
    done = subprocess.run(
        [str(GCC), f"-march={name}", "-dM", "-E", "-xc", "/dev/null"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"this gcc does not know {name}")
    macros = {line.split()[1] for line in done.stdout.splitlines()}
    features = microarchitectures()[name].profile.features
    assert [one for one, macro in MACROS.items() if (one in features) != (macro in macros)] == []
