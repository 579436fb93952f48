"""From evidence to one answer: captured and made-up machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cpufit_resolver import CpuProfile, DetectionFailed
from cpufit_resolver.detection import CpuidLeaf, HostEvidence, decide, tables
from cpufit_resolver.features import architecture

HASWELL = CpuProfile.parse("x86_64_v3+aes+pclmulqdq").features
FLAGS = "model name : Intel Core i7-4770\nflags : {}\n"


def leaves(features: frozenset[str], *, active: frozenset[str] | None = None, extra: int = 0) -> tuple[CpuidLeaf, ...]:
    """Return the CPUID leaves of a CPU with these features; ``active`` as glibc would publish it."""
    found = []
    for number, subleaf in tables.GLIBC_INDEX:
        rows = [tables.CPUID_BITS.get((number, subleaf, register), {}) for register in range(4)]
        shown = [sum(1 << bit for name, bit in row.items() if name in features) for row in rows]
        if number == 1:
            shown[2] |= extra
        used = features if active is None else active
        usable = [sum(1 << bit for name, bit in row.items() if name in used) for row in rows]
        found.append(
            CpuidLeaf(
                number,
                subleaf,
                (shown[0] | (1 if (number, subleaf) == (7, 0) else 0), shown[1], shown[2], shown[3]),
                (usable[0], usable[1], usable[2], usable[3]),
            )
        )
    heads = (CpuidLeaf(0, 0, (0xD, 0, 0, 0)), CpuidLeaf(0x80000000, 0, (0x80000008, 0, 0, 0)))
    return (*heads, *found)


def linux(**fields: object) -> HostEvidence:
    return replace(HostEvidence(system="Linux", machine="x86_64"), **fields)  # type: ignore[arg-type]  # a test's fields


def cpuinfo(features: frozenset[str]) -> str:
    names = {"sse3": "pni"}
    return FLAGS.format(" ".join(names.get(name, name) for name in sorted(features)))


def test_glibc_alone_is_believed() -> None:
    found = decide(linux(glibc=leaves(HASWELL, extra=tables.OSXSAVE), cpuinfo=cpuinfo(HASWELL)))
    assert (found.profile.token, found.source, found.hidden) == ("x86_64_v3+aes+pclmulqdq", "glibc", ())
    assert found.brand == "Intel Core i7-4770"


@pytest.mark.parametrize("level", ["x86_64_v1", "x86_64_v2", "x86_64_v3", "x86_64_v4"])
def test_no_feature_of_a_level_is_lost_on_a_machine_that_has_it(level: str) -> None:
    features = CpuProfile.parse(level).features
    never = {"fpu", "syscall"}  # glibc publishes neither as active
    evidence = linux(glibc=leaves(features, active=features - never, extra=tables.OSXSAVE))
    assert decide(evidence).profile.token == level
    raw = linux(cpuid=leaves(features, extra=tables.OSXSAVE), xcr0=0xE7, cpuinfo=cpuinfo(features))
    assert decide(raw).profile.token == level
    assert decide(linux(cpuinfo=cpuinfo(features))).profile.token == level


def test_cpuid_and_cpuinfo_must_agree() -> None:
    evidence = linux(cpuid=leaves(HASWELL, extra=tables.OSXSAVE), xcr0=7, cpuinfo=cpuinfo(HASWELL - {"bmi2", "aes"}))
    found = decide(evidence)
    assert found.source == "cpuid+proc-cpuinfo"
    assert HASWELL - found.profile.features == {"bmi2", "aes"}


def test_cpuid_alone_respects_the_systems_mask() -> None:
    found = decide(linux(cpuid=leaves(HASWELL, extra=tables.OSXSAVE), xcr0=3))
    assert found.source == "cpuid"
    assert not found.profile.features & {"avx", "avx2", "fma", "f16c"}
    assert "bmi2" in found.profile.features
    assert [(hidden.by, "avx2" in hidden.features) for hidden in found.hidden] == [("os-mask", True)]


def test_cpuinfo_alone_is_believed_where_nothing_else_is_there() -> None:
    assert decide(linux(cpuinfo=cpuinfo(HASWELL))).source == "proc-cpuinfo"


def test_without_any_evidence_the_cpu_is_the_baseline() -> None:
    found = decide(linux())
    assert (found.profile.token, found.source, found.brand) == ("x86_64_v1", "baseline", None)


def test_unknown_architecture_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DetectionFailed) as caught:
        decide(HostEvidence(system="Linux", machine="m68k"))
    assert "CPUFIT_CPU" in str(caught.value)


def test_emulator_is_told_by_a_host_that_has_more() -> None:
    nehalem = CpuProfile.parse("x86_64_v2").features
    found = decide(linux(glibc=leaves(nehalem, extra=tables.HYPERVISOR), cpuinfo=cpuinfo(HASWELL)))
    assert found.profile.token == "x86_64_v2"
    assert [hidden.by for hidden in found.hidden] == ["emulator"]
    assert "emulated CPU" in found.hidden[0].sentence
    assert "avx2" in found.hidden[0].features
    assert found.brand is None, "the name in /proc/cpuinfo is the host's"


def test_emulator_is_told_by_a_host_of_another_architecture() -> None:
    found = decide(linux(glibc=leaves(HASWELL, extra=tables.OSXSAVE), cpuinfo="Features : fp asimd\n"))
    assert [hidden.by for hidden in found.hidden] == ["emulator"]


def test_host_of_an_emulated_cpu_denies_nothing_that_this_has() -> None:
    epyc = CpuProfile.parse("x86_64_v2+sse4a").features
    found = decide(linux(cpuid=leaves(epyc, extra=tables.HYPERVISOR), cpuinfo=cpuinfo(HASWELL)))
    assert (found.profile.token, found.source) == ("x86_64_v2+sse4a", "cpuid+proc-cpuinfo")


def test_flag_that_linux_adds_by_itself_does_not_make_an_emulator() -> None:
    flags = cpuinfo(HASWELL | {"prefetchw"})
    assert decide(linux(glibc=leaves(HASWELL, extra=tables.OSXSAVE), cpuinfo=flags)).hidden == ()


def test_hypervisor_is_told_and_names_no_feature() -> None:
    found = decide(linux(glibc=leaves(HASWELL, extra=tables.OSXSAVE | tables.HYPERVISOR), cpuinfo=cpuinfo(HASWELL)))
    assert [(hidden.by, hidden.features) for hidden in found.hidden] == [("hypervisor", frozenset())]
    flagged = cpuinfo(HASWELL).replace("flags : ", "flags : hypervisor ")
    assert [hidden.by for hidden in decide(linux(cpuinfo=flagged)).hidden] == ["hypervisor"]


def test_operating_systems_mask_is_told() -> None:
    masked = HASWELL - {"avx", "avx2", "fma", "f16c"}
    found = decide(linux(glibc=leaves(HASWELL, active=masked, extra=tables.OSXSAVE), cpuinfo=cpuinfo(masked)))
    assert [(hidden.by, hidden.features) for hidden in found.hidden] == [
        ("os-mask", frozenset({"avx", "avx2", "fma", "f16c"}))
    ]


def test_glibc_tunables_are_told_with_all_that_they_take_along() -> None:
    found = decide(
        linux(
            glibc=leaves(HASWELL, active=HASWELL - {"avx"}, extra=tables.OSXSAVE),
            cpuinfo=cpuinfo(HASWELL),
            glibc_tunables="glibc.cpu.hwcaps=-AVX",
        )
    )
    assert [(hidden.by, hidden.features) for hidden in found.hidden] == [
        ("glibc-tunables", frozenset({"avx", "avx2", "fma", "f16c"}))
    ]
    assert "avx2" not in found.profile.features


def test_hole_in_a_masked_machine_is_no_mask_of_the_system() -> None:
    holed = HASWELL - {"avx"}
    bits = tables.OSXSAVE | tables.HYPERVISOR
    found = decide(linux(glibc=leaves(holed, extra=bits), cpuinfo=cpuinfo(holed)))
    assert not found.profile.features & {"avx2", "fma", "f16c"}
    assert {hidden.by for hidden in found.hidden} == {"hypervisor"}


def test_32_bit_python_is_i686_with_the_words_of_i686() -> None:
    found = decide(linux(glibc=leaves(HASWELL, extra=tables.OSXSAVE), pointer_bits=32))
    assert found.profile.arch == "i686"
    assert "avx2" in found.profile.features
    assert found.profile.features <= architecture("i686").vocabulary


def test_arm_linux_is_told_by_the_auxiliary_vector() -> None:
    graviton2 = 0b11 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 16 | 1 << 20
    found = decide(HostEvidence(system="Linux", machine="aarch64", hwcap=graviton2))
    assert (found.profile.token, found.source) == ("aarch64_8_2a+asimddp", "hwcap")


def test_apple_silicon_has_at_least_what_the_oldest_such_mac_has() -> None:
    found = decide(HostEvidence(system="Darwin", machine="arm64", sysctl={"hw.optional.arm.FEAT_BF16": "1"}))
    assert (found.profile.level, found.source) == ("aarch64_8_4a", "sysctl")
    assert "bf16" in found.profile.features


def test_rosetta_is_told_and_nothing_is_taken_for_granted() -> None:
    values = {
        "sysctl.proc_translated": "1",
        "machdep.cpu.features": "SSE3 SSSE3",
        "machdep.cpu.brand_string": "Apple M1",
    }
    found = decide(HostEvidence(system="Darwin", machine="x86_64", sysctl=values))
    assert found.profile.token == "x86_64_v1+sse3+ssse3"
    assert (found.hidden[0].by, found.brand) == ("emulator", "Apple M1")


def test_windows_says_no_to_what_its_mask_hides() -> None:
    evidence = HostEvidence(system="Windows", machine="AMD64", cpuid=leaves(HASWELL, extra=tables.OSXSAVE), xcr0=7)
    answers = dict.fromkeys(tables.WINDOWS_X86, True)
    assert decide(replace(evidence, windows=answers)).profile.level == "x86_64_v3"
    without = decide(replace(evidence, windows={**answers, 39: False}))
    assert without.source == "cpuid+windows"
    assert not without.profile.features & {"avx", "avx2", "fma"}


def test_windows_without_cpuid_has_what_windows_itself_requires() -> None:
    found = decide(HostEvidence(system="Windows", machine="AMD64", windows={13: True, 38: True}))
    assert found.source == "windows"
    assert {"cx16", "lahf_lm", "sse3", "sse4_2"} <= found.profile.features
    assert "popcnt" not in found.profile.features


def test_windows_on_arm_is_told_by_its_answers() -> None:
    found = decide(HostEvidence(system="Windows", machine="ARM64", windows={34: True, 31: True}))
    assert found.profile.token == "aarch64_8a+atomics+crc32"


def test_architecture_without_levels_is_its_floor() -> None:
    assert decide(HostEvidence(system="Linux", machine="s390x")).profile.token == "s390x"


ALDER_LAKE = HASWELL | {"avx_vnni", "gfni"}


def test_what_not_every_core_has_does_not_count_and_is_told() -> None:
    big, small = ALDER_LAKE | {"avx512f", "avx512bw"}, ALDER_LAKE
    found = decide(
        linux(
            glibc=leaves(big, extra=tables.OSXSAVE),
            cpuinfo=cpuinfo(big),
            cores=(" ".join(big).replace("sse3", "pni"), " ".join(small).replace("sse3", "pni")),
        )
    )
    assert found.profile.features == small
    assert [(row.by, row.features) for row in found.hidden] == [("other-cores", frozenset({"avx512f", "avx512bw"}))]


def test_without_glibc_cores_are_compared_too() -> None:
    big = ALDER_LAKE | {"avx512f"}
    cores = (" ".join(big), " ".join(ALDER_LAKE))
    for evidence in (
        linux(cpuid=leaves(big, extra=tables.OSXSAVE), xcr0=0xE7, cpuinfo=cpuinfo(big), cores=cores),
        linux(cpuinfo=cpuinfo(big), cores=cores),
    ):
        assert decide(evidence).profile.features == ALDER_LAKE


def test_cores_of_an_emulators_host_are_nobodys_business() -> None:
    nehalem = CpuProfile.parse("x86_64_v2").features
    found = decide(
        linux(
            glibc=leaves(nehalem, extra=tables.HYPERVISOR),
            cpuinfo=cpuinfo(HASWELL),
            cores=("fpu sse4_2 avx2", "fpu avx2"),
        )
    )
    assert found.profile.token == "x86_64_v2"
    assert [row.by for row in found.hidden] == ["emulator"]


def test_arm_process_on_another_host_is_emulated_and_bears_no_name_of_that() -> None:
    found = decide(HostEvidence(system="Linux", machine="aarch64", hwcap=3, cpuinfo=cpuinfo(HASWELL)))
    assert ([row.by for row in found.hidden], found.brand) == (["emulator"], None)
    better = HostEvidence(system="Linux", machine="aarch64", hwcap=3, cpuinfo="Features : fp asimd atomics\n")
    assert [(row.by, row.features) for row in decide(better).hidden] == [("emulator", frozenset({"atomics"}))]
    same = HostEvidence(system="Linux", machine="aarch64", hwcap=3, cpuinfo="Features : fp asimd evtstrm\n")
    assert decide(same).hidden == ()


def test_errata_that_glibc_knows_are_no_mask_of_the_system() -> None:
    skylake = HASWELL | {"rtm", "hle"}
    found = decide(linux(glibc=leaves(skylake, active=HASWELL, extra=tables.OSXSAVE), cpuinfo=cpuinfo(HASWELL)))
    assert (found.profile.features, found.hidden) == (HASWELL, ())


def test_a_windows_older_than_its_numbers_takes_nothing_away() -> None:
    old = dict.fromkeys(tables.WINDOWS_X86, False) | {3: True, 6: True, 10: True, 13: True, 14: True, 17: True}
    evidence = HostEvidence(system="Windows", machine="AMD64", cpuid=leaves(HASWELL, extra=tables.OSXSAVE), xcr0=7)
    assert decide(replace(evidence, windows=old)).profile.level == "x86_64_v3"


def test_windows_says_whether_programs_may_have_fsgsbase() -> None:
    shown = HASWELL | {"fsgsbase"}
    evidence = HostEvidence(system="Windows", machine="AMD64", cpuid=leaves(shown, extra=tables.OSXSAVE), xcr0=7)
    for answer in (True, False):
        answers = dict.fromkeys(tables.WINDOWS_X86, True) | {22: answer}
        assert ("fsgsbase" in decide(replace(evidence, windows=answers)).profile.features) is answer
