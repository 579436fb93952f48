"""The block that a person reads when nothing fits: which CPU, what it lacks, what to do. Values in, text out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from .alternatives import Alternative
from .release import Release
from .vendored import NEEDS_FEATURES, OTHER_PLATFORM, DetectedCpu, Refusal

_WISH = "cpufit.toml"
_OVERRIDES = {"environment": "CPUFIT_CPU", "file": "the file with the CPU's token", _WISH: "cpufit.toml"}
"""What told the CPU in place of the machine, by the source of the detection."""
_LONGEST_TOKEN = 8
"""Most features written out beyond the level."""
_LONGEST_LIST = 12
"""Most wheels listed one by one: installers print all of this for each release that they try."""


@dataclass(frozen=True)
class Instead:
    """What a refusal leads to: another release, another wheel of this one, or that somebody may build one."""

    release: Alternative | None = None
    """The newest release that fits."""
    index_answered: bool = True
    """Whether the index told its releases: otherwise nobody knows that none fits."""
    import_only: str | None = None
    """A wheel of the refused release that can be imported, though some of its operations die."""
    counted: bool = False
    """Whether the index has counted that this release is wanted."""


def explain(
    release: Release,
    cpu: DetectedCpu,
    refusals: Sequence[Refusal],
    best_tag: str,
    instead: Instead,
    quote: str = "'",
) -> str:
    """Return the whole block, without a newline at its end.

    :param refusals: why each wheel was refused
    :param best_tag: the interpreter's most preferred tag
    :param quote: the mark that the user's shell takes around a requirement
    """
    told = [refusal for refusal in refusals if refusal.code != OTHER_PLATFORM]
    lacking = "that runs on this CPU" if told else "for this platform and Python"
    lines = [f"{release.project} {release.version} has no wheel {lacking}, so it is not installed.", ""]
    lines += [f"  this CPU:  {_short_token(cpu)}{_origin(cpu)}"] if told else [f"  this Python takes:  {best_tag}"]
    lines += [f"  hidden:    {hidden.sentence}" for hidden in cpu.hidden if told]
    for refusal in told[:_LONGEST_LIST]:
        lines += [f"  {refusal.filename}", f"      {_reason(refusal)}"]
        lines += [f"      ({refusal.evidence})"] if refusal.evidence else []
    lines += _counts(len(told) - _LONGEST_LIST, len(refusals) - len(told), bool(told))
    lines += _offer(instead.release, quote, release)
    lines += _build_wanted(told, instead, best_tag, cpu)
    lines += _otherwise(release, cpu, bool(told), instead.import_only)
    return "\n".join(lines)


def _short_token(cpu: DetectedCpu) -> str:
    """Return the token, or where it has dozens of features the level and their number: ``cpu-check`` names them."""
    level, *more = cpu.profile.token.split("+")
    return cpu.profile.token if len(more) <= _LONGEST_TOKEN else f"{level} and {len(more)} features more"


def _origin(cpu: DetectedCpu) -> str:
    said = _OVERRIDES.get(cpu.source)
    return f"  (as {said} says)" if said else ""


def _reason(refusal: Refusal) -> str:
    return f"needs {', '.join(refusal.missing)}" if refusal.code == NEEDS_FEATURES else refusal.sentence


def _counts(more: int, foreign: int, told: bool) -> list[str]:
    lines = [f"  and {more} more that do not run here"] if more > 0 else []
    if foreign:
        wheels = "1 wheel is" if foreign == 1 else f"{foreign} wheels are"
        lines.append(f"  {wheels} for {'another' if told else 'other'} platform{'' if told else 's'} or Python")
    return lines


def _offer(alternative: Alternative | None, quote: str, release: Release) -> list[str]:
    if alternative is None:
        return []
    # The index belongs to the line: copied without it, another index would bring its own wheel, which may crash here.
    told = f"The newest release that fits is {alternative.version}. To install it:"
    if alternative.project:
        told = f"No release fits, but one of {alternative.project} does: {alternative.version}. To install it:"
    return [
        "",
        told,
        "",
        f"    pip install {quote}{alternative.requirement}{quote} --index-url {release.api_url}/simple/",
    ]


def _build_wanted(told: Sequence[Refusal], instead: Instead, best_tag: str, cpu: DetectedCpu) -> list[str]:
    """Return what would have to be there for this machine, where no other release is."""
    lines = []
    if instead.release is None and instead.index_answered:
        kind = f"that needs no more than {_short_token(cpu)}" if told else f"for {best_tag}"
        lines += ["", f"No release fits that the index knows of. What is missing is a build {kind}."]
    if instead.counted:
        # what leaves a machine is told on it
        lines += [
            "",
            "The index was told that this release is wanted for such a CPU, Python and platform; not who wants it.",
            "CPUFIT_NO_REPORT=1 keeps it from being told.",
        ]
    return lines


def _otherwise(release: Release, cpu: DetectedCpu, about_cpu: bool, import_only: str | None) -> list[str]:
    lines = [
        "",
        "What else to do:",
        "",
        f"  * see what fits and why not: cpu-check {release.project} --index {release.api_url}/simple/",
    ]
    if import_only is not None:
        lines.append(f"  * {import_only} can be imported here, and some of its operations die;")
        lines.append("    CPUFIT_ALLOW_IMPORT_ONLY=1 takes it all the same")
    if about_cpu and cpu.hidden:
        lines.append(
            '  * something hides features of the CPU from this process (above). Show them to it: CPU type "host" for a'
        )
        lines.append("    virtual machine, or native containers and a native Python in place of emulated ones")
    if about_cpu and cpu.source == _WISH:
        lines.append("  * cpufit.toml asks for less than the CPU may have; without its line for this, more may fit")
    elif about_cpu and cpu.source in _OVERRIDES:
        lines.append(
            f"  * the machine itself was not asked; if its CPU is another one, take away {_OVERRIDES[cpu.source]}"
        )
    return lines
