"""Static verdict and probe together: never below either. Values in, values out.

What a probe sees is the import alone, so it never takes from ``use``. An import that ends well on a lesser CPU than the
machine code asks for makes the ``import`` part less: to what both that CPU has and the libraries that were mapped ask
for. An import that dies where the machine code promised that it runs raises both parts.
"""

from __future__ import annotations

import re
from dataclasses import replace

from cpufit_resolver.features import architecture
from cpufit_resolver.need import ArchNeed, Need
from cpufit_wheelhouse.inspection.rules import closed
from cpufit_wheelhouse.inspection.verdict import Confidence, Evidence, Verdict

from .models import LADDERS, Model
from .report import ProbeReport, Run

_SCATTERED = re.compile(r"[^/]+\.data/(?!purelib/|platlib/)")
_SILENT = frozenset({"abm", "bmi1", "lahf_lm"})


def combine(static: Verdict, report: ProbeReport) -> Verdict:
    """Return the verdict of both. An inconclusive probe adds its reasons as notes and changes nothing else."""
    notes = _notes(report)
    part = None if static.need is None else static.need.on(report.arch)
    if static.need is None or part is None or not report.conclusive:
        return static.with_notes(notes)
    ladder = LADDERS[report.arch]
    raised, reasons = _raised(part.features, report, ladder)
    at_import = raised if reasons else _import_part(raised, static, report, ladder)
    parts = {**dict(static.need.by_arch), report.arch: ArchNeed(at_import=at_import, at_use=raised)}
    evidence = (*static.evidence, *reasons)
    need = Need.of(parts, source="probed", evidence=(*(one.text for one in reasons), *static.need.evidence))
    return replace(
        static, need=need, evidence=evidence, notes=(*static.notes, *notes), confidence=_confidence(static, report)
    )


def _raised(
    features: frozenset[str], report: ProbeReport, ladder: tuple[Model, ...]
) -> tuple[frozenset[str], tuple[Evidence, ...]]:
    """Return the need that the deaths ask for: on every CPU that has all of the need, the import must end well."""
    reasons = []
    by_name = {model.name: model for model in ladder}
    good = [by_name[run.model].features for run in report.runs if run.result == "ok"]
    for run in report.runs:
        model = by_name.get(run.model)
        if run.result != "died" or model is None or not features <= model.features:
            continue
        told = frozenset(run.fault.features if run.fault is not None else ())
        more = told - model.features or _beyond(model.features, good, report.arch)
        features = closed(report.arch, features | more)
        reasons.append(_evidence(run, more, report.arch))
    return features, tuple(reasons)


def _beyond(having: frozenset[str], good: list[frozenset[str]], arch: str) -> frozenset[str]:
    """Return what the least CPU on which it ran has more, where nothing tells which of it was missing."""
    enough = min((features for features in good if having <= features), key=len, default=None)
    if enough is None:
        levels = architecture(arch).levels
        enough = next((level.features for level in levels if level.name == "x86_64_v3"), levels[-1].features)
    return enough - having


def _evidence(run: Run, features: frozenset[str], arch: str) -> Evidence:
    fault = run.fault
    return Evidence(
        rule="probe",
        arch=arch,
        features=tuple(sorted(features)),
        library=fault.library if fault is not None else "",
        detail=f"the import ends by {fault.text if fault is not None else 'a fault'} on {run.model}",
    )


def _import_part(
    features: frozenset[str], static: Verdict, report: ProbeReport, ladder: tuple[Model, ...]
) -> frozenset[str]:
    """Return what the import needs: of the need what every CPU has on which it ran, and what it maps asks for."""
    results = {run.model: run.result for run in report.runs}
    known = bool(report.libraries) and not report.elsewhere
    told = [one for one in static.evidence if one.weight == "requires" and one.arch == report.arch]
    if known:
        told = [one for one in told if one.library in report.libraries or not _would_be_seen(one.library)]
    asked = frozenset().union(*(one.features for one in told))
    at_import = features & (closed(report.arch, asked) | architecture(report.arch).floor) if known else features
    for model in ladder:
        if results.get(model.name) == "ok":
            at_import &= model.features | (_SILENT & asked)
    # a death on a CPU that has all of it: something ran that is not among what was seen to be mapped
    if any(at_import <= model.features for model in ladder if results.get(model.name) == "died"):
        return features
    return at_import


def _would_be_seen(member: str) -> bool:
    """Tell whether a member is a library that lies where its name says, once it is installed."""
    native = member.endswith((".so", ".dylib", ".pyd")) or ".so." in member
    return native and not _SCATTERED.match(member)


def _confidence(static: Verdict, report: ProbeReport) -> Confidence:
    """Return high where a probe ran as the verdict says and died below it: that takes the doubt out of suspicions."""
    results = {run.result for run in report.runs}
    return "high" if {"ok", "died"} <= results or static.confidence == "high" else static.confidence


def _notes(report: ProbeReport) -> list[str]:
    notes = [f"probe: {reason}" for reason in report.reasons]
    if not report.conclusive and not report.reasons:
        notes.append("probe: inconclusive")
    for run in report.runs:
        told = run.told or (run.fault.text if run.fault is not None else "")
        notes.append(f"probe: on {run.model} {run.result}" + (f": {told}" if told else ""))
    return notes
