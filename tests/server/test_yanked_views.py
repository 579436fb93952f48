"""PEP 592 in every view: what is yanked is marked and never takes the place of what is not."""

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
    stored,
    wheel,
)

from cpufit_resolver.profile import CpuProfile
from cpufit_server.selectors import candidates_of
from cpufit_server.variants import listed_labelled
from cpufit_server.views import plain_page, profile_page, quarantined_page
from cpufit_wheelhouse.catalog import Freeze, Project, ProjectSnapshot, StoredFile
from cpufit_wheelhouse.offers import fitting_wheels, plain_wheels, selectable_release
from cpufit_wheelhouse.releases import Release, releases_of, yanked_together

V3 = CpuProfile.parse("x86_64_v3")
WINDOWS = "cp311-cp311-win_amd64"
GONE = "leaks memory"


def release_of(*files: StoredFile) -> Release:
    (release,) = releases_of(files)
    return release


def choices(*files: StoredFile, **policy: object) -> tuple[StoredFile, ...] | None:
    """Return the wheels that the release's selector may choose; None where it has none."""
    asked: Project = project(**policy)
    found = selectable_release(release_of(*files), asked)
    return None if found is None else tuple(candidates_of(found, asked))


def marks(given: ProjectSnapshot) -> dict[str, bool | str]:
    """Return what is yanked on the plain page, by file name."""
    selectors = {
        release.version: selector(release.version)
        for release in releases_of(given.files)
        if selectable_release(release, given.project) is not None
    }
    return {file.filename: file.yanked for file in plain_page(given, LINKS, selectors).files}


def test_a_yanked_file_is_marked_with_its_reason_in_each_view() -> None:
    bad, plainly_bad = wheel(yanked=GONE), wheel(version="2.0", yanked="")
    given = snapshot(bad, plainly_bad, wheel(version="3.0"))
    expected = {bad.filename: GONE, plainly_bad.filename: True, wheel(version="3.0").filename: False}
    assert marks(given) == expected
    assert {file.filename: file.yanked for file in profile_page(given, LINKS, V3).files} == expected


def test_a_labelled_wheel_is_yanked_with_the_one_it_was_made_of() -> None:
    source = wheel(need="x86_64_v3", yanked=GONE)
    label = labelled(source, "x86_64_v3", "v3")
    page = plain_page(snapshot(source, derived=(label,)), LINKS, {"1.0": selector()}, [label])
    assert next(file.yanked for file in page.files if file.filename == label.filename) == GONE


def test_a_label_of_a_yanked_wheel_gives_way_to_one_that_says_the_same() -> None:
    rounded, exact = wheel(need="x86_64_v2+avx"), wheel(need="x86_64_v3", yanked="")
    derived = tuple(labelled(source, "x86_64_v3", "v3") for source in (rounded, exact))
    assert listed_labelled(snapshot(rounded, exact, derived=derived)) == (derived[0],)


def test_of_one_name_the_wheel_that_is_not_yanked_is_listed() -> None:
    less, more = wheel(need="x86_64_v2"), wheel(need="x86_64_v3", yanked=GONE)
    assert fitting_wheels(release_of(less, more), project(), V3) == (less,)
    judged, unknown = wheel(yanked=GONE), wheel(need=None)
    assert plain_wheels(release_of(judged, unknown), project(unknown="allow")) == (unknown,)


def test_a_yanked_wheel_hides_no_other_from_a_profile_and_is_hidden_by_none() -> None:
    yanked, kept = wheel(need="x86_64_v3", yanked=GONE), wheel("cp39-abi3-manylinux_2_17_x86_64", "x86_64_v2")
    assert fitting_wheels(release_of(yanked, kept), project(), V3) == (yanked, kept)
    newer = wheel("cp311-cp311-manylinux_2_28_x86_64", yanked=GONE)
    better = wheel(need="x86_64_v3")
    assert fitting_wheels(release_of(newer, better), project(), V3) == (newer, better), "a lock may have it"


def test_among_yanked_wheels_the_more_demanding_one_goes_first_as_ever() -> None:
    more, less = wheel(need="x86_64_v3", yanked=GONE), wheel("cp311-cp311-manylinux_2_28_x86_64", yanked="")
    assert fitting_wheels(release_of(more, less), project(), V3) == (more,)


