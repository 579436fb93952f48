"""Each kind of evidence to the features that it shows."""

from __future__ import annotations

import pytest

from cpufit_resolver.detection import CpuidLeaf, parse, tables
from cpufit_resolver.detection.evidence import Registers
from cpufit_resolver.features import architecture, architectures

X86, ARM = architecture("x86_64"), architecture("aarch64")


def leaf(number: int, *, subleaf: int = 0, active: Registers | None = None, **bits: int) -> CpuidLeaf:
    registers = (bits.get("eax", 0), bits.get("ebx", 0), bits.get("ecx", 0), bits.get("edx", 0))
    return CpuidLeaf(number, subleaf, registers, active)


@pytest.mark.parametrize(
    ("machine", "bits", "name"),
    [
        ("x86_64", 64, "x86_64"),
        ("AMD64", 64, "x86_64"),
        ("x86_64", 32, "i686"),
        ("i586", 32, "i686"),
        ("arm64", 64, "aarch64"),
        ("aarch64", 32, "armv7l"),
        ("armv8l", 32, "armv7l"),
        ("s390x", 64, "s390x"),
        ("m68k", 32, None),
    ],
)
def test_architecture_is_that_of_the_process(machine: str, bits: int, name: str | None) -> None:
    assert parse.architecture_name(machine, bits) == name


def test_every_feature_in_the_tables_is_a_word_of_its_architecture() -> None:
    x86 = {name for bits in tables.CPUID_BITS.values() for name in bits} | set(tables.WINDOWS_X86.values())
    x86 |= set(tables.X86_REQUIRES) | set(tables.X86_REQUIRES.values()) | set(tables.MACOS_X86_STATE)
    assert x86 <= X86.vocabulary
    arm = {name for names in (*tables.MACOS_ARM.values(), *tables.WINDOWS_ARM.values()) for name in names}
    arm |= {name for name in (*tables.ARM_HWCAP, *tables.ARM_HWCAP2) if name} - {"evtstrm"}
    assert arm <= ARM.vocabulary


def test_every_feature_of_a_level_has_a_bit() -> None:
    shown = {name for bits in tables.CPUID_BITS.values() for name in bits}
    assert X86.levels[-1].features <= shown
    levels = {name for level in ARM.levels for name in level.features}
    assert levels <= {*tables.ARM_HWCAP, *tables.ARM_HWCAP2}


def test_glibc_active_bits_count_and_not_those_of_cpuid() -> None:
    avx = 1 << 28
    assert "avx" not in parse.glibc_features([leaf(1, ecx=avx, active=(0, 0, 0, 0))])
    assert "avx" in parse.glibc_features([leaf(1, ecx=avx, active=(0, 0, avx, 0))])


def test_what_glibc_never_calls_active_is_taken_from_cpuid() -> None:
    leaves = [leaf(1, edx=1, active=(0, 0, 0, 0)), leaf(0x80000001, edx=1 << 11, active=(0, 0, 0, 0))]
    assert parse.glibc_features(leaves) == {"fpu", "syscall"}


def test_xsave_counts_where_the_system_uses_it() -> None:
    assert "xsave" not in parse.glibc_features([leaf(1, ecx=1 << 26, active=(0, 0, 0, 0))])
    assert "xsave" in parse.glibc_features([leaf(1, ecx=3 << 26, active=(0, 0, 0, 0))])


def test_fsgsbase_counts_where_the_kernel_says_so() -> None:
    leaves = [leaf(7, ebx=1, active=(0, 0, 0, 0))]
    assert parse.glibc_features(leaves) == frozenset()
    assert parse.glibc_features(leaves, hwcap2=2) == {"fsgsbase"}


@pytest.mark.parametrize(
    ("xcr0", "lost"),
    [(0x0, {"avx", "avx512f", "amx_tile"}), (0x7, {"avx512f", "amx_tile"}), (0xE7, {"amx_tile"}), (0x600E7, set())],
)
def test_state_that_the_system_does_not_save_takes_its_features_away(xcr0: int, lost: set[str]) -> None:
    leaves = [leaf(0, eax=7), leaf(1, ecx=1 << 28), leaf(7, ebx=1 << 16, edx=1 << 24)]
    assert parse.cpuid_features(leaves, xcr0) == {"avx", "avx512f", "amx_tile"} - lost


