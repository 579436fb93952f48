from __future__ import annotations

import pytest
from tests.server.snapshots import (
    LINKS,
    LINUX,
    SDIST,
    labelled,
    project,
    selector,
    snapshot,
    wheel,
)

from cpufit_resolver.profile import CpuProfile
from cpufit_server.variants import listed_labelled
from cpufit_server.views import plain_page, profile_page
from cpufit_wheelhouse.catalog import ProjectSnapshot, StoredFile
from cpufit_wheelhouse.offers import (
    fitting_wheels,
    plain_wheels,
    relevant_features,
    selectable_release,
    wants_selector,
)
from cpufit_wheelhouse.releases import releases_of


def plain(given: ProjectSnapshot) -> list[str]:
    selectors = {
        release.version: selector(release.version)
        for release in releases_of(given.files)
        if selectable_release(release, given.project) is not None
    }
    return [file.url for file in plain_page(given, LINKS, selectors).files]


def address(file: StoredFile) -> str:
    return f"../../files/{file.sha256}/{file.filename}"


SELECTOR = f"../../selectors/{selector().sha256}/fresh/fast-1.0.tar.gz"


def test_the_plain_view_lists_ordinary_wheels_and_the_source() -> None:
    ordinary = wheel()
    assert plain(snapshot(ordinary, SDIST)) == [address(ordinary), address(SDIST)]


def test_a_wheel_whose_need_is_unknown_is_in_no_view_until_policy_lets_it_in() -> None:
    unknown = wheel(need=None)
    assert plain(snapshot(unknown)) == []
    assert profile_page(snapshot(unknown), LINKS, CpuProfile.parse("x86_64_v4")).files == ()
    assert plain(snapshot(unknown, unknown="allow")) == [address(unknown)]
    page = profile_page(snapshot(unknown, unknown="allow"), LINKS, CpuProfile.parse("x86_64_v1"))
    assert [file.url for file in page.files] == [address(unknown)]


def test_a_release_without_an_ordinary_wheel_has_the_selector_in_place_of_its_source() -> None:
    assert plain(snapshot(wheel(need="x86_64_v3"), SDIST)) == [SELECTOR]


@pytest.mark.parametrize(
    ("ordinary", "specific", "expected"),
    [
        (LINUX, LINUX, False),
        ("cp311-cp311-manylinux_2_28_x86_64", LINUX, True),
        (LINUX, "cp311-cp311-manylinux_2_28_x86_64", False),
        ("cp311-cp311-win_amd64", LINUX, True),
        ("cp310-cp310-manylinux_2_17_x86_64", LINUX, True),
        ("cp39-abi3-manylinux_2_17_x86_64", LINUX, False),
        ("py3-none-any", LINUX, False),
    ],
)
def test_the_selector_stands_where_some_platform_has_no_ordinary_wheel(
    ordinary: str, specific: str, expected: bool
) -> None:
    (release,) = releases_of([wheel(ordinary), wheel(specific, "x86_64_v3")])
    assert wants_selector(release, project()) is expected


def test_beside_the_selector_ordinary_wheels_of_other_platforms_stay() -> None:
    windows = wheel("cp311-cp311-win_amd64")
    assert plain(snapshot(windows, wheel(need="x86_64_v3"), SDIST)) == [address(windows), SELECTOR]


def test_with_the_policy_selector_ordinary_wheels_are_hidden_where_there_are_variants() -> None:
    files = (wheel(), wheel(need="x86_64_v3"), wheel(version="0.9"))
    assert plain(snapshot(*files, plain="selector")) == [address(files[2]), SELECTOR]
    assert plain(snapshot(*files)) == [address(files[2]), address(files[0])]


def test_the_link_to_a_selector_announces_no_metadata_and_the_python_of_its_wheels() -> None:
    given = snapshot(wheel(need="x86_64_v3"))
    (entry,) = plain_page(given, LINKS, {"1.0": selector()}).files
    assert entry.core_metadata is None
    assert entry.requires_python == ">=3.9"
    assert entry.hashes == {"sha256": selector().sha256}


def test_of_an_ordinary_and_a_specific_wheel_of_one_name_the_plain_view_has_the_ordinary() -> None:
    ordinary, specific = wheel(), wheel(need="x86_64_v3")
    (release,) = releases_of([specific, ordinary])
    assert plain_wheels(release, project()) == (ordinary,)


@pytest.mark.parametrize(
    ("token", "expected"),
    [("x86_64_v1", 0), ("x86_64_v2", 1), ("x86_64_v2+avx", 2), ("x86_64_v3", 3), ("x86_64_v4", 3), ("aarch64_8a", 0)],
)
def test_the_profile_view_has_the_most_demanding_wheel_that_fits_under_one_name(token: str, expected: int) -> None:
    files = [wheel(), wheel(need="x86_64_v2"), wheel(need="x86_64_v2+avx"), wheel(need="x86_64_v3")]
    (release,) = releases_of(reversed(files))
    assert fitting_wheels(release, project(), CpuProfile.parse(token)) == (files[expected],)


def test_a_wheel_that_a_more_demanding_one_covers_is_hidden_from_a_profile() -> None:
    newer_glibc, older_glibc = wheel("cp311-cp311-manylinux_2_28_x86_64"), wheel(need="x86_64_v3")
    (release,) = releases_of([newer_glibc, older_glibc])
    assert fitting_wheels(release, project(), CpuProfile.parse("x86_64_v3")) == (older_glibc,)
    assert fitting_wheels(release, project(), CpuProfile.parse("x86_64_v2")) == (newer_glibc,)


