"""What is wanted and not here: which release a CPU cannot have, how demands are counted, and what should be built."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

from packaging.utils import canonicalize_name

from cpufit_resolver.need import Need, parse_need
from cpufit_resolver.profile import CpuProfile
from cpufit_wheelhouse.catalog import Catalog, Demand, DemandCount, DemandLimits, Project, ProjectSnapshot, StoredFile
from cpufit_wheelhouse.demand import common_needs, rank, still_wanted, unmet_in

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
ARM = "cp311-cp311-manylinux_2_17_aarch64"
DAY = date(2026, 3, 1)
NAME = canonicalize_name("fast")


def stored(number: int, version: str, needs: str | None, tags: str = LINUX, kind: str = "wheel") -> StoredFile:
    platform = tags.split("-")[2]
    need: Need | None = None if needs is None else parse_need(needs, frozenset())
    return StoredFile(
        id=number,
        project=NAME,
        version=version,
        filename=f"fast-{version}-{tags}.whl" if kind == "wheel" else f"fast-{version}.tar.gz",
        kind="wheel" if kind == "wheel" else "sdist",
        need=need,
        sha256=f"{number:064x}",
        blake2="",
        size=1,
        metadata_sha256="",
        requires_python=None,
        dependencies_key="",
        tags=(tags,) if kind == "wheel" else (),
        platforms=(platform,) if kind == "wheel" else (),
        has_native=True,
        uploaded_at=datetime(2026, 1, 1, tzinfo=timezone.utc),
    )


def snapshot(*files: StoredFile) -> ProjectSnapshot:
    project = Project(
        id=1,
        name=NAME,
        display_name="fast",
        variants=True,
        unknown="refuse",
        plain="ordinary",
        build_sdist=False,
        serial=1,
    )
    return ProjectSnapshot(project=project, files=files, derived=())


def unmet(cpu: str, *files: StoredFile) -> tuple[str, str, tuple[str, ...], str | None] | None:
    found = unmet_in(snapshot(*files), CpuProfile.parse(cpu))
    return None if found is None else (found.version, found.reason, found.missing, found.newest_fit)


OLD, NEW = stored(1, "1.0", "x86_64_v2"), stored(2, "2.0", "x86_64_v2+avx+f16c")


def test_the_newest_release_that_has_nothing_is_told_with_what_fits_instead() -> None:
    found = unmet_in(snapshot(OLD, NEW), CpuProfile.parse("x86_64_v2"))
    assert found is not None
    assert (found.version, found.missing, found.newest_fit) == ("2.0", ("avx", "f16c"), "1.0")
    assert found.sentence == (
        "2.0 is not listed: its least demanding wheel needs avx, f16c, which this CPU does not have; "
        "the newest release that fits is 1.0"
    )


def test_a_yanked_release_is_neither_wanted_nor_what_fits_instead() -> None:
    assert unmet("x86_64_v2", OLD, replace(NEW, yanked="")) is None
    found = unmet("x86_64_v2", replace(OLD, yanked="broken"), NEW)
    assert found is not None
    assert (found[0], found[3]) == ("2.0", None)


def test_a_cpu_that_gets_the_newest_release_wants_nothing() -> None:
    assert unmet("x86_64_v3", OLD, NEW) is None
    assert unmet("x86_64_v1", stored(1, "1.0", None, "py3-none-any")) is not None
    assert unmet("x86_64_v1", stored(1, "1.0", "x86_64_v1")) is None
    assert unmet("x86_64_v1") is None


def test_the_reason_is_that_of_the_wheels_for_the_architecture() -> None:
    arm = stored(3, "2.0", "aarch64_8_2a", ARM)
    assert unmet("aarch64_8a", NEW, arm) == ("2.0", "wheel-needs-cpu-features", tuple(sorted(
        CpuProfile.parse("aarch64_8_2a").features - CpuProfile.parse("aarch64_8a").features)), None)  # fmt: skip
    assert unmet("aarch64_8a", NEW) == ("2.0", "wheel-for-another-platform", (), None)
    assert unmet("x86_64_v4", stored(1, "1.0", None)) == ("1.0", "wheel-not-inspected", (), None)


def test_the_least_demanding_of_several_wheels_tells_what_is_missing() -> None:
    both = (stored(1, "1.0", "x86_64_v4"), stored(2, "1.0", "x86_64_v2+avx", LINUX.replace("311", "312")))
    assert unmet("x86_64_v2", *both) == ("1.0", "wheel-needs-cpu-features", ("avx",), None)


def test_a_source_that_installers_may_build_is_no_refusal() -> None:
    assert unmet("x86_64_v2", stored(1, "1.0", None, kind="sdist")) is None
    assert unmet("x86_64_v1", stored(1, "1.0", None, kind="sdist"), stored(2, "1.0", "x86_64_v3")) is not None


def test_a_prerelease_is_wanted_only_where_there_is_no_other() -> None:
    early = stored(3, "3.0rc1", "x86_64_v4")
    assert unmet("x86_64_v3", NEW, early) is None
    assert unmet("x86_64_v3", early) is not None


def test_what_all_of_some_cpus_have_is_what_a_build_may_need() -> None:
    assert common_needs(["x86_64_v3", "x86_64_v2+avx+fma", "x86_64_v2+avx", "aarch64_8_2a"]) == {
        "aarch64": "aarch64_8_2a",
        "x86_64": "x86_64_v2+avx",
    }


def demand(version: str = "2.0", cpu: str = "x86_64_v2", **more: str) -> Demand:
    return Demand(project="fast", version=version, reason="wheel-needs-cpu-features", cpu=cpu, missing=("avx",), **more)


def test_older_demand_counts_for_less() -> None:
    counts = [
        DemandCount(demand=demand("1.0"), day=DAY - timedelta(days=60), count=10),
        DemandCount(demand=demand("2.0"), day=DAY, count=2),
        DemandCount(demand=demand("2.0", "x86_64_v2+fma", python="3.11"), day=DAY - timedelta(days=30), count=2),
    ]
    first, second = rank(counts, DAY, half_life_days=30)
    assert (first.version, first.demand, first.score) == ("2.0", 4, 3.0)
    assert (second.version, second.score) == ("1.0", 2.5)
    assert (first.missing, first.pythons, first.build_for) == ({"avx": 4}, {"3.11": 2}, {"x86_64": "x86_64_v2"})


def test_what_a_build_satisfies_is_wanted_no_more() -> None:
    counts = [DemandCount(demand=demand(), day=DAY, count=1), DemandCount(demand=demand("1.0"), day=DAY, count=1)]
    assert still_wanted(counts, lambda _: snapshot(NEW)) == tuple(counts)
    assert still_wanted(counts, lambda _: snapshot(NEW, OLD)) == (counts[0],)
    assert still_wanted(counts, lambda _: snapshot(NEW, stored(4, "2.1", "x86_64_v2"))) == ()
    assert still_wanted(counts, lambda _: None) == ()


def test_demands_are_added_up_day_by_day(catalog: Catalog) -> None:
    limits = DemandLimits()
    catalog.demands.add({demand(): 2}, DAY, limits)
    catalog.demands.add({demand(): 3, demand(python="3.12"): 1}, DAY, limits)
    catalog.demands.add({demand(): 1}, DAY + timedelta(days=1), limits)
    assert [(one.day, one.demand.python, one.count) for one in catalog.demands.counted("Fast")] == [
        (DAY, "", 5),
        (DAY, "3.12", 1),
        (DAY + timedelta(days=1), "", 1),
    ]
    assert len(catalog.demands.counted(since=DAY + timedelta(days=1))) == 1
    assert catalog.demands.counted("other") == ()
    assert catalog.demands.counted()[0].demand == demand()


def test_the_table_is_bounded_in_rows_age_and_count(catalog: Catalog) -> None:
    limits = DemandLimits(rows=2, count=5, days=10)
    catalog.demands.add({demand("1.0"): 99}, DAY, limits)
    assert [one.count for one in catalog.demands.counted()] == [5]
    catalog.demands.add({demand("2.0"): 1, demand("3.0"): 2}, DAY + timedelta(days=1), limits)
    assert [one.demand.version for one in catalog.demands.counted()] == ["2.0", "3.0"]
    catalog.demands.add({demand("4.0"): 9}, DAY + timedelta(days=1), limits)
    assert [one.demand.version for one in catalog.demands.counted()] == ["3.0", "4.0"]
    catalog.demands.add({}, DAY + timedelta(days=12), limits)
    assert catalog.demands.counted() == ()


def test_demands_can_be_forgotten(catalog: Catalog) -> None:
    catalog.demands.add({demand("1.0"): 1, demand("2.0"): 1}, DAY, DemandLimits())
    assert catalog.demands.clear("other") == 0
    assert catalog.demands.clear("fast") == 2
    assert catalog.demands.counted() == ()