def test_a_selector_chooses_no_yanked_wheel_while_others_want_one() -> None:
    yanked, kept = wheel(need="x86_64_v3", yanked=GONE), wheel(need="x86_64_v2")
    assert choices(yanked, kept, SDIST) == (kept,)
    assert marks(snapshot(yanked, kept, SDIST)) == {"fast-1.0.tar.gz": False}


def test_a_selector_whose_wheels_are_all_yanked_is_yanked_and_chooses_among_them() -> None:
    files = (wheel(need="x86_64_v3", yanked=GONE), wheel(need="x86_64_v2", yanked="too slow"))
    assert choices(*files) == files
    assert marks(snapshot(*files)) == {"fast-1.0.tar.gz": f"{GONE}; too slow"}
    assert marks(snapshot(*(wheel(need=f.need, yanked="") for f in files))) == {"fast-1.0.tar.gz": True}


@pytest.mark.parametrize("policy", ["ordinary", "selector"])
def test_where_only_yanked_wheels_want_a_selector_it_is_for_pins_and_hides_nothing(policy: str) -> None:
    windows, yanked = wheel(WINDOWS), wheel(need="x86_64_v3", yanked=GONE)
    assert choices(windows, yanked, plain=policy) == (windows, yanked)
    assert marks(snapshot(windows, yanked, plain=policy)) == {windows.filename: False, "fast-1.0.tar.gz": GONE}


def test_an_ordinary_wheel_that_covers_the_yanked_one_leaves_no_wish_for_a_selector() -> None:
    assert choices(wheel(), wheel(need="x86_64_v3", yanked=GONE)) is None


def test_a_yanked_ordinary_wheel_covers_nobody_who_does_not_pin_it() -> None:
    ordinary, specific = wheel(yanked=GONE), wheel(need="x86_64_v3")
    assert choices(ordinary, specific) == (specific,)
    assert marks(snapshot(ordinary, specific)) == {ordinary.filename: GONE, "fast-1.0.tar.gz": False}


def test_a_source_that_may_be_built_and_is_not_yanked_goes_before_a_selector_that_is() -> None:
    yanked = wheel(need="x86_64_v3", yanked=GONE)
    assert choices(yanked, SDIST, build_sdist=True) is None
    assert marks(snapshot(yanked, SDIST, build_sdist=True)) == {"fast-1.0.tar.gz": False}
    gone = stored("fast-1.0.tar.gz", None, yanked=GONE)
    assert choices(yanked, gone, build_sdist=True) == (yanked,)
    kept = wheel(need="x86_64_v2")
    found = selectable_release(release_of(kept, gone), project(build_sdist=True))
    assert found is not None
    assert found.sdists == (), "a selector that is not yanked builds no yanked source"


def test_a_frozen_selector_is_yanked_as_soon_as_one_of_its_wheels_is() -> None:
    yanked, kept = wheel(need="x86_64_v3", yanked=GONE), wheel(need="x86_64_v2")
    added = wheel("cp312-cp312-manylinux_2_17_x86_64", need="x86_64_v3", yanked="another one")
    given = snapshot(yanked, kept, added)
    known = tuple((file.sha256, file.need_key) for file in (yanked, kept))
    freeze = Freeze(
        version="1.0",
        selector_sha256=selector().sha256,
        candidates=known,
        who="ada",
        why="locks",
        created_at=yanked.uploaded_at,
    )
    frozen = ProjectSnapshot(project=given.project, files=given.files, derived=(), freezes=(freeze,))
    assert marks(frozen) == {"fast-1.0.tar.gz": GONE}


def test_a_file_that_stands_for_others_is_yanked_with_the_first_of_them() -> None:
    assert yanked_together([]) is None
    assert yanked_together([wheel(), wheel(WINDOWS)]) is None
    assert yanked_together([wheel(), wheel(WINDOWS, yanked="")]) == ""
    assert yanked_together([wheel(yanked=GONE), wheel(WINDOWS, yanked=GONE), wheel(LINUX, yanked="")]) == GONE


def test_a_quarantined_project_has_no_file_and_all_its_versions() -> None:
    page = quarantined_page(snapshot(wheel(), wheel(version="2.0"), status="quarantined", status_reason="malware"))
    assert (page.files, page.versions) == ((), ("1.0", "2.0"))
    assert (page.status, page.status_reason) == ("quarantined", "malware")
