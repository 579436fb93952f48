"""What a person is told when nothing fits: the line to copy, and the block around it."""

from __future__ import annotations

from typing import Any

import pytest
from packaging.version import Version

from cpufit_pip_plugin.selector.backend.alternatives import Alternative, Taker, newest_fitting, newest_of_other, short
from cpufit_pip_plugin.selector.backend.explain import Instead, explain
from cpufit_pip_plugin.selector.backend.release import Release
from cpufit_resolver import CpuProfile, parse_need
from cpufit_resolver.detection import DetectedCpu, HiddenFeatures
from cpufit_resolver.refusals import needs_features, not_inspected, other_platform

TAG = "py3-none-any"


def release(version: str, needs: str | None, **more: object) -> dict[str, Any]:
    need = None if needs is None else parse_need(needs, frozenset()).as_dict()
    file = {"filename": f"demo-{version}-{TAG}.whl", "kind": "wheel", "requires_python": None, "need": need}
    return {"version": version, "files": [file | more]}


def offer(refused: str, *releases: dict[str, Any], cpu: str = "x86_64_v2", **policy: str) -> str | None:
    taker = Taker(CpuProfile.parse(cpu), [TAG], "3.11.7")
    found = newest_fitting({"policy": policy, "releases": releases}, "demo", refused, taker)
    return None if found is None else found.requirement


OLD, MIDDLE, NEW = release("1.33.1", "x86_64_v2"), release("1.34.0", "x86_64_v3"), release("1.35.0", "x86_64_v3")


def test_the_bound_leaves_out_every_release_that_does_not_fit() -> None:
    assert offer("1.35.0", NEW, MIDDLE, OLD) == "demo<1.34"


def test_a_newer_release_that_fits_is_named_exactly() -> None:
    assert offer("1.34.0", release("1.36.0", "x86_64_v3"), release("1.35.0", "x86_64_v2"), MIDDLE) == "demo==1.35.0"


def test_the_refused_release_bounds_even_where_the_index_no_longer_lists_it() -> None:
    assert offer("1.34.0", OLD) == "demo<1.34"


def test_a_yanked_release_is_offered_to_nobody() -> None:
    yanked, kept = release("1.33.9", "x86_64_v2", yanked=""), release("1.33.8", "x86_64_v2", yanked=None)
    assert offer("1.34.0", MIDDLE, yanked, kept) == "demo<1.33.9"
    assert offer("1.34.0", MIDDLE, yanked) is None


def test_nothing_is_offered_where_nothing_fits() -> None:
    assert offer("1.35.0", NEW, MIDDLE) is None


def test_a_prerelease_is_offered_only_to_who_asked_for_one() -> None:
    early = release("1.33.2rc1", "x86_64_v2")
    assert offer("1.34.0", MIDDLE, early, OLD) == "demo<1.34"
    assert offer("1.34.0rc1", release("1.34.0rc1", "x86_64_v3"), early) == "demo<1.34.0rc1"


def test_a_file_for_another_python_or_one_that_cannot_be_read_is_passed_over() -> None:
    newer = release("1.33.2", "x86_64_v2", requires_python=">=3.12")
    broken = release("1.33.3", "x86_64_v2", filename="demo-1.33.3.whl")
    source = release("1.33.4", "x86_64_v2", kind="sdist")
    assert offer("1.34.0", MIDDLE, source, broken, newer, OLD) == "demo<1.33.2"


def test_an_unknown_need_counts_only_where_the_policy_lets_it_pass() -> None:
    unknown = release("1.33.9", None)
    assert offer("1.34.0", MIDDLE, unknown, OLD) == "demo<1.33.9"
    assert offer("1.34.0", MIDDLE, unknown, OLD, unknown="allow") == "demo<1.34"


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("1.34.0", "1.34"),
        ("2.0.0", "2.0"),
        ("3", "3"),
        ("1.2.3", "1.2.3"),
        ("1.0.0rc1", "1.0.0rc1"),
        ("1!2.0", "1!2.0"),
    ],
)
def test_a_bound_is_written_as_people_write_it(version: str, text: str) -> None:
    assert short(Version(version)) == text


RELEASE = Release(
    project="demo",
    version="2.0",
    api_url="https://index.example",
    cpufit="0",
    allow_unknown=False,
    wheels=(),
    source=None,
)


def test_the_block_names_cpu_features_offer_and_ways_out() -> None:
    cpu = DetectedCpu(
        CpuProfile.parse("x86_64_v2+avx"),
        "glibc",
        (HiddenFeatures("hypervisor", frozenset({"avx2"}), "a virtual machine hides avx2"),),
    )
    refused = [
        needs_features("demo-2.0-a.whl", frozenset({"f16c", "avx2"})),
        not_inspected("demo-2.0-b.whl"),
        other_platform("demo-2.0-c.whl"),
    ]
    assert explain(
        RELEASE, cpu, refused, "cp311-cp311-linux_x86_64", Instead(Alternative("1.9", "demo<2.0"))
    ).splitlines() == [
        "demo 2.0 has no wheel that runs on this CPU, so it is not installed.",
        "",
        "  this CPU:  x86_64_v2+avx",
        "  hidden:    a virtual machine hides avx2",
        "  demo-2.0-a.whl",
        "      needs avx2, f16c",
        "  demo-2.0-b.whl",
        "      not inspected: nobody knows yet which CPU features it needs",
        "  1 wheel is for another platform or Python",
        "",
        "The newest release that fits is 1.9. To install it:",
        "",
        "    pip install 'demo<2.0' --index-url https://index.example/simple/",
        "",
        "What else to do:",
        "",
        "  * see what fits and why not: cpu-check demo --index https://index.example/simple/",
        '  * something hides features of the CPU from this process (above). Show them to it: CPU type "host" for a',
        "    virtual machine, or native containers and a native Python in place of emulated ones",
    ]


