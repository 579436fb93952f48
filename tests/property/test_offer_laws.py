"""Laws of what each kind of client is offered, for any wheels and any CPU."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from functools import partial

from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from cpufit_resolver import Candidate, CpuProfile, Need, missing_features, select
from cpufit_resolver.features import architecture
from cpufit_resolver.selection import need_rank
from cpufit_wheelhouse.catalog import Project, StoredFile
from cpufit_wheelhouse.filename import parse_wheel_filename
from cpufit_wheelhouse.offers import (
    fitting_wheels,
    plain_wheels,
    relevant_features,
    selectable_release,
    wants_selector,
)
from cpufit_wheelhouse.releases import releases_of, yanked_together

# a CPython 3.11 on glibc 2.31, and wheels of which it can and cannot use some
PLATFORMS = ["manylinux_2_31_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "linux_x86_64"]
PYTHONS = ["cp311-cp311", "cp311-abi3", "cp39-abi3", "py3-none"]
SUPPORTED = [f"{python}-{platform}" for python in PYTHONS for platform in PLATFORMS] + ["py3-none-any"]
FOREIGN = ["cp312-cp312-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_34_x86_64", "cp311-cp311-win_amd64"]
TAGS = st.sampled_from([*SUPPORTED, *FOREIGN, "cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64"])

VOCABULARY = sorted(architecture("x86_64").vocabulary)
LEVELS = [level.features for level in architecture("x86_64").levels]
FEATURES = st.builds(frozenset.union, st.sampled_from(LEVELS), st.frozensets(st.sampled_from(VOCABULARY), max_size=3))
NEEDS = FEATURES.map(lambda features: Need.uniform("x86_64", features, source="declared"))
MACHINES = FEATURES.map(lambda features: CpuProfile("x86_64", features | architecture("x86_64").floor))
POLICIES = st.builds(
    Project,
    id=st.just(1),
    name=st.just(canonicalize_name("fast")),
    display_name=st.just("fast"),
    variants=st.just(True),
    unknown=st.just("refuse"),
    plain=st.sampled_from(["ordinary", "selector"]),
    build_sdist=st.booleans(),
    serial=st.just(1),
)


def stored(number: int, tags: str, need: Need | None) -> StoredFile:
    name = parse_wheel_filename(f"fast-1.0-{tags}.whl")
    return StoredFile(
        id=number,
        project=canonicalize_name("fast"),
        version="1.0",
        filename=name.format(),
        kind="wheel",
        need=need,
        sha256=f"{number:064x}",
        blake2="",
        size=1,
        metadata_sha256="",
        requires_python=None,
        dependencies_key="",
        tags=tuple(sorted(name.tags)),
        platforms=name.platforms,
        uploaded_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )


@st.composite
def releases(draw: st.DrawFn) -> tuple[StoredFile, ...]:
    pairs = draw(st.lists(st.tuples(TAGS, st.none() | NEEDS), min_size=1, max_size=7))
    return tuple(stored(number, tags, need) for number, (tags, need) in enumerate(pairs))


@st.composite
def releases_for_one_interpreter_and_abi(draw: st.DrawFn) -> tuple[StoredFile, ...]:
    python = draw(st.sampled_from(PYTHONS))
    pairs = draw(st.lists(st.tuples(st.sampled_from(PLATFORMS), st.none() | NEEDS), min_size=1, max_size=7))
    return tuple(stored(number, f"{python}-{platform}", need) for number, (platform, need) in enumerate(pairs))


def taken_by_an_installer(files: tuple[StoredFile, ...]) -> StoredFile | None:
    """Return what pip and uv take of a page: the wheel with the most preferred tag."""
    order = {tag: index for index, tag in enumerate(SUPPORTED)}
    usable = [
        (min(order[tag] for tag in file.tags if tag in order), file) for file in files if set(file.tags) & {*order}
    ]
    return min(usable, key=lambda pair: pair[0])[1] if usable else None


@given(releases(), POLICIES, MACHINES)
def test_a_profile_page_lists_only_what_fits(
    files: tuple[StoredFile, ...], project: Project, machine: CpuProfile
) -> None:
    (release,) = releases_of(files)
    for file in fitting_wheels(release, project, machine):
        assert file.need is not None
        assert not missing_features(file.need, machine, file.platforms)


@given(releases(), POLICIES)
def test_a_plain_page_lists_only_what_every_cpu_runs(files: tuple[StoredFile, ...], project: Project) -> None:
    (release,) = releases_of(files)
    least = CpuProfile.baseline("x86_64")
    for file in plain_wheels(release, project):
        assert file.need is not None
        if "win_amd64" not in file.platforms:  # Windows promises more than the least CPU
            assert not missing_features(file.need, least, file.platforms)


# Not so across ABIs: an installer prefers a cp311 wheel for an old glibc to an abi3 wheel for a newer one, and a page
# that served the old glibc too cannot leave the first one out. Both run.
@given(releases_for_one_interpreter_and_abi(), POLICIES, MACHINES)
def test_what_an_installer_takes_of_a_profile_page_is_as_demanding_as_what_selection_chooses(
    files: tuple[StoredFile, ...], project: Project, machine: CpuProfile
) -> None:
    (release,) = releases_of(files)
    candidates = [Candidate(str(file.id), frozenset(file.tags), file.need) for file in files]
    chosen = select(candidates, machine, SUPPORTED).chosen
    taken = taken_by_an_installer(fitting_wheels(release, project, machine))
    assert (taken is None) == (chosen is None)
    if taken is not None and chosen is not None:
        assert taken.need is not None
        assert chosen.need is not None
        assert need_rank(taken.need, "x86_64") >= need_rank(chosen.need, "x86_64")


@given(releases(), POLICIES, MACHINES)
def test_features_that_no_file_asks_for_change_no_page(
    files: tuple[StoredFile, ...], project: Project, machine: CpuProfile
) -> None:
    (release,) = releases_of(files)
    reduced = machine.reduced_to(relevant_features(files))
    assert fitting_wheels(release, project, machine) == fitting_wheels(release, project, reduced)


@given(releases(), st.data(), POLICIES, MACHINES)
def test_what_is_yanked_changes_nothing_of_what_is_not(
    files: tuple[StoredFile, ...], data: st.DataObject, project: Project, machine: CpuProfile
) -> None:
    """Whoever passes over yanked files, as installers do (PEP 592), finds what there would be without them."""
    yanks = data.draw(st.lists(st.sampled_from([None, "", "broken"]), min_size=len(files), max_size=len(files)))
    (release,) = releases_of(replace(file, yanked=yanked) for file, yanked in zip(files, yanks, strict=True))
    kept = release.without_yanked()
    for offered in (partial(fitting_wheels, profile=machine), plain_wheels):
        assert tuple(file for file in offered(release, project=project) if file.yanked is None) == offered(
            kept, project=project
        )
    choosing = selectable_release(release, project)
    chooses_freely = choosing is not None and yanked_together(choosing.wheels) is None
    assert chooses_freely == wants_selector(kept, project)
