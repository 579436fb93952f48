"""The token grammar and the CPU profile."""

from __future__ import annotations

import pytest

from cpufit_resolver import CpuProfile, InvalidCpuToken, UnknownCpuFeature, format_token, parse_token
from cpufit_resolver.profile import MAX_TOKEN_LENGTH


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("x86_64_v2", "x86_64_v2"),
        ("x86_64_v2+avx+aes", "x86_64_v2+aes+avx"),
        ("x86_64_v2 avx aes", "x86_64_v2+aes+avx"),
        ("  X86_64_V2+AVX ", "x86_64_v2+avx"),
        ("x86_64_v1+pni", "x86_64_v1+sse3"),
        ("x86_64_v3+sse2", "x86_64_v3"),
        ("x86_64_v2+abm+avx+avx2+bmi1+bmi2+f16c+fma+movbe+xsave", "x86_64_v3"),
        ("aarch64_8a+lse", "aarch64_8a+atomics"),
        ("s390x", "s390x"),
    ],
)
def test_token_has_one_canonical_form(written: str, canonical: str) -> None:
    assert CpuProfile.parse(written).token == canonical


@pytest.mark.parametrize("text", ["", "+", "x86_64_v2+", "x86_64_v2/avx", "x86_64_v2+avx\nx", "é"])
def test_what_does_not_follow_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(InvalidCpuToken) as caught:
        parse_token(text)
    assert caught.value.code == "invalid-cpu-token"


def test_a_token_written_as_compilers_write_it_is_told_how_to_write_it() -> None:
    with pytest.raises(InvalidCpuToken) as caught:
        parse_token("x86-64-v3+AVX512F")
    assert caught.value.hint == "with '_' instead of '-': x86_64_v3+avx512f"
    with pytest.raises(InvalidCpuToken) as caught:
        parse_token("i7-4770")
    assert "x86_64_v2+avx" in (caught.value.hint or "")


def test_token_that_is_too_long_is_refused() -> None:
    token = "x86_64_v2" + "+avx" * MAX_TOKEN_LENGTH
    with pytest.raises(InvalidCpuToken, match="longer than"):
        parse_token(token)


@pytest.mark.parametrize(("token", "hint"), [("x86_64_v9", "x86_64_v2"), ("x86_64_v2+avx22", "avx2")])
def test_unknown_name_is_refused_with_a_hint(token: str, hint: str) -> None:
    with pytest.raises(UnknownCpuFeature) as caught:
        parse_token(token)
    assert caught.value.code == "unknown-cpu-feature"
    assert hint in (caught.value.hint or "")


def test_unknown_feature_is_dropped_where_somebody_is_lenient() -> None:
    assert CpuProfile.parse("x86_64_v2+avx+invented_2031", strict=False).token == "x86_64_v2+avx"


def test_feature_of_another_architecture_is_unknown() -> None:
    with pytest.raises(UnknownCpuFeature, match="x86_64"):
        parse_token("x86_64_v2+sve")


def test_floor_cannot_be_lacking() -> None:
    assert format_token("x86_64", frozenset()) == "x86_64_v1"


def test_level_of_a_profile_below_the_floor_is_none() -> None:
    assert CpuProfile("x86_64", frozenset({"sse"})).level is None
    assert CpuProfile.parse("x86_64_v3+aes").level == "x86_64_v3"


def test_reduced_profile_keeps_only_what_matters() -> None:
    reduced = CpuProfile.parse("x86_64_v2+aes+avx").reduced_to(frozenset({"avx", "avx2"}))
    assert reduced.features == {"avx"}
    assert reduced.token == "x86_64_v1+avx"


def test_baseline_is_the_first_level() -> None:
    assert CpuProfile.baseline("aarch64").token == "aarch64_8a"