def test_answers_beyond_the_last_leaf_are_not_believed() -> None:
    bmi1 = leaf(7, ebx=1 << 3)
    assert parse.cpuid_features([leaf(0, eax=4), bmi1], 0) == frozenset()
    assert parse.cpuid_features([leaf(0, eax=7), bmi1], 0) == {"bmi1"}
    vnni = leaf(7, subleaf=1, eax=1 << 4)
    assert parse.cpuid_features([leaf(0, eax=7), leaf(7), vnni], 0) == frozenset()
    assert parse.cpuid_features([leaf(0, eax=7), leaf(7, eax=1), vnni], 0) == {"avx_vnni"}
    assert parse.cpuid_features([leaf(0x80000000, eax=0x80000000), leaf(0x80000001, ecx=1)], 0) == frozenset()


def test_feature_whose_foundation_is_missing_is_dropped_with_all_that_rests_on_it() -> None:
    full = frozenset({"xsave", "avx", "avx2", "fma", "avx512f", "avx512bw", "bmi2"})
    assert parse.without_dangling(full) == full
    assert parse.without_dangling(full - {"avx"}) == {"xsave", "bmi2"}
    assert parse.without_dangling(full - {"avx2"}) == {"xsave", "avx", "fma", "bmi2"}


def test_first_flags_line_of_cpuinfo_is_read() -> None:
    text = "processor\t: 0\nvmx flags\t: ept\nflags\t\t: fpu pni abm unheard_of\n\nflags\t: avx\n"
    assert parse.cpuinfo_features(text, X86) == frozenset({"fpu", "sse3", "abm"})
    assert parse.cpuinfo_features("Features\t: fp asimd atomics evtstrm\n", ARM) == frozenset(
        {"fp", "asimd", "atomics"}
    )
    assert parse.cpuinfo_features("Features\t: fp asimd\n", X86) is None


def test_hwcaps_are_read_bit_by_bit() -> None:
    assert parse.hwcap_features(0b11 | 1 << 8 | 1 << 22, 1 << 1 | 1 << 14) == {
        "fp", "asimd", "atomics", "sve", "sve2", "bf16",
    }  # fmt: skip  # one set
    assert parse.hwcap_features(1 << 2, 0) == frozenset()


def test_macos_on_apple_silicon_counts_what_is_one() -> None:
    values = {"hw.optional.arm.FEAT_LSE": "1", "hw.optional.arm.FEAT_BF16": "0", "hw.optional.arm.FEAT_PAuth": "1"}
    assert parse.sysctl_features(values, ARM) == {"atomics", "paca", "pacg"}


def test_macos_on_intel_counts_avx_only_where_the_system_lets_it() -> None:
    values = {
        "machdep.cpu.features": "FPU SSE3 SSE4.2 XSAVE OSXSAVE AVX1.0 F16C FMA",
        "machdep.cpu.leaf7_features": "RDWRFSGS BMI1 AVX2",
        "machdep.cpu.extfeatures": "SYSCALL LAHF LZCNT",
        "hw.optional.avx1_0": "1",
    }
    shown = parse.sysctl_features(values, X86)
    assert shown == {"fpu", "sse3", "sse4_2", "xsave", "avx", "fsgsbase", "bmi1", "syscall", "lahf_lm", "abm"}


def test_windows_answers_are_read_by_number() -> None:
    assert parse.windows_features({38: True, 40: False, 60: True}, X86) == {"sse4_2", "bmi2"}
    assert parse.windows_features({34: True, 43: False}, ARM) == {"atomics"}


@pytest.mark.parametrize(
    ("text", "taken"),
    [
        ("glibc.cpu.hwcaps=-AVX2,-BMI2", {"avx2", "bmi2"}),
        ("glibc.malloc.check=1:glibc.cpu.hwcaps=-AVX2_Usable,Prefer_ERMS,-ERMS", {"avx2"}),
        ("glibc.tune.hwcaps=-LZCNT", {"abm"}),
        ("glibc.cpu.hwcaps=AVX2", set()),
        ("nonsense", set()),
        ("", set()),
    ],
)
def test_tunables_take_away_what_has_a_minus(text: str, taken: set[str]) -> None:
    assert parse.masked_by_tunables(text, X86) == taken


def test_brand_is_read_from_cpuid_before_cpuinfo() -> None:
    raw = b"Some  CPU\0".ljust(48, b"\0")
    words = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, 48, 4)]
    rows = [
        CpuidLeaf(0x80000002 + i, 0, (words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]))
        for i in range(3)
    ]
    assert parse.cpuid_brand([leaf(0x80000000, eax=0x80000008), *rows]) == "Some CPU"
    assert parse.cpuid_brand([leaf(0x80000000, eax=0x80000001), *rows]) is None
    assert parse.cpuid_brand([]) is None


