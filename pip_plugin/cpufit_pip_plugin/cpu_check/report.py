"""What a person reads: values in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cpufit_resolver import CpuProfile, refusals
from cpufit_resolver.detection import DetectedCpu
from cpufit_resolver.features import architecture

if TYPE_CHECKING:
    from .judge import JudgedRelease

NOTABLE = {
    "x86_64": (
        "sse3", "ssse3", "sse4_1", "sse4_2", "popcnt", "aes", "pclmulqdq", "avx", "f16c", "fma", "avx2", "bmi1",
        "bmi2", "abm", "movbe", "sha_ni", "avx_vnni", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl",
        "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile",
    ),
    "aarch64": (
        "atomics", "crc32", "aes", "sha2", "sha3", "asimddp", "asimdhp", "bf16", "i8mm", "sve", "sve2", "sme",
    ),
}  # fmt: skip  # two lists, oldest first
"""The features that wheels are built for, oldest first."""

SOURCES = {
    "glibc": "glibc, which accounts for emulators and for the operating system's masks",
    "cpuid": "the CPUID instruction and XCR0",
    "cpuid+proc-cpuinfo": "what the CPUID instruction and /proc/cpuinfo agree on",
    "cpuid+windows": "what the CPUID instruction and Windows agree on",
    "proc-cpuinfo": "/proc/cpuinfo",
    "hwcap": "the kernel's hardware capabilities (AT_HWCAP)",
    "sysctl": "macOS sysctl",
    "windows": "IsProcessorFeaturePresent",
    "baseline": "no source at all: only what every CPU of this architecture has",
    "argument": "named by --cpu",
    "environment": "named by CPUFIT_CPU",
    "file": "named by a file",
    "cpufit.toml": "asked for in cpufit.toml, which may be less than the CPU has",
}
_LONG_TOKEN = 60
_GREEN, _RED, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"


def paint(text: str, code: str, *, colour: bool) -> str:
    """Return a text in a colour, or as it is."""
    return f"{code}{text}{_PLAIN}" if colour else text


def shown_cpu(cpu: DetectedCpu) -> str:
    """Return a CPU in half a line: the token, or of a long one its level, and the name where there is one."""
    token = cpu.profile.token
    if len(token) > _LONG_TOKEN:
        level, *more = token.split("+")
        token = f"{level} and {len(more)} more features"
    return f"{token} ({cpu.brand})" if cpu.brand else token


def cpu_lines(cpu: DetectedCpu, *, colour: bool = False) -> list[str]:
    """Return the report on a CPU."""
    profile = cpu.profile
    present, absent = notable(profile)
    rows = [
        ("CPU", cpu.brand or "(not told)"),
        ("architecture", profile.arch),
        ("level", profile.level or "(none)"),
        ("token", profile.token),
        ("known from", SOURCES.get(cpu.source, cpu.source)),
        ("has", paint(" ".join(present), _GREEN, colour=colour)),
        ("lacks", paint(" ".join(absent), _RED, colour=colour)),
        *(("hidden by", f"{hidden.by}: {hidden.sentence}") for hidden in cpu.hidden),
    ]
    return [f"{name:<13} {text}" for name, text in rows if text]


def notable(profile: CpuProfile) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the notable features that a CPU has, and those that it lacks."""
    names = NOTABLE.get(profile.arch, tuple(sorted(architecture(profile.arch).vocabulary)))
    return (
        tuple(name for name in names if name in profile.features),
        tuple(name for name in names if name not in profile.features),
    )


def project_lines(
    project: str,
    cpu: DetectedCpu,
    index: str,
    releases: Sequence[JudgedRelease],
    newest: str | None,
    *,
    option: str = "",
    colour: bool,
) -> list[str]:
    """Return the report on a project's releases.

    :param option: what pip has to be told beside the release, with a space before it: the index, if it asks another
    """
    named = f" ({cpu.brand})" if cpu.brand else ""
    lines = [f"{project} from {index}", f"for {cpu.profile.token}{named}", ""]
    width = max((len(release.version) for release in releases), default=0)
    for release in releases:
        lines += _release_lines(release, cpu.profile, width, colour=colour)
    if newest is None:
        return [*lines, "", *_nothing_fits(project, releases, cpu.profile)]
    return [*lines, "", f"Newest release that fits: {newest}    pip install '{project}=={newest}'{option}"]


def importable_lines(releases: Iterable[JudgedRelease]) -> list[str]:
    """Return what is a way out where nothing fits: the newest release that can be imported, though not wholly used.

    :param releases: judged with import-only fits let in, newest first
    """
    found = next((release for release in releases if release.fits), None)
    if found is None:
        return []
    return [
        f"{found.wheel} can be imported here, and what needs {', '.join(found.missing)} dies: --import-only takes it,",
        "and so does CPUFIT_ALLOW_IMPORT_ONLY=1 when it is installed.",
    ]


def _nothing_fits(project: str, releases: Sequence[JudgedRelease], profile: CpuProfile) -> list[str]:
    codes = {refusal.code for release in releases for refusal in release.refusals}
    if not releases:
        return ["The project has no release."]
    if refusals.NOT_INSPECTED in codes:
        verdict = "fits" if refusals.NEEDS_FEATURES in codes else "is known to fit"
        return [
            f"No release {verdict} this CPU. What was not inspected may run or crash.",
            "Whoever runs the index can declare what a wheel needs (cpufit-server import --needs), or let it in",
            f"as it is (cpufit-server project set {project} --unknown allow).",
        ]
    if refusals.NEEDS_FEATURES in codes:
        return [
            "No release fits this CPU. Whoever runs the index can add a build that needs less: no more than",
            f"{profile.token}. --report tells the index that it is wanted.",
        ]
    if codes == {refusals.NO_WHEELS}:
        return ["No release fits: none has a wheel, only source."]
    return ["No release fits this platform and Python; the CPU is not the reason."]


def _release_lines(release: JudgedRelease, profile: CpuProfile, width: int, *, colour: bool) -> Iterable[str]:
    version = f"{release.version:<{width}}"
    if release.fits:
        part = None if release.need is None else release.need.on(profile.arch)
        asked = CpuProfile(profile.arch, part.features).token if part is not None else "any CPU"
        needs = "not inspected; the project's policy lets it in" if release.need is None else f"needs {asked}"
        yield f"{version}  {paint('fits', _GREEN, colour=colour)}          {release.wheel} ({needs})"
        if release.missing:
            lacking = ", ".join(release.missing)
            yield f"{'':<{width}}    import only: what needs {lacking} dies on this CPU"
    else:
        yield f"{version}  {paint('does not fit', _RED, colour=colour)}"
    for refusal in release.refusals:
        # two builds of one release may have one name
        twin = release.fits and refusal.filename == release.wheel
        subject = "another build of it: " if twin else (f"{refusal.filename}: " if refusal.filename else "")
        yield (
            f"{'':<{width}}    not {subject}{refusal.sentence}"
            if release.fits
            else (f"{'':<{width}}    {subject}{refusal.sentence}")
        )