def test_a_wheel_that_goes_further_than_the_more_demanding_one_stays() -> None:
    files = (wheel(), wheel("cp311-cp311-manylinux_2_28_x86_64", "x86_64_v3"), wheel("cp312-cp312-win_amd64"))
    (release,) = releases_of(files)
    assert fitting_wheels(release, project(), CpuProfile.parse("x86_64_v3")) == files


def test_a_more_demanding_wheel_for_fewer_pythons_hides_nothing() -> None:
    files = (wheel(), wheel("cp39-abi3-manylinux_2_17_x86_64", "x86_64_v3", requires_python=">=3.12"))
    (release,) = releases_of(files)
    assert fitting_wheels(release, project(), CpuProfile.parse("x86_64_v3")) == files


def test_a_profile_sees_no_selector_and_the_source_only_where_it_may_be_built() -> None:
    specific = wheel(need="x86_64_v3")
    v1 = CpuProfile.parse("x86_64_v1")
    assert profile_page(snapshot(specific, SDIST), LINKS, v1).files == ()
    allowed = profile_page(snapshot(specific, SDIST, build_sdist=True), LINKS, v1).files
    assert [file.url for file in allowed] == [address(SDIST)]
    plain_release = profile_page(snapshot(wheel("cp311-cp311-win_amd64"), SDIST), LINKS, v1).files
    assert address(SDIST) in [file.url for file in plain_release]


def test_versions_are_in_order_of_versions() -> None:
    page = plain_page(snapshot(wheel(version="1.10"), wheel(version="1.9"), wheel(version="1.0rc1")), LINKS, {})
    assert page.versions == ("1.0rc1", "1.9", "1.10")
    assert page.status == "active"
    assert [file.filename.split("-")[1] for file in page.files] == ["1.0rc1", "1.9", "1.10"]


def test_versions_without_a_file_for_the_asker_are_told_too() -> None:
    given = snapshot(wheel(need="x86_64_v3", version="2.0"), wheel(need=None, version="3.0"), wheel())
    page = profile_page(given, LINKS, CpuProfile.parse("x86_64_v1"))
    assert [file.filename.split("-")[1] for file in page.files] == ["1.0"]
    assert page.versions == ("1.0", "2.0", "3.0"), "PEP 700: all that were uploaded"


def test_only_features_that_some_file_needs_are_relevant() -> None:
    relevant = relevant_features([wheel(), wheel(need=None), wheel(need="x86_64_v2+avx")])
    assert "avx" in relevant
    assert "avx2" not in relevant


def test_labelled_wheels_stand_beside_the_plain_view_with_their_metadata() -> None:
    source = wheel(need="x86_64_v3")
    label = labelled(source, "x86_64_v3", "v3")
    page = plain_page(snapshot(source, derived=(label,)), LINKS, {"1.0": selector()}, [label])
    entry = next(file for file in page.files if file.filename == label.filename)
    assert entry.core_metadata == "ab" * 32
    assert entry.requires_python == ">=3.9"
    assert entry.url == f"../../files/{label.sha256}/{label.filename}"


def test_of_two_labelled_wheels_of_one_name_the_exact_level_is_listed() -> None:
    rounded, exact = wheel(need="x86_64_v2+avx"), wheel(need="x86_64_v3")
    derived = tuple(labelled(source, "x86_64_v3", "v3") for source in (rounded, exact))
    assert derived[0].sha256 != derived[1].sha256
    assert listed_labelled(snapshot(rounded, exact, derived=derived)) == (derived[1],)
    assert listed_labelled(snapshot(exact, rounded, derived=derived[::-1])) == (derived[1],)


def test_of_two_labels_that_say_the_same_the_more_demanding_is_listed() -> None:
    rounded, exact = wheel(need="x86_64_v2+avx"), wheel(need="x86_64_v3")
    derived = (labelled(rounded, "own", "v3"), labelled(exact, "x86_64_v3", "v3"))
    assert listed_labelled(snapshot(rounded, exact, derived=derived)) == (derived[1],)


def test_one_label_means_one_thing_in_a_release() -> None:
    v3, v4 = wheel(need="x86_64_v3"), wheel("cp312-cp312-manylinux_2_17_x86_64", "x86_64_v4")
    derived = (labelled(v3, "own", "v3"), labelled(v4, "own", "v4"))
    assert listed_labelled(snapshot(v3, v4, derived=derived)) == (derived[1],)


def test_labels_of_other_platforms_and_levels_stand_side_by_side() -> None:
    sources = [wheel(need="x86_64_v2"), wheel(need="x86_64_v3"), wheel("cp312-cp312-win_amd64", "x86_64_v3")]
    derived = tuple(
        labelled(source, f"x86_64_{level}", level) for source, level in zip(sources, ("v2", "v3", "v3"), strict=True)
    )
    listed = listed_labelled(snapshot(*sources, derived=derived))
    assert sorted(file.filename for file in listed) == sorted(file.filename for file in derived)


def test_a_label_whose_wheel_is_gone_or_no_longer_specific_is_not_listed() -> None:
    now_ordinary = wheel()
    derived = (labelled(now_ordinary, "x86_64_v3", "v3"), labelled(wheel(need="x86_64_v4"), "x86_64_v4", "v4"))
    assert listed_labelled(snapshot(now_ordinary, derived=derived)) == ()
