"""Ingest: a wheel goes in whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.wheelhouse.ingest_support import LINUX, NAME, X86, blob, on_disk, put, sdist_bytes, state, wheel_bytes

from cpufit_resolver.errors import InvalidCpuToken
from cpufit_resolver.need import BASELINE_NEED, Need, parse_need
from cpufit_wheelhouse.admission.rules import Submission
from cpufit_wheelhouse.archive import WheelInfo, open_wheel
from cpufit_wheelhouse.errors import (
    FileExists,
    InvalidWheelName,
    MetadataMismatch,
    NeedRefused,
    NotAWheel,
    StoreError,
    VariantMetadataMissing,
    VariantsDisagree,
    VariantsNotEnabled,
    WheelError,
)
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.ingest import Ingested
from cpufit_wheelhouse.inspection.verdict import RULES_VERSION, Verdict
from cpufit_wheelhouse.variant import variant_json


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


# what goes in


def test_a_declared_wheel_is_stored_as_uploaded_with_its_metadata_and_labelled_form(home: Home) -> None:
    data = wheel_bytes(requires=("numpy>=2",))
    done = put(home, data, declared="x86_64_v3", provenance={"source": "upload"})
    assert done.status == "new"
    file = done.file
    assert home.catalog.files("demo") == (file,)
    assert (file.filename, file.version, file.kind, file.need_key) == (NAME, "1.0", "wheel", "x86_64_v3")
    assert (file.need_source, file.has_native, file.cpu_specific) == ("declared", True, True)
    assert (file.tags, file.platforms, file.build) == ((f"cp311-abi3-{LINUX}",), (LINUX,), ())
    assert (file.size, dict(file.provenance)) == (len(data), {"source": "upload"})
    assert file.blake2 == hashlib.blake2b(data, digest_size=32).hexdigest()
    assert blob(home, file.sha256) == data
    assert b"Requires-Dist: numpy>=2" in blob(home, file.metadata_sha256)
    (form,) = home.catalog.derived("demo")
    assert (form.kind, form.file_id, form.label) == ("labelled", file.id, "x86_64_v3")
    assert form.filename == NAME.replace(".whl", "-x86_64_v3.whl")
    assert form.properties == {"x86_64": {"level": ["v3"]}}
    assert form.metadata_sha256 == file.metadata_sha256
    assert form.size == len(blob(home, form.sha256))
    assert sorted(on_disk(home)) == sorted({file.sha256, file.metadata_sha256, form.sha256})


def test_a_labelled_form_is_a_wheel_with_the_stated_variant(home: Home) -> None:
    put(home, declared="x86_64_v2+avx")
    (form,) = home.catalog.derived("demo")
    info = open_wheel(home.blobs.path(form.sha256), form.filename)
    assert info.filename.label == form.label == "x86_64_v3"
    assert info.variant_json is not None
    assert json.loads(info.variant_json)["variants"] == {form.label: form.properties}


def test_a_compressed_platform_tag_gives_one_labelled_form_for_each(home: Home) -> None:
    filename = "demo-1.0-cp311-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    put(home, filename=filename, declared="x86_64_v3")
    assert [form.filename for form in home.catalog.derived("demo")] == [
        "demo-1.0-cp311-abi3-manylinux_2_17_x86_64-x86_64_v3.whl",
        "demo-1.0-cp311-abi3-manylinux2014_x86_64-x86_64_v3.whl",
    ]


@pytest.mark.parametrize(
    ("native", "declared", "need_key", "ordinary"),
    [
        (True, None, "unknown", False),
        (False, None, "any", True),
        (True, "x86_64_v1", "x86_64_v1", True),
        (True, "x86_64_v4+amx_tile", "x86_64_v4+amx_tile", False),
        (False, "x86_64_v3", "x86_64_v3", False),
    ],
    ids=["unknown", "no machine code", "within the baseline", "beyond every label", "no machine code but declared"],
)
def test_other_wheels_have_no_labelled_form(
    home: Home, native: bool, declared: str | None, need_key: str, ordinary: bool
) -> None:
    file = put(home, wheel_bytes(native=native), declared=declared).file
    assert (file.need_key, file.ordinary) == (need_key, ordinary)
    assert home.catalog.derived("demo") == ()


def test_an_inspector_judges_what_nobody_declared(tmp_path: Path) -> None:
    class Reader:
        def inspect(self, path: Path, info: WheelInfo) -> Verdict:
            assert path.is_file()
            assert [member.name for member in info.native] == ["demo.so"]
            need = Need.of(dict(parse_need("x86_64_v2", X86).by_arch), source="inspected", evidence=("demo.so",))
            return Verdict(need=need, confidence="high")

    with open_home(tmp_path, inspector=Reader()) as home:
        file = put(home).file
        assert file.need_source == "inspected"
        verdict = home.catalog.inspections.verdict(file.sha256)
        assert verdict is not None
        assert (verdict.need, verdict.confidence) == (file.need, "high")
        assert [form.label for form in home.catalog.derived("demo")] == ["x86_64_v2"]


def test_a_wheel_with_a_label_stands_under_its_ordinary_name_and_keeps_its_bytes(home: Home) -> None:
    labelled = NAME.replace(".whl", "-x86_64_v3.whl")
    data = wheel_bytes(labelled, extra={"variant.json": variant_json("x86_64_v3", {"x86_64": {"level": ["v3"]}})})
    file = put(home, data, filename=labelled).file
    assert (file.filename, file.need_key) == (NAME, "x86_64_v3")
    assert blob(home, file.sha256) == data
    assert [form.filename for form in home.catalog.derived("demo")] == [labelled]


def test_a_source_distribution_goes_in(home: Home) -> None:
    file = put(home, sdist_bytes(), filename="demo-1.0.tar.gz").file
    assert (file.kind, file.need, file.tags, file.has_native) == ("sdist", BASELINE_NEED, (), False)
    assert b"Name: demo" in blob(home, file.metadata_sha256)
    assert put(home, sdist_bytes(), filename="demo-1.0.tar.gz").file == file


def test_the_author_s_spelling_is_shown_and_any_spelling_found(home: Home) -> None:
    put(home)
    project = home.catalog.project("DEMO")
    assert project is not None
    assert (project.name, project.display_name, project.variants) == ("demo", "Demo", False)


# another project's name


def test_a_wheel_may_come_in_as_a_variant_of_another_project(home: Home) -> None:
    own, compat = f"polars-1.0-cp311-abi3-{LINUX}.whl", f"polars_lts_cpu-1.0-cp311-abi3-{LINUX}.whl"
    put(home, wheel_bytes(own, name="polars", requires=("polars[all]; extra == 'more'",)), own, declared="x86_64_v3")
    renamed = wheel_bytes(compat, name="polars-lts-cpu", requires=("polars-lts-cpu[all]; extra == 'more'",))
    put(home, renamed, compat, declared="x86_64_v2", as_project="polars")
    assert [(file.filename, file.need_key) for file in home.catalog.files("polars")] == [
        (own, "x86_64_v3"),
        (own, "x86_64_v2"),
    ]


def test_a_renamed_wheel_tells_where_it_came_from_and_is_the_same_however_it_is_spelt(home: Home) -> None:
    filename = f"polars_lts_cpu-1.0-cp311-abi3-{LINUX}.whl"
    data = wheel_bytes(filename, name="polars-lts-cpu")
    done = put(home, data, filename, declared="x86_64_v2", as_project="Polars", provenance={"url": "https://a/"})
    assert (done.file.project, done.file.filename) == ("polars", f"polars-1.0-cp311-abi3-{LINUX}.whl")
    assert done.file.provenance == {
        "url": "https://a/",
        "renamed_from": {
            "name": "polars-lts-cpu",
            "filename": filename,
            "sha256": hashlib.sha256(data).hexdigest(),
        },
    }
    info = open_wheel(home.blobs.path(done.file.sha256), done.file.filename)
    assert info.metadata.name == "polars"
    project = home.catalog.project("polars")
    assert project is not None
    assert (project.display_name, project.variants) == ("Polars", True)
    assert home.catalog.project("polars-lts-cpu") is None
    again = put(home, data, filename, declared="x86_64_v2", as_project="polars", provenance={"url": "https://b/"})
    assert again == Ingested(file=done.file, status="same")


def test_as_its_own_project_turns_variants_on_and_renames_nothing(home: Home) -> None:
    data = wheel_bytes()
    put(home, data)
    done = put(home, data, as_project="demo")
    assert done.status == "same"
    assert "renamed_from" not in done.file.provenance
    project = home.catalog.project("demo")
    assert project is not None
    assert project.variants


def test_a_source_distribution_cannot_take_another_name(home: Home) -> None:
    before = state(home)
    with pytest.raises(StoreError) as caught:
        put(home, sdist_bytes(), filename="demo-1.0.tar.gz", as_project="other")
    assert caught.value.code == "sdist-of-another-project"
    assert state(home) == before


# identity


def test_the_same_upload_twice_changes_nothing(home: Home) -> None:
    data = wheel_bytes()
    first = put(home, data, declared="x86_64_v3")
    before = state(home)
    second = put(home, data, declared="x86_64_v3")
    assert second == Ingested(file=first.file, status="same")
    assert state(home) == before


def test_two_builds_of_one_name_live_side_by_side_by_their_needs(home: Home) -> None:
    put(home, wheel_bytes(content="v3"), declared="x86_64_v3")
    put(home, wheel_bytes(content="v2"), declared="x86_64_v2")
    put(home, wheel_bytes(content="v1"), declared="x86_64_v1")
    assert [(file.filename, file.need_key) for file in home.catalog.files("demo")] == [
        (NAME, "x86_64_v3"),
        (NAME, "x86_64_v2"),
        (NAME, "x86_64_v1"),
    ]


def test_two_wheels_that_round_up_to_one_label_are_both_kept_with_their_files(home: Home) -> None:
    one = put(home, wheel_bytes(content="avx"), declared="x86_64_v2+avx").file
    other = put(home, wheel_bytes(content="f16c"), declared="x86_64_v2+avx+f16c").file
    forms = home.catalog.derived("demo")
    assert [(form.label, form.file_id) for form in forms] == [("x86_64_v3", one.id), ("x86_64_v3", other.id)]
    assert len({form.filename for form in forms}) == 1
    assert len({form.sha256 for form in forms}) == 2


def test_declaring_a_need_later_judges_an_unknown_wheel(home: Home) -> None:
    data = wheel_bytes()
    first = put(home, data)
    done = put(home, data, declared="x86_64_v2")
    assert (done.status, done.file.id, done.file.need_key) == ("need-changed", first.file.id, "x86_64_v2")
    assert home.catalog.files("demo") == (done.file,)
    assert [form.label for form in home.catalog.derived("demo")] == ["x86_64_v2"]


def test_a_raised_need_replaces_the_labelled_form(home: Home) -> None:
    data = wheel_bytes()
    put(home, data, declared="x86_64_v2")
    assert put(home, data, declared="x86_64_v3").status == "need-changed"
    assert [form.label for form in home.catalog.derived("demo")] == ["x86_64_v3"]


def known(text: str | None, rules: int = RULES_VERSION) -> Verdict:
    need = None if text is None else replace(parse_need(text, X86), source="inspected", evidence=(f"needs {text}",))
    return Verdict(need=need, rules_version=rules)


def test_the_first_verdict_on_bytes_that_are_here_raises_what_was_only_declared(home: Home) -> None:
    put(home, declared="x86_64_v2")
    done = put(home, verdict=known("x86_64_v3"))
    assert (done.status, done.file.need_key) == ("need-changed", "x86_64_v3")
    assert [form.label for form in home.catalog.derived("demo")] == ["x86_64_v3"]
    assert (put(home, verdict=known("x86_64_v3")).status, len(home.catalog.files("demo"))) == ("same", 1)


def test_bytes_that_come_again_after_the_rules_changed_are_judged_by_the_new_ones(home: Home) -> None:
    put(home, verdict=known("x86_64_v3", rules=0))
    done = put(home, verdict=known("x86_64_v2"))
    assert (done.status, done.file.need_key) == ("need-changed", "x86_64_v2")


def test_what_could_not_be_determined_is_inspected_again(tmp_path: Path) -> None:
    answers = [known(None), known("x86_64_v3")]

    class Inspector:
        def inspect(self, path: Path, info: WheelInfo) -> Verdict:
            del path, info
            return answers.pop(0)

    with open_home(tmp_path / "home", inspector=Inspector()) as home:
        assert put(home).file.need is None
        done = put(home)
        assert (done.status, done.file.need_key) == ("need-changed", "x86_64_v3")
        assert put(home).status == "same"


# refusals leave nothing


@pytest.mark.parametrize(
    ("data", "filename", "options", "error"),
    [
        (b"not a zip", NAME, {}, NotAWheel),
        (wheel_bytes(), "demo-1.0.whl", {}, InvalidWheelName),
        (wheel_bytes(), f"../demo-1.0-cp311-abi3-{LINUX}.whl", {}, InvalidWheelName),
        (wheel_bytes(name="other"), NAME, {}, MetadataMismatch),
        (wheel_bytes(), NAME, {"submission": Submission(project="other")}, MetadataMismatch),
        (wheel_bytes(), NAME, {"submission": Submission(project="demo"), "as_project": "other"}, MetadataMismatch),
        (wheel_bytes(), NAME, {"as_project": "no project!"}, InvalidWheelName),
        (wheel_bytes(), NAME, {"declared": "x86_64_v9"}, InvalidCpuToken),
        (wheel_bytes(), NAME, {"declared": "aarch64_8a"}, InvalidCpuToken),
        (wheel_bytes(), NAME.replace(".whl", "-x86_64_v3.whl"), {}, VariantMetadataMissing),
        (wheel_bytes()[:-30], NAME, {}, NotAWheel),
        (b"not a gzip", "demo-1.0.tar.gz", {}, WheelError),
        (sdist_bytes(name="other"), "demo-1.0.tar.gz", {}, WheelError),
        (sdist_bytes(), "demo-1.0.tar.gz", {"submission": Submission(project="other")}, MetadataMismatch),
    ],
)
def test_a_refused_file_leaves_nothing(
    home: Home, data: bytes, filename: str, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        put(home, data, filename, **options)
    assert state(home) == ([], (), [])


@pytest.mark.parametrize(
    ("first", "second", "error"),
    [
        ({}, {"data": wheel_bytes(content="second")}, FileExists),
        ({"declared": "x86_64_v3"}, {"data": wheel_bytes(content="second"), "declared": "x86_64_v3"}, FileExists),
        ({}, {"data": wheel_bytes(content="second", native=False)}, VariantsNotEnabled),
        ({"declared": "x86_64_v3"}, {"declared": "x86_64_v2"}, NeedRefused),
        (
            {"declared": "x86_64_v3"},
            {"data": wheel_bytes(content="second", requires=("numpy",)), "declared": "x86_64_v2"},
            VariantsDisagree,
        ),
    ],
)
def test_a_file_that_cannot_join_its_project_changes_nothing(
    home: Home, first: dict[str, Any], second: dict[str, Any], error: type[Exception]
) -> None:
    put(home, **first)
    before = state(home)
    with pytest.raises(error):
        put(home, **second)
    assert state(home) == before


def test_a_failure_while_labelled_forms_are_made_leaves_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    # a full disk cannot be had in a test without rights
    def full(*_arguments: object) -> str:
        raise OSError("no space left on device")

    monkeypatch.setattr("cpufit_wheelhouse.forms.make_labelled", full)
    with pytest.raises(OSError, match="no space"):
        put(home, declared="x86_64_v3")
    assert state(home) == ([], (), [])
