"""What a person reads of an environment, and the JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cpufit_pip_plugin.cpu_check.report import paint, shown_cpu
from cpufit_pip_plugin.cpu_check.table import GREEN, RED, YELLOW, table
from cpufit_resolver.detection import DetectedCpu

from .judged import JudgedPackage, Method

METHODS = {
    "machine-code": "told by reading their machine code",
    "trial": "told by importing each in a process of its own: what they do when they are used was not tried",
}
_MOST_LIBRARIES = 3
_COLOURS = {"cannot-run": RED, "not-told": YELLOW, "runs": GREEN}
_WORDS = {"cannot-run": "cannot run", "not-told": "not told", "runs": "runs"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was found."""

    environment: str
    method: Method
    cpu: DetectedCpu
    packages: tuple[JudgedPackage, ...]
    unowned: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the CPU's part."""
        return {
            "environment": self.environment,
            "method": self.method,
            "packages": [one.as_dict() for one in self.packages],
            "unowned": list(self.unowned),
        }


def report_lines(report: Report, *, colour: bool) -> list[str]:
    """Return the report: the sick in full, the rest as a number."""
    lines = [report.environment, f"on {shown_cpu(report.cpu)}", ""]
    telling = [one for one in report.packages if one.state != "runs"]
    lines += table([_row(one) for one in telling], [_COLOURS[one.state] for one in telling], colour=colour)
    for one in telling:
        lines += ["", *_details(one)]
    running = len(report.packages) - len(telling)
    lines += [""] if telling else []
    lines.append(_summary(report.packages, running, colour=colour))
    if report.packages:
        lines.append(f"({METHODS[report.method]})")
    if report.unowned:
        lines.append(
            f"{len(report.unowned)} native files belong to no package and were not judged (--json names them)."
        )
    return lines


def _row(one: JudgedPackage) -> tuple[str, ...]:
    missing = f"needs {', '.join(one.missing)}" if one.missing else one.reason
    if one.state == "cannot-run" and not one.missing and one.culprits:
        missing = "which features it needs is not known"
    return (_WORDS[one.state], f"{one.name} {one.version}", missing)


def _details(one: JudgedPackage) -> Iterable[str]:
    brought = f", brought by {', '.join(one.brought_by)}" if one.brought_by else ""
    yield f"{one.name} {one.version}{brought}"
    for culprit in one.culprits[:_MOST_LIBRARIES]:
        yield f"    {culprit.library}: {culprit.reason}"
    if len(one.culprits) > _MOST_LIBRARIES:
        yield f"    and {len(one.culprits) - _MOST_LIBRARIES} more libraries"
    if one.reason:
        yield f"    {one.reason}"
    if one.mend is not None:
        yield f"    mend it: {one.mend.command}"
    elif one.state == "cannot-run":
        yield "    no index told of a release that runs here (--index URL asks one)"


def _summary(packages: Sequence[JudgedPackage], running: int, *, colour: bool) -> str:
    if not packages:
        return "No native libraries are installed: there is nothing that this CPU could lack."
    if running == len(packages):
        text = f"All is well: each of {running} packages with native libraries runs on this CPU."
        return paint(text, GREEN, colour=colour)
    dead = sum(one.state == "cannot-run" for one in packages)
    untold = len(packages) - running - dead
    return (
        f"{dead} of {len(packages)} packages with native libraries cannot run here; {untold} not told; {running} run."
    )
