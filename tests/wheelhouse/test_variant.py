from __future__ import annotations

import json
from typing import Any

import pytest

from cpufit_resolver.need import BASELINE_NEED, parse_need
from cpufit_wheelhouse.errors import InvalidVariantMetadata
from cpufit_wheelhouse.variant import (
    SCHEMA,
    Properties,
    VariantLabel,
    need_from_variant_json,
    properties_for,
    variant_json,
    variants_json,
)

X86 = frozenset({"x86_64"})
ARM = frozenset({"aarch64"})
LINUX = "manylinux_2_17_x86_64"
LINUX_ARM = "manylinux_2_17_aarch64"


@pytest.mark.parametrize(
    ("need", "level", "value"),
    [
        ("x86_64_v1", "x86_64_v1", "v1"),
        ("x86_64_v1+sse3", "x86_64_v2", "v2"),
        ("x86_64_v2", "x86_64_v2", "v2"),
        ("x86_64_v2+avx", "x86_64_v3", "v3"),
        ("x86_64_v2+avx+f16c", "x86_64_v3", "v3"),
        ("x86_64_v3", "x86_64_v3", "v3"),
        ("x86_64_v3+avx512f", "x86_64_v4", "v4"),
    ],
)
def test_a_need_is_rounded_up_to_the_next_level(need: str, level: str, value: str) -> None:
    expected = VariantLabel(level, {"x86_64": {"level": [value]}})
    assert properties_for(parse_need(need, X86), LINUX) == expected


@pytest.mark.parametrize("need", ["x86_64_v4+avx512_vnni", "x86_64_v1+aes", "x86_64_v3+gfni"])
def test_what_no_level_has_gets_no_label(need: str) -> None:
    assert properties_for(parse_need(need, X86), LINUX) is None


@pytest.mark.parametrize(
    ("need", "label", "value"),
    [
        ("aarch64_8a", "aarch64_8a", "8a"),
        ("aarch64_8a+atomics", "aarch64_8_1a", "8.1a"),
        ("aarch64_8_1a", "aarch64_8_1a", "8.1a"),
        ("aarch64_8_2a", "aarch64_8_2a", "8.2a"),
        ("aarch64_8_3a", "aarch64_8_3a", "8.3a"),
        ("aarch64_8a+asimddp", "aarch64_8_4a", "8.4a"),
    ],
)
def test_arm_needs_become_versions(need: str, label: str, value: str) -> None:
    assert properties_for(parse_need(need, ARM), LINUX_ARM) == VariantLabel(label, {"aarch64": {"version": [value]}})


@pytest.mark.parametrize("need", ["aarch64_8_5a", "aarch64_9_0a", "aarch64_8a+sve"])
def test_the_arm_provider_knows_nothing_above_8_4(need: str) -> None:
    assert properties_for(parse_need(need, ARM), LINUX_ARM) is None


@pytest.mark.parametrize("platform", ["any", "macosx_11_0_universal2", "manylinux_2_17_s390x", "win32", "plan9_x"])
def test_a_platform_without_one_provider_gets_no_label(platform: str) -> None:
    assert properties_for(BASELINE_NEED, platform) is None


def test_the_json_is_canonical_and_complete() -> None:
    variants: dict[str, Properties] = {
        "x86_64_v3": {"x86_64": {"level": ["v3"]}},
        "aarch64_8_2a": {"aarch64": {"version": ["8.2a"]}},
    }
    data = variants_json(variants)
    body = json.loads(data)
    assert body["$schema"] == SCHEMA
    assert body["variants"] == variants
    assert set(body["providers"]) == set(body["default-priorities"]["namespace"]) == {"x86_64", "aarch64"}
    assert data == variants_json(dict(reversed(variants.items())))
    assert data == (json.dumps(body, sort_keys=True, separators=(",", ":")) + "\n").encode()


def test_the_files_of_one_release_differ_in_their_variants_alone() -> None:
    one = json.loads(variant_json("x86_64_v3", {"x86_64": {"level": ["v3"]}}))
    other = json.loads(variant_json("aarch64_8_2a", {"aarch64": {"version": ["8.2a"]}}))
    assert one.pop("variants") != other.pop("variants")
    assert one == other


@pytest.mark.parametrize(
    ("need", "architectures", "platform"),
    [("x86_64_v2", X86, LINUX), ("x86_64_v4", X86, LINUX), ("aarch64_8_4a", ARM, LINUX_ARM)],
)
def test_what_is_written_for_a_level_is_read_as_that_level(
    need: str, architectures: frozenset[str], platform: str
) -> None:
    found = properties_for(parse_need(need, architectures), platform)
    assert found is not None
    read = need_from_variant_json(variant_json(found.label, found.properties), found.label, architectures)
    assert read == parse_need(need, architectures)
    assert read.source == "declared"
    assert read.evidence[0].startswith("variant.json: ")


def body_with(properties: object, **changes: Any) -> bytes:
    """Return metadata of one variant, ``x``; of keys given as None there are none, and ``label`` is no key."""
    body: dict[str, Any] = json.loads(variants_json({}))
    body["variants"] = {changes.pop("label", "x"): properties}
    body.update(changes)
    return json.dumps({key: value for key, value in body.items() if value is not None}).encode()


