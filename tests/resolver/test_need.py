"""Needs: declared, written down, compared, and held against a CPU."""

from __future__ import annotations

import pytest

from cpufit_resolver import (
    BASELINE_NEED,
    ArchNeed,
    CpuProfile,
    InvalidCpuToken,
    Need,
    UnknownCpuFeature,
    is_ordinary,
    missing_features,
    parse_need,
)

X86 = frozenset({"x86_64"})
BOTH = frozenset({"x86_64", "aarch64"})
LINUX = ("manylinux_2_17_x86_64",)


@pytest.mark.parametrize(
    ("text", "architectures", "key"),
    [
        ("x86_64_v2+avx+f16c", X86, "x86_64_v2+avx+f16c"),
        ("x86_64_v2 avx f16c", X86, "x86_64_v2+avx+f16c"),
        ("avx,f16c", X86, "x86_64_v1+avx+f16c"),
        ("avx f16c", X86, "x86_64_v1+avx+f16c"),
        ("x86_64_v3,aarch64_8_2a", BOTH, "aarch64_8_2a,x86_64_v3"),
        ("x86_64_v2; avx", X86, "x86_64_v2+avx"),
        ("x86_64_v2, +avx", X86, "x86_64_v2+avx"),
        ("x86_64_v3", frozenset(), "x86_64_v3"),
    ],
)
def test_declared_need_is_read(text: str, architectures: frozenset[str], key: str) -> None:
    need = parse_need(text, architectures)
    assert need.key == key
    assert need.source == "declared"
    assert text in need.evidence[0]


@pytest.mark.parametrize(
    ("text", "architectures"),
    [
        ("", X86),
        (" , ", X86),
        ("avx", BOTH),
        ("avx", frozenset()),
        ("aarch64_8a", X86),
        ("x86_64_v2,x86_64_v3", X86),
    ],
)
def test_need_that_leaves_something_open_is_refused(text: str, architectures: frozenset[str]) -> None:
    with pytest.raises(InvalidCpuToken):
        parse_need(text, architectures)


def test_need_with_a_feature_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownCpuFeature, match="avx99"):
        parse_need("avx99", X86)


def test_two_needs_are_equal_by_what_is_needed_alone() -> None:
    declared, inspected = parse_need("x86_64_v3", X86), Need.uniform("x86_64", frozenset(), source="inspected")
    widened = Need.uniform("x86_64", declared.by_arch[0][1].features, source="inspected", evidence=("proof",))
    assert declared == widened
    assert declared != inspected


def test_key_tells_import_and_use_apart() -> None:
    parts = {"x86_64": ArchNeed(at_import=frozenset({"avx"}), at_use=frozenset({"f16c"}))}
    assert Need.of(parts, source="probed").key == "x86_64_v1+avx/x86_64_v1+avx+f16c"
    assert BASELINE_NEED.key == "any"


def test_need_survives_its_json_form() -> None:
    parts = {
        "x86_64": ArchNeed(at_import=frozenset({"avx"}), at_use=frozenset({"avx", "f16c"})),
        "aarch64": ArchNeed(at_import=frozenset(), at_use=frozenset({"sve"})),
    }
    need = Need.of(parts, source="probed")
    assert Need.from_dict(need.as_dict()) == need
    assert need.as_dict()["aarch64"] == {"import": "aarch64_8a", "use": "aarch64_8a+sve"}


def test_json_form_with_a_token_of_another_architecture_is_refused() -> None:
    with pytest.raises(InvalidCpuToken, match="not a token of aarch64"):
        Need.from_dict({"aarch64": {"import": "x86_64_v1", "use": "x86_64_v1"}})


def test_missing_features_are_named() -> None:
    need = parse_need("x86_64_v2+avx+f16c", X86)
    assert missing_features(need, CpuProfile.parse("x86_64_v2+avx"), LINUX) == {"f16c"}
    assert missing_features(need, CpuProfile.parse("x86_64_v3"), LINUX) == frozenset()


def test_import_part_alone_may_fit() -> None:
    parts = {"x86_64": ArchNeed(at_import=frozenset({"avx"}), at_use=frozenset({"avx2"}))}
    need, cpu = Need.of(parts, source="probed"), CpuProfile.parse("x86_64_v2+avx")
    assert missing_features(need, cpu, LINUX) == {"avx2"}
    assert missing_features(need, cpu, LINUX, import_only=True) == frozenset()


def test_measured_profile_is_believed_before_the_platform_tag() -> None:
    need = parse_need("x86_64_v2", X86)
    assert missing_features(need, CpuProfile.baseline("x86_64"), ("android_24_x86_64",)) >= {"sse4_2"}


def test_need_on_another_architecture_is_held_against_the_platform_tag() -> None:
    cpu = CpuProfile.parse("aarch64_9_0a")
    assert "avx2" in missing_features(parse_need("x86_64_v3", X86), cpu, ("macosx_11_0_universal2",))
    assert not missing_features(parse_need("sse4_1", X86), cpu, ("macosx_11_0_universal2",))


@pytest.mark.parametrize(
    ("text", "tags", "ordinary"),
    [
        ("x86_64_v1", LINUX, True),
        ("sse3", LINUX, False),
        ("sse4_1", ("macosx_11_0_x86_64",), True),
        ("sse4_1", ("macosx_10_9_x86_64", "macosx_11_0_x86_64"), False),
        ("sse4_1", ("any", "macosx_11_0_x86_64"), False),
        ("sse4_1", ("macosx_11_0_x86_64", "plan9_x86_64"), False),
        ("cx16", ("win_amd64",), True),
        ("x86_64_v2", ("win_amd64",), False),
    ],
)
def test_wheel_within_every_tags_baseline_is_ordinary(text: str, tags: tuple[str, ...], *, ordinary: bool) -> None:
    assert is_ordinary(parse_need(text, X86), tags) is ordinary


def test_relevant_features_are_those_of_every_architecture() -> None:
    assert {"avx2", "sve"} <= parse_need("x86_64_v3,aarch64_8a+sve", BOTH).relevant_features
    assert BASELINE_NEED.relevant_features == frozenset()
