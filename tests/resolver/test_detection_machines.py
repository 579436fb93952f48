"""What detection makes of machines that were seen, each once: its token, who told it, what is hidden."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.resolver import captured

from cpufit_resolver import CpuProfile
from cpufit_resolver.detection import decide, probe

MACHINES = captured.machines()


@pytest.mark.parametrize("row", MACHINES, ids=lambda row: row["name"])
def test_machine_is_told_as_it_is(row: captured.Row) -> None:
    found = decide(captured.read(row))
    assert (found.profile.token, found.source) == (row["is"]["token"], row["is"]["source"])
    assert {hidden.by: sorted(hidden.features) for hidden in found.hidden} == row["is"]["hidden"]
    assert found.brand == row["is"]["brand"]
    assert CpuProfile.parse(found.profile.token) == found.profile


TWICE = [row for row in MACHINES if "glibc" in row and "cpuid" in row and "tunables" not in row]


@pytest.mark.parametrize("row", TWICE, ids=lambda row: row["name"])
def test_glibc_and_cpuid_tell_one_machine_alike(row: captured.Row) -> None:
    evidence = captured.read(row)
    both = decide(replace(evidence, cpuinfo="", cores=())), decide(replace(evidence, glibc=(), cpuinfo="", cores=()))
    # the system alone says whether programs may have fsgsbase; glibc leaves out what errata turn off
    assert both[0].profile.features ^ both[1].profile.features <= {"fsgsbase", "hle", "rtm"}


@pytest.mark.parametrize("row", MACHINES, ids=lambda row: row["name"])
def test_row_holds_all_that_it_was_made_of(row: captured.Row) -> None:
    described = {"name", "origin", "is"}
    assert captured.write(captured.read(row)) == {key: value for key, value in row.items() if key not in described}
    assert row["origin"] in ("captured", "composed")


def test_this_machine_can_be_written_down() -> None:
    evidence = probe()
    assert decide(captured.read(captured.write(evidence))).profile == decide(evidence).profile