def test_where_only_the_platform_is_wrong_the_cpu_is_not_blamed() -> None:
    cpu = DetectedCpu(CpuProfile.parse("x86_64_v3"), "glibc")
    text = explain(RELEASE, cpu, [other_platform("demo-2.0-c.whl")], "cp311-cp311-linux_x86_64", Instead())
    assert "has no wheel for this platform and Python" in text
    assert "this Python takes:  cp311-cp311-linux_x86_64" in text
    assert "CPU" not in text


def test_a_long_list_of_wheels_is_cut() -> None:
    cpu = DetectedCpu(CpuProfile.parse("x86_64_v2"), "environment")
    refused = [needs_features(f"demo-2.0-{n}.whl", frozenset({"avx"})) for n in range(30)]
    text = explain(RELEASE, cpu, refused, TAG, Instead())
    assert text.count("needs avx") == 12
    assert "and 18 more that do not run here" in text
    assert "(as CPUFIT_CPU says)" in text


def test_a_cpu_with_dozens_of_features_is_named_by_its_level() -> None:
    token = "x86_64_v2+adx+aes+avx+clwb+f16c+fma+gfni+rdrand+rdseed"
    refused = [needs_features("demo-2.0-a.whl", frozenset({"avx2"}))]
    text = explain(RELEASE, DetectedCpu(CpuProfile.parse(token), "glibc"), refused, TAG, Instead())
    assert "  this CPU:  x86_64_v2 and 9 features more" in text.splitlines()


def test_the_library_and_the_instruction_are_told_where_they_are_known() -> None:
    seen = "needs avx2: demo/_core.so, vmovdqa in _init (no-dispatcher)"
    refused = [needs_features("demo-2.0-a.whl", frozenset({"avx2"}), (seen,))]
    text = explain(RELEASE, DetectedCpu(CpuProfile.parse("x86_64_v2"), "glibc"), refused, TAG, Instead())
    assert f"      needs avx2\n      ({seen})\n" in text


def advice(*refused: Any, instead: Instead) -> list[str]:
    cpu = DetectedCpu(CpuProfile.parse("x86_64_v2"), "glibc")
    return explain(RELEASE, cpu, refused, "cp311-cp311-linux_x86_64", instead).splitlines()


def test_where_no_release_fits_it_is_told_what_a_build_would_have_to_be() -> None:
    needs = needs_features("demo-2.0-a.whl", frozenset({"avx2"}))
    assert (
        "No release fits that the index knows of. What is missing is a build that needs no more than x86_64_v2."
        in advice(needs, instead=Instead())
    )
    assert (
        "No release fits that the index knows of. What is missing is a build for cp311-cp311-linux_x86_64."
        in advice(other_platform("demo-2.0-c.whl"), instead=Instead())
    )


def test_of_an_index_that_did_not_answer_it_is_not_said_that_nothing_fits() -> None:
    needs = needs_features("demo-2.0-a.whl", frozenset({"avx2"}))
    assert "No release" not in "\n".join(advice(needs, instead=Instead(index_answered=False)))


def test_a_wheel_of_the_release_that_can_be_imported_is_a_way_out() -> None:
    needs = needs_features("demo-2.0-a.whl", frozenset({"avx2"}))
    lines = advice(needs, instead=Instead(import_only="demo-2.0-a.whl"))
    assert "  * demo-2.0-a.whl can be imported here, and some of its operations die;" in lines
    assert "    CPUFIT_ALLOW_IMPORT_ONLY=1 takes it all the same" in lines


def test_what_was_told_to_the_index_is_told_to_the_user_with_how_to_keep_it() -> None:
    lines = advice(needs_features("demo-2.0-a.whl", frozenset({"avx2"})), instead=Instead(counted=True))
    assert "CPUFIT_NO_REPORT=1 keeps it from being told." in lines


def test_another_project_is_offered_by_its_newest_release_that_fits() -> None:
    taker = Taker(CpuProfile.parse("x86_64_v2"), [TAG], "3.11.7")
    document = {"name": "demo-lts", "releases": [NEW, OLD, release("1.36.0rc1", "x86_64_v2")]}
    found = newest_of_other(document, taker)
    assert found == Alternative("1.33.1", "demo-lts==1.33.1", "demo-lts")
    assert newest_of_other({"name": "demo-lts", "releases": [NEW]}, taker) is None
    lines = advice(needs_features("demo-2.0-a.whl", frozenset({"avx2"})), instead=Instead(found))
    assert "No release fits, but one of demo-lts does: 1.33.1. To install it:" in lines
    assert "    pip install 'demo-lts==1.33.1' --index-url https://index.example/simple/" in lines
