"""The page ``docs/reference/accuracy-further.md``, from what was measured and what was judged. Values in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cpufit_resolver.need import parse_need
from cpufit_wheelhouse.probe.models import X86_64

LADDER = ("qemu64,-sse3,-cx16,-svm", "qemu64", "Conroe", "Penryn", "Nehalem", "SandyBridge", "IvyBridge", "Haswell")
SHORT = {"qemu64,-sse3,-cx16,-svm": "v1", "qemu64": "sse3", "Conroe": "ssse3", "Penryn": "sse4.1"}
_ARCH = "x86_64"

HEAD = """\
# Further wheels

<!-- Written by python -m benchmarks.further --write; a test holds it to its data. -->

The wheels of [Accuracy](accuracy.md) served to find the rules. These were judged by the rules as they stood; on
{fitted} of them the first reading was wrong and a rule was added or mended: {names}. The thresholds of
these new rules were chosen with all of these wheels in view, so this is no blind test of them. Each was installed with
what it depends on, a statement was run in it on emulated CPUs (`benchmarks/truth/further.json` has both), and the
least CPU noted on which that ended well. Most statements import, some do a little more, so a verdict may well ask for
more than was seen: it tells of all operations. It must never ask for less.

"""


def features(token: str) -> frozenset[str]:
    """Return the features of a token."""
    part = parse_need(token, frozenset({_ARCH})).on(_ARCH)
    return frozenset() if part is None else part.features


def model_features(model: str) -> frozenset[str]:
    """Return what an emulated CPU has, of what a need can name."""
    return next(one.features for one in X86_64 if one.name in {model, f"{model}-v1", f"{model}-v1,+cx16"})


def below(wheels: Sequence[Mapping[str, Any]], judged: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each verdict that lets a wheel onto a CPU on which it died by itself."""
    told = []
    for one in wheels:
        step = LADDER.index(one["least"])
        need = _use(judged[one["wheel"]])
        if step and not one["ceiling"] and features(need) <= model_features(LADDER[step - 1]):
            told.append(f"{one['wheel']}: judged {need}, died on {LADDER[step - 1]}")
    return told


def page(wheels: Sequence[Mapping[str, Any]], judged: Mapping[str, Any]) -> str:
    """Return the page."""
    fitted = [one["wheel"].replace("==", " ") for one in wheels if one["fitted"]]
    baseline = [one for one in wheels if not features(_use(judged[one["wheel"]])) - model_features(LADDER[0])]
    same = sum(1 for one in baseline if one["least"] == LADDER[0])
    lines = [HEAD.format(fitted=len(fitted), names=", ".join(fitted)) + "| | wheels |", "|---|---|"]
    lines += [
        f"| measured and judged | {len(wheels)} |",
        f"| verdict x86-64-v1, ran on x86-64-v1 | {same} |",
        f"| verdict x86-64-v1, something that it depends on stops before that | {len(baseline) - same} |",
        f"| verdict more than x86-64-v1 | {len(wheels) - len(baseline)}, listed below |",
        f"| **verdict less than what it was seen to need** | **{len(below(wheels, judged))}** |",
        "",
        "| wheel | verdict | confidence | ran on |",
        "|---|---|---|---|",
    ]
    for one in wheels:
        if one not in baseline:
            said = judged[one["wheel"]]
            ran = SHORT.get(one["least"], one["least"]) + (" (its NumPy stops first)" if one["ceiling"] else "")
            row = (one["wheel"].replace("==", " "), _use(said).removeprefix("x86_64_"), said["confidence"], ran)
            lines.append("| " + " | ".join(row) + " |")
    return "\n".join([*lines, ""])


def _use(said: Mapping[str, Any]) -> str:
    return "x86_64_v1" if said["need"] is None else str(said["need"]["use"])
