from __future__ import annotations

import pytest

from cpufit_wheelhouse.errors import InvalidWheelName
from cpufit_wheelhouse.filename import MAX_FILENAME_LENGTH, parse_sdist_filename, parse_wheel_filename

# PEP 825 and the cases of uv's own tests
ACCEPTED = [
    ("numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64.whl", "", None),
    ("numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64-x86_64_v3.whl", "", "x86_64_v3"),
    ("numpy-2.3.2-cp313-cp313t-musllinux_1_2_x86_64-null.whl", "", "null"),
    ("numpy-2.3.2-7-cp313-cp313t-musllinux_1_2_x86_64-x86_64_v3_openblas.whl", "7", "x86_64_v3_openblas"),
    ("numpy-2.3.2-7-cp313-cp313t-musllinux_1_2_x86_64.whl", "7", None),
    ("numpy-2.3.2-2avx2-cp313-cp313t-musllinux_1_2_x86_64.whl", "2avx2", None),
    ("numpy-2.3.2-cp312.cp313-none-any-cpu.v3.whl", "", "cpu.v3"),
]


@pytest.mark.parametrize(("text", "build", "label"), ACCEPTED)
def test_build_tag_and_label_are_told_apart(text: str, build: str, label: str | None) -> None:
    name = parse_wheel_filename(text)
    assert (name.raw_build, name.label) == (build, label)
    assert name.format() == text


def test_name_version_and_build_have_their_normal_forms() -> None:
    name = parse_wheel_filename("Foo.Bar_baz-1!2.0.Post1-007b-py3-none-any.whl")
    assert (name.name, str(name.version), name.build) == ("foo-bar-baz", "1!2.0.post1", (7, "b"))
    assert name.dist_info == "Foo.Bar_baz-1!2.0.Post1.dist-info"


def test_a_compressed_tag_set_is_expanded_and_its_order_kept() -> None:
    name = parse_wheel_filename("a-1-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    assert name.platforms == ("manylinux_2_17_x86_64", "manylinux2014_x86_64")
    assert name.tags == {"cp39-abi3-manylinux_2_17_x86_64", "cp39-abi3-manylinux2014_x86_64"}


def test_tags_are_compared_in_lower_case_and_the_file_name_kept() -> None:
    name = parse_wheel_filename("a-1-py3-none-Win_AMD64.whl")
    assert name.platforms == ("win_amd64",)
    assert name.format() == "a-1-py3-none-Win_AMD64.whl"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("py3-none-any", set()),
        ("cp311-cp311-macosx_11_0_universal2", {"aarch64", "x86_64"}),
        ("cp311-cp311-win_amd64", {"x86_64"}),
        ("cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64", {"aarch64"}),
    ],
)
def test_platform_tags_tell_the_architectures(tags: str, expected: set[str]) -> None:
    assert parse_wheel_filename(f"a-1-{tags}.whl").architectures() == expected


@pytest.mark.parametrize(
    "text",
    [
        "numpy-2.3.2-cp313-cp313t-any-CUDA.whl",
        "numpy-2.3.2-cp313-cp313t-any-cpu_!v3.whl",
        "numpy-2.3.2-cp313-cp313t-any-.whl",
        "numpy-2.3.2-3py-none-any.whl",
        "numpy-2.3.2-x1-cp313-cp313-any-label.whl",
        "numpy-2.3.2-py3-none.whl",
        "numpy-2.3.2-1-py3-none-any-label-more.whl",
        "numpy-2.3.2-py3-none-any.zip",
        "numpy-two-py3-none-any.whl",
        "../numpy-2.3.2-py3-none-any.whl",
        "a/b-2.3.2-py3-none-any.whl",
        "a\\b-2.3.2-py3-none-any.whl",
        "numpy-2.3.2-py3-none-any\0.whl",
        "numpy-2.3.2-py3-none-any\n.whl",
        "nu mpy-2.3.2-py3-none-any.whl",
        "numpý-2.3.2-py3-none-any.whl",
        "_numpy-2.3.2-py3-none-any.whl",
        "nu__mpy-2.3.2-py3-none-any.whl",
        "numpy-2.3.2-py3-none-..whl",
        "numpy-2.3.2-py3--any.whl",
        "numpy-٢.3-py3-none-any.whl",
        "numpy-2.3.2-٢-py3-none-any.whl",
        ".whl",
        "",
    ],
)
def test_other_names_are_refused_with_a_code(text: str) -> None:
    with pytest.raises(InvalidWheelName) as caught:
        parse_wheel_filename(text)
    assert caught.value.code == "invalid-wheel-name"
    assert "\n" not in str(caught.value)


def test_a_name_that_no_file_system_could_store_is_refused() -> None:
    fits = "a" * (MAX_FILENAME_LENGTH - len("-1-py3-none-any.whl")) + "-1-py3-none-any.whl"
    assert parse_wheel_filename(fits).format() == fits
    with pytest.raises(InvalidWheelName, match="longer than 255"):
        parse_wheel_filename("a" + fits)


def test_parts_are_replaced_one_by_one() -> None:
    name = parse_wheel_filename("polars_lts_cpu-1.33.1-2x-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
    single = name.with_platform("manylinux2014_x86_64")
    assert single.format() == "polars_lts_cpu-1.33.1-2x-cp39-abi3-manylinux2014_x86_64.whl"
    labelled = single.with_label("x86_64_v3")
    assert labelled.format() == "polars_lts_cpu-1.33.1-2x-cp39-abi3-manylinux2014_x86_64-x86_64_v3.whl"
    assert labelled.with_label("null").label == "null"
    assert labelled.with_platform("any").format() == "polars_lts_cpu-1.33.1-2x-cp39-abi3-any-x86_64_v3.whl"
    assert labelled.ordinary() == single
    assert single.ordinary() is single
    assert labelled.with_project("Po.lars").format() == labelled.format().replace("polars_lts_cpu", "po_lars")


@pytest.mark.parametrize("project", ["", "../x", "a b", "-a", "a-1-py3-none-any.whl\0"])
def test_a_wheel_is_not_given_a_name_that_is_none(project: str) -> None:
    with pytest.raises(InvalidWheelName, match="not a project name"):
        parse_wheel_filename("a-1-py3-none-any.whl").with_project(project)


@pytest.mark.parametrize("label", ["V3", "", "a-b", "a/b"])
def test_a_label_outside_the_grammar_is_refused(label: str) -> None:
    with pytest.raises(InvalidWheelName):
        parse_wheel_filename("a-1-py3-none-any.whl").with_label(label)


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("polars-1.33.1.tar.gz", "polars", "1.33.1"),
        ("my-old.project-1.0.tar.gz", "my-old-project", "1.0"),
        ("a_b-1.0rc1.tar.gz", "a-b", "1.0rc1"),
    ],
)
def test_names_of_source_distributions_are_read(text: str, name: str, version: str) -> None:
    found = parse_sdist_filename(text)
    assert (found.name, str(found.version), found.format()) == (name, version, text)


@pytest.mark.parametrize(
    "text", ["polars.tar.gz", "polars-1.0.zip", "../polars-1.0.tar.gz", "a/b-1.0.tar.gz", "-1.0.tar.gz", "a-x.tar.gz"]
)
def test_other_names_of_source_distributions_are_refused(text: str) -> None:
    with pytest.raises(InvalidWheelName):
        parse_sdist_filename(text)
