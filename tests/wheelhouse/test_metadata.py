from __future__ import annotations

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from cpufit_wheelhouse.errors import InvalidMetadata, MetadataMismatch
from cpufit_wheelhouse.metadata import check_identity, dependency_signature, parse_metadata

HEAD = "Metadata-Version: 2.1\nName: Small.Thing\nVersion: 1.0\n"


def facts_of(*lines: str) -> str:
    return dependency_signature(parse_metadata((HEAD + "\n".join(lines) + "\n").encode()))


def test_the_deciding_fields_are_read() -> None:
    facts = parse_metadata(
        (
            HEAD + "Summary: Tiny\nRequires-Python: >=3.8\nRequires-Dist: numpy>=1; extra == 'n'\n"
            "Provides-Extra: n\n\nName: not-a-field\n"
        ).encode()
    )
    assert (facts.name, facts.normalized_name, facts.version) == ("Small.Thing", "small-thing", Version("1.0"))
    assert (facts.requires_python, facts.summary, facts.metadata_version) == (">=3.8", "Tiny", "2.1")
    assert facts.requires_dist == ("numpy>=1; extra == 'n'",)
    assert facts.provides_extra == ("n",)


@pytest.mark.parametrize("version", ["1.0", "1.2", "2.1", "2.2", "2.4", "9.9"])
def test_unknown_fields_and_versions_do_not_matter(version: str) -> None:
    text = f"Metadata-Version: {version}\nName: a\nVersion: 1\nX-Colour: red\nDynamic: nonsense\nKeywords: a b\n"
    assert parse_metadata(text.encode()).metadata_version == version


def test_a_description_that_is_not_utf8_does_not_matter() -> None:
    assert parse_metadata(HEAD.encode() + b"\n\xff\xfe\n").name == "Small.Thing"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Metadata-Version: 2.1\nVersion: 1\n", "not a project name"),
        ("Metadata-Version: 2.1\nName: a\n", "not a version"),
        ("Metadata-Version: 2.1\nName: a\nName: b\nVersion: 1\n", "'name'.* stands twice"),
        ("Metadata-Version: 2.1\nName: ../a\nVersion: 1\n", "not a project name"),
        ("Metadata-Version: 2.1\nName: a\nVersion: one\n", "not a version"),
        (HEAD + "Requires-Dist: ???\n", "Requires-Dist"),
        (HEAD + "Requires-Python: three\n", "Requires-Python"),
        (HEAD + "Provides-Extra: a b\n", "name of an extra"),
        ("", "not a project name"),
    ],
)
def test_a_broken_deciding_field_is_refused(text: str, what: str) -> None:
    with pytest.raises(InvalidMetadata, match=what) as caught:
        parse_metadata(text.encode(), where="PKG-INFO")
    assert caught.value.where == "PKG-INFO"


def test_a_requirement_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(InvalidMetadata, match="requires-dist"):
        parse_metadata(HEAD.encode() + b"Requires-Dist: \xff\n")


def test_identity_is_compared_in_normal_forms() -> None:
    facts = parse_metadata(HEAD.encode())
    check_identity(facts, canonicalize_name("small_thing"), Version("1"))
    with pytest.raises(MetadataMismatch, match="Name"):
        check_identity(facts, canonicalize_name("other"), Version("1.0"))
    with pytest.raises(MetadataMismatch, match="Version"):
        check_identity(facts, canonicalize_name("small.thing"), Version("1.1"))


def test_order_spelling_and_repetition_do_not_change_the_signature() -> None:
    first = facts_of("Requires-Dist: Foo_Bar[B,a]>=1,<2", "Requires-Dist: baz", "Requires-Python: >=3.8,<4")
    second = facts_of(
        "Requires-Python: <4, >=3.8", "Requires-Dist: baz", "Requires-Dist: foo-bar[a,b] (<2,>=1)", "Requires-Dist: baz"
    )
    assert first == second


@pytest.mark.parametrize(
    "line",
    [
        "Requires-Dist: foo>=1",
        "Requires-Dist: foo; python_version < '3.9'",
        "Requires-Dist: foo[x]",
        "Requires-Dist: foo @ https://example.org/foo.whl",
        "Requires-Python: >=3.9",
        "Provides-Extra: x",
    ],
)
def test_whatever_an_installer_would_notice_changes_the_signature(line: str) -> None:
    assert facts_of(line) != facts_of("Requires-Dist: foo")
    assert facts_of(line) != facts_of()