@pytest.mark.parametrize(
    ("properties", "need"),
    [
        ({"x86_64": {"level": ["v2", "v3"]}}, "x86_64_v2"),
        ({"x86_64": {"avx2": ["on"]}}, "x86_64_v1+avx2"),
        ({"x86_64": {"level": ["v2"], "avx": ["on"], "lzcnt": ["on"]}}, "x86_64_v2+avx+abm"),
        ({"aarch64": {"version": ["8.1a"], "sve": ["on"]}}, "aarch64_8_1a+sve"),
        ({"aarch64": {"version": ["8a"]}}, "aarch64_8a"),
        ({"aarch64": {"version": ["9.0a"]}}, "aarch64_9_0a"),
    ],
)
def test_properties_are_read_as_a_need(properties: dict[str, Any], need: str) -> None:
    assert need_from_variant_json(body_with(properties), "x", frozenset()) == parse_need(need, frozenset())


def test_the_null_variant_needs_nothing() -> None:
    need = need_from_variant_json(body_with({}, label="null"), "null", X86)
    assert need == BASELINE_NEED
    assert need.source == "declared"


def test_metadata_of_825_alone_and_of_other_tools_is_read() -> None:
    level = {"x86_64": {"level": ["v3"]}}
    schema = "https://variants-schema.wheelnext.dev/v0.2.0.json"
    own = {"namespace": ["x86_64"]}
    data = body_with(level, **{"$schema": schema, "default-priorities": own, "providers": None})
    assert need_from_variant_json(data, None, X86) == parse_need("x86_64_v3", X86)
    provider = {"x86_64": {"requires": ["provider-variant-x86-64"], "plugin-api": "a:b", "optional": True}}
    data = body_with(level, **{"default-priorities": own, "providers": provider})
    assert need_from_variant_json(data, "x", X86) == parse_need("x86_64_v3", X86)


V3 = {"x86_64": {"level": ["v3"]}}
ONLY = {"default-priorities": {"namespace": ["x86_64"]}}


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "not an object"),
        (b"[" * 100_000, "not JSON"),
        (body_with(V3)[:-1] + b',"variants":{}}', "key stands twice"),
        (body_with(V3, **{"$schema": None}), r"lacks \$schema"),
        (body_with(V3, **{"$schema": 1}), r"\$schema is not a text"),
        (body_with(V3, extra=1), "unknown keys: extra"),
        (body_with(V3, **{"default-priorities": {"namespace": ["x86_64", "aarch64"], "feature": {}}}), "feature"),
        (body_with(V3, **{"default-priorities": {"namespace": []}}), "not a list with something"),
        (body_with(V3, **{"default-priorities": {"namespace": "x86_64"}}), "not a list"),
        (body_with(V3, **{"default-priorities": {"namespace": ["x86_64", "x86_64"]}}), "twice"),
        (body_with(V3, **{"default-priorities": {"namespace": ["X86"]}}), "grammar"),
        (body_with(V3, **{"default-priorities": {"namespace": ["aarch64"]}, "providers": None}), "not in default"),
        (body_with(V3, **ONLY), "unknown keys: aarch64"),
        (body_with(V3, providers={}), "lacks aarch64, x86_64"),
        (body_with(V3, **ONLY, providers={"x86_64": []}), "exactly one of"),
        (body_with(V3, **ONLY, providers={"x86_64": {}}), "exactly one of"),
        (body_with(V3, **ONLY, providers={"x86_64": {"requires": ["a"], "builtin": "b"}}), "exactly one of"),
        (body_with(V3, **ONLY, providers={"x86_64": {"requires": ["a"], "enable-if": "b"}}), "enable-if"),
        (body_with(V3, **ONLY, providers={"x86_64": {"static-properties": {"level": ["v3"]}}}), "does not look at"),
        (body_with(V3, variants={}), "exactly one variant"),
        (body_with(V3, variants={"x": V3, "y": V3}), "exactly one variant"),
        (body_with(V3, label="X"), "not a variant label"),
        (body_with(V3, label="y"), "the file name has the label 'x'"),
        (body_with(V3, label="null"), "'null' is for"),
        (body_with({}), "for the variant without properties"),
        (body_with([]), "not an object"),
        (body_with({"x86_64": {}}), "something in it"),
        (body_with({"x86_64": {"level": []}}), "something in it"),
        (body_with({"x86_64": {"level": ["v3", "v2"]}}), "not sorted"),
        (body_with({"x86_64": {"level": ["v3", "v3"]}}), "twice"),
        (body_with({"x86_64": {"level": ["V3"]}}), "grammar"),
        (body_with({"x86_64": {"level": [3]}}), "grammar"),
        (body_with({"x86_64": {"Level": ["v3"]}}), "not the name of a feature"),
        (body_with({"x86_64": {"level": ["v9"]}}), "nobody here can judge"),
        (body_with({"x86_64": {"avx99": ["on"]}}), "nobody here can judge"),
        (body_with({"x86_64": {"avx": ["off"]}}), "nobody here can judge"),
        (body_with({"aarch64": {"version": ["8"]}}), "nobody here can judge"),
        (body_with({"aarch64": {"version": ["8.0a"]}}), "nobody here can judge"),
        (body_with({"x86_64": {"level": ["v3"]}, "aarch64": {"version": ["8a"]}}), "at once"),
        (
            body_with(
                {"nvidia": {"cuda": ["12"]}}, **{"default-priorities": {"namespace": ["nvidia"]}, "providers": None}
            ),
            "'nvidia' is one that nobody",
        ),
    ],
)
def test_what_breaks_a_rule_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(InvalidVariantMetadata, match=what) as caught:
        need_from_variant_json(data, "x", frozenset())
    assert caught.value.where == "variant.json"


def test_properties_of_another_architecture_are_refused() -> None:
    with pytest.raises(InvalidVariantMetadata, match="the wheel is for aarch64"):
        need_from_variant_json(body_with(V3), "x", ARM)
