"""``cpu-check WHEEL…``: wheels on the disk, held against a CPU by their machine code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cpufit_pip_plugin.inspect_command.narration import narrating
from cpufit_resolver import CpufitError, CpuProfile
from cpufit_wheelhouse.filename import parse_wheel_filename

from .bodies import cpu_body
from .decoder import check_decoder
from .exits import FITS, NOT_TOLD, NOTHING_FITS, USAGE
from .report import shown_cpu
from .surroundings import warnings_for
from .table import GREEN, RED, YELLOW, table

if TYPE_CHECKING:
    import argparse

    from cpufit_resolver.detection import DetectedCpu
    from cpufit_wheelhouse.inspection.verdict import Verdict

    from .output import Output

_WORDS = {"fits": ("fits", GREEN), "does-not-fit": ("does not fit", RED), "not-told": ("not told", YELLOW)}
_CODES = {"fits": FITS, "does-not-fit": NOTHING_FITS, "not-told": NOT_TOLD}
_WORST_FIRST = ("no-wheel", "does-not-fit", "not-told", "fits")


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedWheel:
    """One wheel on one CPU."""

    wheel: str
    state: str
    """``fits``, ``does-not-fit``, ``not-told``; ``no-wheel`` for what is none."""
    missing: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    need: dict[str, dict[str, str]] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "wheel": self.wheel,
            "state": self.state,
            "missing_features": list(self.missing),
            "reasons": list(self.reasons),
            "need": self.need,
        }


def run(arguments: argparse.Namespace, cpu: DetectedCpu, output: Output) -> int:
    """Judge wheels, report, and return the exit code: that of the worst of them."""
    check_decoder()
    judged = [_judged(Path(wheel), cpu.profile, quiet=output.quiet) for wheel in arguments.wheels]
    warnings = warnings_for(cpu, None)
    if output.as_json:
        output.json({**cpu_body(cpu, warnings), "wheels": [one.as_dict() for one in judged]})
    else:
        rows = [(_WORDS.get(one.state, ("no wheel", RED))[0], one.wheel, _sentence(one)) for one in judged]
        colours = [_WORDS.get(one.state, ("", RED))[1] for one in judged]
        lines = [f"on {shown_cpu(cpu)}", "", *table(rows, colours, colour=output.colour)]
        for one in judged:
            lines += ["", one.wheel, *(f"    {reason}" for reason in one.reasons)] if one.reasons else []
        output.lines(lines, warnings)
    worst = min(judged, key=lambda one: _WORST_FIRST.index(one.state))
    return _CODES.get(worst.state, USAGE)


def _sentence(one: JudgedWheel) -> str:
    if one.missing:
        return f"this CPU lacks {', '.join(one.missing)}"
    return {"fits": "", "not-told": "its need is undetermined"}.get(one.state, "")


def _judged(path: Path, profile: CpuProfile, *, quiet: bool) -> JudgedWheel:
    from cpufit_wheelhouse.inspection.wheel import inspect_wheel  # noqa: PLC0415  # numpy, behind the check

    try:
        if not path.is_file():
            return JudgedWheel(wheel=path.name, state="no-wheel", reasons=("no file is here",))
        with narrating(path, plain=False) as progress:
            verdict = inspect_wheel(
                path, path.name, threads=min(os.cpu_count() or 1, 4), progress=None if quiet else progress
            )
        return judged_verdict(path.name, verdict, profile)
    except CpufitError as error:
        return JudgedWheel(wheel=path.name, state="no-wheel", reasons=(str(error),))


def judged_verdict(name: str, verdict: Verdict, profile: CpuProfile) -> JudgedWheel:
    """Return what a verdict on a wheel means on a CPU."""
    if verdict.need is None:
        return JudgedWheel(wheel=name, state="not-told", reasons=verdict.undetermined)
    part, need = verdict.need.on(profile.arch), verdict.need.as_dict()
    promised = parse_wheel_filename(name).architectures()
    if part is None and (promised or verdict.need.by_arch):
        named = ", ".join(sorted(promised or need))
        reason = f"it is for {named}, and this CPU is {profile.arch}"
        return JudgedWheel(wheel=name, state="does-not-fit", reasons=(reason,), need=need)
    missing = frozenset() if part is None else part.features - profile.features
    reasons = [
        one.text
        for one in verdict.evidence
        if one.weight == "requires" and one.arch == profile.arch and not frozenset(one.features) <= profile.features
    ]
    return JudgedWheel(
        wheel=name,
        state="does-not-fit" if missing else "fits",
        missing=tuple(sorted(missing)),
        reasons=tuple(reasons),
        need=need,
    )
