"""Static verdict and probe together: a probe may raise both parts and lower the import, and nothing else."""

from __future__ import annotations

from typing import Literal

import pytest

from cpufit_resolver.features import architecture
from cpufit_resolver.need import ArchNeed, Need
from cpufit_wheelhouse.inspection.verdict import Evidence, Verdict
from cpufit_wheelhouse.probe.combine import combine
from cpufit_wheelhouse.probe.models import X86_64
from cpufit_wheelhouse.probe.report import Fault, ProbeReport, Run

FLOOR, *_, V3 = (model.features for model in X86_64)
V2 = next(model.features for model in X86_64 if model.name == "Nehalem-v1")
CORE, EXTRA = "pkg/_core.so", "pkg/_extra.so"


def verdict(*evidence: tuple[str, frozenset[str]]) -> Verdict:
    needed = frozenset().union(FLOOR, *(features for _, features in evidence))
    told = tuple(
        Evidence(rule="no-dispatcher", arch="x86_64", features=tuple(sorted(features - FLOOR)), library=library)
        for library, features in evidence
    )
    need = Need.of({"x86_64": ArchNeed(needed, needed)}, source="inspected")
    return Verdict(need=need, evidence=told, confidence="medium")


def run(model: str, result: Literal["ok", "died", "inconclusive"], fault: Fault | None = None) -> Run:
    return Run(model=model, result=result, seconds=1.0, fault=fault)


def parts(found: Verdict) -> tuple[frozenset[str], frozenset[str]]:
    assert found.need is not None
    part = found.need.on("x86_64")
    assert part is not None
    return part.at_import, part.at_use


def test_what_runs_on_less_lowers_the_import_and_not_the_use() -> None:
    static = verdict((CORE, V3))
    report = ProbeReport(arch="x86_64", runs=(run("Haswell-v1", "ok"), run("Nehalem-v1", "ok")), libraries=(CORE,))
    # LZCNT and TZCNT run there, to another end: the machine code alone says that the import may hold them
    assert parts(combine(static, report)) == (V2 | {"abm", "bmi1"}, V3)


@pytest.mark.parametrize("silent", ["abm", "bmi1", "lahf_lm"])
def test_an_import_that_ends_well_says_nothing_of_instructions_that_never_die(silent: str) -> None:
    static = verdict((CORE, V2 | {silent}), (EXTRA, V2))
    report = ProbeReport(arch="x86_64", runs=(run(X86_64[0].name, "ok"),), libraries=(CORE,))
    assert parts(combine(static, report))[0] == FLOOR | {silent, "lahf_lm"}
    elsewhere = ProbeReport(arch="x86_64", runs=(run(X86_64[0].name, "ok"),), libraries=(EXTRA,))
    assert silent == "lahf_lm" or silent not in parts(combine(static, elsewhere))[0]


def test_an_import_is_never_said_to_need_less_than_where_it_died() -> None:
    static = verdict((CORE, V2), (EXTRA, V3))
    runs = (run("Haswell-v1", "ok"), run("IvyBridge-v1", "died", Fault(how="SIGILL")))
    report = ProbeReport(arch="x86_64", runs=runs, libraries=(CORE,))
    assert parts(combine(static, report)) == (V3, V3)


def test_code_that_is_mapped_from_elsewhere_may_be_any_of_the_wheels() -> None:
    static = verdict((CORE, V2), (EXTRA, V3))
    report = ProbeReport(
        arch="x86_64", runs=(run("Haswell-v1", "ok"),), libraries=(CORE,), elsewhere=("/tmp/copied.so",)
    )
    assert parts(combine(static, report)) == (V3, V3)


def test_what_is_installed_elsewhere_than_its_name_says_is_not_taken_for_unmapped() -> None:
    static = verdict((CORE, V2), ("pkg-1.data/data/lib/python/pkg/_extra.so", V3))
    report = ProbeReport(arch="x86_64", runs=(run("Haswell-v1", "ok"),), libraries=(CORE,))
    assert parts(combine(static, report)) == (V3, V3)


def test_what_the_import_does_not_map_is_not_needed_by_it() -> None:
    static = verdict((CORE, V2), (EXTRA, V3))
    report = ProbeReport(arch="x86_64", runs=(run("Haswell-v1", "ok"),), libraries=(CORE,))
    assert parts(combine(static, report)) == (V2, V3)


def test_a_death_that_the_verdict_did_not_foresee_raises_both() -> None:
    fault = Fault(how="SIGILL", library=CORE, instruction="vpaddd", features=("avx2",))
    report = ProbeReport(arch="x86_64", runs=(run("Nehalem-v1", "died", fault),))
    found = combine(verdict((CORE, V2)), report)
    at_import, at_use = parts(found)
    assert at_import == at_use >= V2 | {"avx", "avx2"}
    assert found.evidence[-1].rule == "probe"
    assert "vpaddd" in found.evidence[-1].detail


def test_a_death_without_an_instruction_asks_for_the_least_cpu_on_which_it_ran() -> None:
    runs = (run("Nehalem-v1", "died", Fault(how="SIGABRT")), run("SandyBridge-v1", "ok"))
    at_import, _ = parts(combine(verdict((CORE, V2)), ProbeReport(arch="x86_64", runs=runs)))
    assert "avx" in at_import
    assert not at_import >= V3


def test_a_death_where_the_verdict_foresaw_it_changes_nothing_but_the_confidence() -> None:
    runs = (run("Haswell-v1", "ok"), run("IvyBridge-v1", "died", Fault(how="SIGILL")))
    found = combine(verdict((CORE, V3)), ProbeReport(arch="x86_64", runs=runs, libraries=(CORE,)))
    assert parts(found) == (V3, V3)
    assert found.confidence == "high"


@pytest.mark.parametrize(
    "report",
    [
        ProbeReport(arch="x86_64", reasons=("bwrap is not installed",)),
        ProbeReport(arch="x86_64", runs=(run("Nehalem-v1", "inconclusive"),)),
    ],
)
def test_an_inconclusive_probe_adds_a_note_alone(report: ProbeReport) -> None:
    static = verdict((CORE, V2))
    found = combine(static, report)
    assert found.need == static.need
    assert any(note.startswith("probe: ") for note in found.notes)


def test_an_undetermined_wheel_stays_so() -> None:
    static = Verdict(need=None, undetermined=("pkg/_core.so: cut",))
    report = ProbeReport(arch="x86_64", runs=(run("Nehalem-v1", "ok"),))
    assert combine(static, report).need is None


def test_what_no_emulated_cpu_has_stays_in_the_use() -> None:
    level = architecture("x86_64").level("x86_64_v4")
    assert level is not None
    v4 = frozenset(level.features)
    report = ProbeReport(arch="x86_64", runs=(run("Haswell-v1", "ok"),), libraries=(CORE,))
    assert parts(combine(verdict((CORE, v4)), report))[1] == v4
