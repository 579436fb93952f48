from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.filename import parse_wheel_filename

names = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9.]{0,8}[A-Za-z0-9])?", fullmatch=True)
versions = st.from_regex(r"[1-9]?[0-9](\.[1-9]?[0-9]){0,3}(rc[0-9]|\.post[0-9])?(\+[a-z]{1,4})?", fullmatch=True)
builds = st.just("") | st.from_regex(r"[0-9]{1,3}[a-z_.]{0,4}", fullmatch=True)
pythons = st.from_regex(r"[a-z]{2}[0-9]{1,3}(\.[a-z]{2}[0-9]{1,3})?", fullmatch=True)
tags = st.from_regex(r"[a-z0-9_]{1,9}(\.[a-z0-9_]{1,9})?", fullmatch=True)
labels = st.from_regex(r"[0-9a-z_.]{1,20}", fullmatch=True)


@given(names, versions, builds, pythons, tags, tags, st.none() | labels)
def test_every_name_of_the_grammar_comes_back_as_it_went_in(
    name: str, version: str, build: str, python: str, abi: str, platform: str, label: str | None
) -> None:
    text = "-".join(part for part in (name, version, build, python, abi, platform, label or "") if part) + ".whl"
    found = parse_wheel_filename(text)
    assert found.format() == text
    assert (found.raw_name, found.raw_version, found.raw_build, found.label) == (name, version, build, label)
    assert parse_wheel_filename(found.format()) == found


@given(names, versions, builds, pythons, tags, tags, labels)
def test_putting_a_label_on_and_taking_it_off_changes_nothing(
    name: str, version: str, build: str, python: str, abi: str, platform: str, label: str
) -> None:
    ordinary = "-".join(part for part in (name, version, build, python, abi, platform) if part) + ".whl"
    found = parse_wheel_filename(ordinary)
    assert found.with_label(label).ordinary() == found
    assert found.with_label(label).tags == found.tags


@given(st.text(max_size=80).map(lambda text: text + ".whl"))
def test_any_other_text_is_refused_or_comes_back(text: str) -> None:
    try:
        found = parse_wheel_filename(text)
    except InvalidWheelName:
        return
    assert found.format() == text