def test_armv7_and_i686_have_their_vocabulary_from_the_same_words() -> None:
    flags = "flags : fpu cmov cx8 sse2 syscall\n"
    assert parse.cpuinfo_features(flags, architectures()["i686"]) == frozenset({"fpu", "cmov", "cx8", "sse2"})
    assert parse.cpuinfo_features("Features : neon vfpv4\n", architectures()["armv7l"]) == frozenset()


CORES = (
    "processor\t: 0\nmodel name\t: P\nflags\t\t: fpu avx2 avx512f\n\n"
    "processor\t: 1\nmodel name\t: P\nflags\t\t: fpu avx2 avx512f\n\n"
    "processor\t: 2\nmodel name\t: E\nflags\t\t: fpu avx2\n\n"
)


@pytest.mark.parametrize(
    ("usable", "name", "lines"),
    [
        (None, "P", ("fpu avx2 avx512f", "fpu avx2")),
        ({"0", "1"}, "P", ("fpu avx2 avx512f",)),
        ({"2"}, "E", ("fpu avx2",)),
        # a sandbox may number them otherwise
        ({"77"}, "P", ("fpu avx2 avx512f", "fpu avx2")),
    ],
)
def test_cores_that_a_process_may_run_on_are_told_apart(
    usable: set[str] | None, name: str, lines: tuple[str, ...]
) -> None:
    block, cores = parse.usable_blocks(CORES, None if usable is None else frozenset(usable))
    assert (parse.cpuinfo_field(block, "model name"), cores) == (name, lines)


def test_cpuinfo_without_numbered_cores_is_one_block() -> None:
    assert parse.usable_blocks("Features : neon\n\nHardware : X\n", frozenset({"0"})) == ("Features : neon", ())
    assert parse.usable_blocks("", None) == ("", ())


def test_what_some_cores_lack_is_told_by_their_lines() -> None:
    assert parse.not_on_every_core(("fpu avx2 avx512f", "fpu avx2", "avx2 fpu"), X86) == {"avx512f"}
    assert parse.not_on_every_core(("fpu avx2",), X86) == frozenset()
    assert parse.not_on_every_core((), X86) == frozenset()


@pytest.mark.parametrize(
    ("avx2", "masked", "found"),
    [(True, set(), {"avx2", "avx_ifma"}), (False, set(), set()), (True, {"avx_ifma"}, {"avx2"})],
    ids=["state is saved", "state is not saved", "taken away by hand"],
)
def test_what_an_older_glibc_does_not_know_rests_on_what_it_does(
    *, avx2: bool, masked: set[str], found: set[str]
) -> None:
    active = (0, 1 << 5 if avx2 else 0, 0, 0)
    leaves = [leaf(7, ebx=1 << 5, active=active), leaf(7, subleaf=1, eax=1 << 23, active=(0, 0, 0, 0))]
    shown = parse.glibc_features(leaves, 0, frozenset(masked)) | (frozenset({"xsave", "avx"}) if avx2 else frozenset())
    assert parse.without_dangling(shown) - {"xsave", "avx"} == found


def test_a_windows_that_does_not_know_a_number_denies_nothing() -> None:
    assert parse.windows_denials({36: True, 39: True, 40: False, 41: False}) == {"avx2", "avx512f"}
    assert parse.windows_denials({13: True, 36: False, 39: False, 40: False, 41: False}) == frozenset()
    assert parse.windows_denials({}) == frozenset()


def test_macos_spells_a_few_names_in_its_own_way() -> None:
    values = {
        "machdep.cpu.features": "OSXSAVE XSAVE AVX1.0",
        "machdep.cpu.leaf7_features": "AVX2 CLFSOPT SHA PKU AVX512F AVX512VNNI AVX512VPOPCNTDQ AVX512BW MOVDIRI64B",
        "hw.optional.avx1_0": "1",
        "hw.optional.avx2_0": "1",
        "hw.optional.avx512f": "1",
        "hw.optional.avx512bw": "0",
    }
    assert parse.sysctl_features(values, X86) == {
        "xsave", "avx", "avx2", "clflushopt", "sha_ni", "avx512f", "avx512_vnni", "avx512_vpopcntdq", "movdir64b",
    }  # fmt: skip  # one set
    on = {**values, "machdep.cpu.leaf7_features": "PKU OSPKE"}
    assert "pku" in parse.sysctl_features(on, X86)
