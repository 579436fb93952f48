"""Identity: which uploads are the same file, a further variant, or in the way."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timezone
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from cpufit_resolver.need import BASELINE_NEED, ArchNeed, Need, parse_need
from cpufit_wheelhouse.catalog import JournalEntry, NewFile, Project, ProjectSnapshot, ProjectStatus, StoredFile, decide
from cpufit_wheelhouse.errors import (
    FileExists,
    FileNameDeleted,
    NeedRefused,
    ProjectClosed,
    VariantsDisagree,
    VariantsNotEnabled,
)

LINUX = "manylinux_2_17_x86_64"
X86 = frozenset({"x86_64"})
V1, V2, V3 = (parse_need(f"x86_64_v{level}", X86) for level in (1, 2, 3))


def signature(*requirements: str, python: str = "") -> str:
    return json.dumps({"provides_extra": [], "requires_dist": sorted(requirements), "requires_python": python})


def wheel(content: str = "a", need: Need | None = V3, **changes: Any) -> NewFile:
    new = NewFile(
        kind="wheel",
        version="1.0",
        filename=f"demo-1.0-cp311-abi3-{LINUX}.whl",
        need=need,
        sha256=content * 64,
        blake2="b" * 64,
        size=1,
        metadata_sha256="e" * 64,
        requires_python=None,
        dependencies_key=signature(),
        tags=(f"cp311-abi3-{LINUX}",),
        platforms=(LINUX,),
        has_native=True,
    )
    return dataclasses.replace(new, **changes)


def hosted(*files: NewFile, variants: bool = False) -> ProjectSnapshot:
    name = canonicalize_name("demo")
    now = datetime.now(timezone.utc)
    project = Project(
        id=1,
        name=name,
        display_name="demo",
        variants=variants,
        unknown="refuse",
        plain="ordinary",
        build_sdist=False,
        serial=1,
    )
    facts = [{field.name: getattr(new, field.name) for field in dataclasses.fields(NewFile)} for new in files]
    stored = tuple(StoredFile(**fact, id=i, project=name, uploaded_at=now) for i, fact in enumerate(facts, start=1))
    return ProjectSnapshot(project=project, files=stored, derived=())


def verdict(
    snapshot: ProjectSnapshot | None, new: NewFile, *, declared: bool = False, variants: bool | None = None
) -> str:
    return decide(snapshot, new, declared=declared, variants=declared if variants is None else variants).status


def test_the_first_file_is_new() -> None:
    assert verdict(None, wheel()) == verdict(hosted(), wheel()) == "new"


@pytest.mark.parametrize("need", [None, BASELINE_NEED, V3], ids=["unknown", "any", "v3"])
def test_same_need_and_bytes_are_the_same_file(need: Need | None) -> None:
    assert verdict(hosted(wheel(need=need)), wheel(need=need)) == "same"


@pytest.mark.parametrize("variants", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [(None, None), (V3, V3), (BASELINE_NEED, V1)],
    ids=["unknown", "v3", "nothing and the floor are one need"],
)
def test_same_need_and_other_bytes_are_refused(old: Need | None, new: Need | None, variants: bool) -> None:
    with pytest.raises(FileExists, match=r"^File already exists"):
        verdict(hosted(wheel("a", old), variants=variants), wheel("b", new), declared=variants)


@pytest.mark.parametrize(("old", "new"), [(V3, V2), (None, V2), (V3, None)])
def test_another_need_and_other_bytes_are_refused_naming_both_needs(old: Need | None, new: Need | None) -> None:
    with pytest.raises(VariantsNotEnabled) as caught:
        verdict(hosted(wheel("a", old)), wheel("b", new))
    for need in (old, new):
        assert ("unknown" if need is None else need.key) in caught.value.message


def test_another_need_is_a_further_variant_once_variants_are_on() -> None:
    assert verdict(hosted(wheel("a", V3), variants=True), wheel("b", V2)) == "new"
    assert verdict(hosted(wheel("a", V3)), wheel("b", V2), variants=True) == "new"
    assert verdict(hosted(wheel("a", None), variants=True), wheel("b", V2)) == "new"


def test_another_file_name_or_project_is_never_in_the_way() -> None:
    assert verdict(hosted(wheel("a")), wheel("b", filename=f"demo-1.0-cp312-abi3-{LINUX}.whl")) == "new"


def test_a_declared_need_judges_an_unknown_file() -> None:
    decision = decide(hosted(wheel(need=None)), wheel(need=V2), declared=True, variants=True)
    assert decision.status == "need-changed"
    assert decision.existing is not None
    assert decision.existing.id == 1


def test_an_inspected_need_judges_an_unknown_file_but_says_nothing_against_a_known_one() -> None:
    assert verdict(hosted(wheel(need=None)), wheel(need=V2)) == "need-changed"
    assert verdict(hosted(wheel(need=V3)), wheel(need=V2)) == "same"
    assert verdict(hosted(wheel(need=V2)), wheel(need=V3)) == "same"


def test_nothing_declared_leaves_what_was_declared() -> None:
    assert verdict(hosted(wheel(need=V3)), wheel(need=None)) == "same"


def test_a_declaration_may_raise_a_need() -> None:
    assert verdict(hosted(wheel(need=V2)), wheel(need=V3), declared=True) == "need-changed"
    assert verdict(hosted(wheel(need=BASELINE_NEED)), wheel(need=V2), declared=True) == "need-changed"


@pytest.mark.parametrize("new", [V2, V1, parse_need("x86_64_v1+avx512f", X86)])
def test_a_declaration_never_lowers_a_need(new: Need) -> None:
    with pytest.raises(NeedRefused) as caught:
        verdict(hosted(wheel(need=V3)), wheel(need=new), declared=True)
    assert V3.key in caught.value.message
    assert new.key in caught.value.message


def test_import_and_use_are_both_held() -> None:
    v2, v3 = V2.by_arch[0][1].features, V3.by_arch[0][1].features
    split = Need.of({"x86_64": ArchNeed(at_import=v2, at_use=v3)}, source="declared")
    assert verdict(hosted(wheel(need=split)), wheel(need=V3), declared=True) == "need-changed"
    with pytest.raises(NeedRefused):
        verdict(hosted(wheel(need=V3)), wheel(need=split), declared=True)


def test_an_architecture_that_is_left_out_counts_as_its_floor() -> None:
    both = parse_need("x86_64_v3,aarch64_8_2a", frozenset({"x86_64", "aarch64"}))
    with pytest.raises(NeedRefused):
        verdict(hosted(wheel(need=both)), wheel(need=V3), declared=True)
    assert verdict(hosted(wheel(need=V3)), wheel(need=both), declared=True) == "need-changed"


def test_the_floor_declared_on_a_wheel_without_a_need_changes_nothing() -> None:
    assert verdict(hosted(wheel(need=BASELINE_NEED)), wheel(need=V1), declared=True) == "same"


def test_a_raised_need_must_not_meet_a_sibling() -> None:
    with pytest.raises(FileExists):
        verdict(hosted(wheel("a", V2), wheel("b", V3), variants=True), wheel("a", V3), declared=True)


def test_variants_of_a_release_must_agree_on_dependencies_and_the_difference_is_named() -> None:
    other = wheel("b", V2, dependencies_key=signature("numpy||>=2||"))
    with pytest.raises(VariantsDisagree, match="only the first has requires_dist 'numpy  >=2'"):
        verdict(hosted(wheel("a", V3), variants=True), other)
    with pytest.raises(VariantsDisagree, match=r"requires_python '>=3\.9' and ''"):
        verdict(hosted(wheel("a", V3), variants=True), wheel("b", V2, dependencies_key=signature(python=">=3.9")))


def test_one_cpu_specific_wheel_binds_every_wheel_of_its_release() -> None:
    mac = wheel(
        "b",
        BASELINE_NEED,
        filename="demo-1.0-cp311-abi3-macosx_11_0_arm64.whl",
        platforms=("macosx_11_0_arm64",),
        dependencies_key=signature("numpy||||"),
    )
    with pytest.raises(VariantsDisagree):
        verdict(hosted(wheel("a", V3)), mac)
    with pytest.raises(VariantsDisagree):
        verdict(hosted(mac), wheel("a", V3))
    assert verdict(hosted(wheel("a", V1)), mac) == "new"
    assert verdict(hosted(wheel("a", V3, version="0.9")), mac) == "new"


def test_judging_an_unknown_wheel_cpu_specific_holds_its_release_to_agree() -> None:
    other = wheel("b", V1, filename="demo-1.0-py3-none-any.whl", dependencies_key=signature("numpy||||"))
    with pytest.raises(VariantsDisagree):
        verdict(hosted(wheel("a", None), other), wheel("a", V3), declared=True)
    assert verdict(hosted(wheel("a", None), other), wheel("a", V1), declared=True) == "need-changed"


def test_a_source_distribution_may_depend_on_other_things() -> None:
    sdist = wheel(
        "c", BASELINE_NEED, kind="sdist", filename="demo-1.0.tar.gz", dependencies_key=signature("cython||||")
    )
    assert verdict(hosted(wheel("a", V3)), sdist) == "new"
    assert verdict(hosted(sdist), wheel("a", V3)) == "new"
    with pytest.raises(FileExists):
        verdict(hosted(sdist), dataclasses.replace(sdist, sha256="d" * 64))


def deleted(new: NewFile, why: str = "broken") -> JournalEntry:
    return JournalEntry(
        id=1,
        happened_at=datetime(2026, 1, 2, tzinfo=timezone.utc),
        project=canonicalize_name("demo"),
        action="delete",
        filename=new.filename,
        sha256=new.sha256,
        need_key=new.need_key,
        who="mara",
        why=why,
    )


@pytest.mark.parametrize(
    ("gone", "new", "variants"),
    [
        (wheel("a"), wheel("a"), False),
        (wheel("a"), wheel("c"), False),
        (wheel("a"), wheel("c", V2), False),
        (wheel("a"), wheel("a"), True),
        (wheel("a"), wheel("c"), True),
        # "nothing" and the floor of an architecture are one need, and an unknown one may be any
        (wheel("a", BASELINE_NEED), wheel("c", V1), True),
        (wheel("a", None), wheel("c", V3), True),
        (wheel("a", V3), wheel("c", None), True),
    ],
)
def test_a_deleted_name_takes_no_other_bytes(gone: NewFile, new: NewFile, variants: bool) -> None:
    for snapshot in (hosted(variants=variants), None):
        with pytest.raises(FileNameDeleted, match="deleted here on 2026-01-02: broken"):
            decide(snapshot, new, declared=True, variants=variants, deleted=[deleted(gone)])


def test_with_variants_a_deleted_name_is_free_for_another_need() -> None:
    decision = decide(hosted(variants=True), wheel("c", V2), declared=True, variants=False, deleted=[deleted(wheel())])
    assert decision.status == "new"


def test_the_deleted_bytes_alone_come_back_and_only_by_who_may_restore_them() -> None:
    gone = [deleted(wheel("a")), deleted(wheel("c"))]
    decision = decide(hosted(), wheel("a"), declared=False, variants=False, deleted=gone, restoring=True)
    assert decision.status == "new"
    with pytest.raises(FileNameDeleted, match="a file of this name was"):
        decide(hosted(), wheel("d"), declared=False, variants=False, deleted=gone, restoring=True)
    with pytest.raises(FileNameDeleted, match="these bytes were") as caught:
        decide(hosted(), wheel("a"), declared=False, variants=False, deleted=gone)
    assert "admin" in (caught.value.hint or "")


def test_what_is_here_again_is_not_held_against_its_deletion() -> None:
    again = decide(hosted(wheel()), wheel(), declared=False, variants=False, deleted=[deleted(wheel())])
    assert again.status == "same"


@pytest.mark.parametrize(
    ("status", "open_"), [("active", True), ("deprecated", True), ("archived", False), ("quarantined", False)]
)
def test_a_status_says_whether_anything_comes_in(status: ProjectStatus, open_: bool) -> None:
    snapshot = hosted(wheel())
    project = dataclasses.replace(snapshot.project, status=status, status_reason="use other")
    snapshot = dataclasses.replace(snapshot, project=project)
    for new in (wheel(), wheel("c", version="2.0", filename="demo-2.0-py3-none-any.whl")):
        if open_:
            decide(snapshot, new, declared=False, variants=False)
            continue
        with pytest.raises(ProjectClosed, match=f"is {status} and takes no files: use other") as caught:
            decide(snapshot, new, declared=False, variants=False)
        assert caught.value.code == f"project-{status}"
