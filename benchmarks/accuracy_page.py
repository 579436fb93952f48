"""The page ``docs/reference/accuracy.md``, from what was measured and what was judged. Values in, text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cpufit_resolver.need import parse_need
from cpufit_wheelhouse.probe.models import X86_64

ARCH = "x86_64"
SHORT = {"qemu64,-sse3,-cx16,-svm": "v1", "Conroe": "ssse3", "Penryn": "sse4.1", "qemu64": "sse3"}

HEAD = """\
# Accuracy

<!-- Written by python -m benchmarks.accuracy --write; a test holds it to its data. -->

Fifty-five wheels from PyPI whose need was measured on emulated CPUs and by running operations beyond the import, and
what is said of them. *Truth* `≤` is a ceiling: something that the wheel depends on stops first, so its own need is not
more than this. *Machine code* is the verdict of `cpufit inspect`; *with probe* is `cpufit inspect --probe`, where the
imports were possible. Where `import` and `use` differ, both stand there, in this order. *auditwheel* is the level in
the ISA notes of the libraries; *any instruction* is what the features of all instructions inside add up to, which is
what a scanner says that knows nothing of run-time dispatch.

"""


def page(
    needs: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Any],
    measured: Mapping[str, Mapping[str, str]],
    cases: Mapping[str, Any],
) -> str:
    """Return the page."""
    rows = [_row(one, judged[one["wheel"]]) for one in needs]
    lines = [HEAD + "| wheel | truth | machine code | with probe | auditwheel | any instruction |"]
    lines += [
        "|---|---|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        _summary(needs, judged),
    ]
    return "\n".join([*lines, "", *_grid(needs, judged, measured, cases), ""])


def wrong(needs: Sequence[Mapping[str, Any]], judged: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each verdict that is not what was measured."""
    told = []
    for one in needs:
        for kind in ("static", "probed"):
            verdict = judged[one["wheel"]].get(kind)
            if verdict is not None and not _right(one, verdict, both=kind == "probed"):
                told.append(f"{one['wheel']}: {kind} {_pair(verdict)}, measured {one['bound']} {_pair(one)}")
    return told


def features(token: str) -> frozenset[str]:
    """Return the features of a token."""
    part = parse_need(token, frozenset({ARCH})).on(ARCH)
    return frozenset() if part is None else part.features


def _right(truth: Mapping[str, Any], verdict: Mapping[str, str], *, both: bool) -> bool:
    use, wanted = features(verdict["use"]), features(truth["use"])
    if truth["bound"] != "exact":
        return use <= wanted
    return use == wanted and (not both or features(verdict["import"]) == features(truth["import"]))


def _short(token: str) -> str:
    return token.removeprefix("x86_64_")


def _pair(need: Mapping[str, str]) -> str:
    at_import, use = _short(need["import"]), _short(need["use"])
    return use if at_import == use else f"{at_import}, {use}"


def _row(one: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[str, ...]:
    bound = "≤ " if one["bound"] != "exact" else ""
    probed = said.get("probed")
    with_probe = "" if probed is None else _pair(probed)
    if said.get("inconclusive"):
        with_probe += " (no import)"
    audited = said["auditwheel"].removeprefix("x86_64").removeprefix("_") or "v1"
    name = one["wheel"].replace("==", " ")
    return name, bound + _pair(one), _pair(said["static"]), with_probe, audited, _short(said["any"])


def _summary(needs: Sequence[Mapping[str, Any]], judged: Mapping[str, Any]) -> str:
    exact = [one for one in needs if one["bound"] == "exact"]

    def count(say: Any, compare: Any) -> int:
        return sum(1 for one in exact if compare(features(say(judged[one["wheel"]])), features(one["use"])))

    audited = "x86_64_v1"
    lines = ["Of the wheels with an exact truth:", "", "| | right | below it (somebody's crash) | above it |"]
    lines += ["|---|---|---|---|"]
    sayers: dict[str, Any] = {
        "machine code": lambda said: said["static"]["use"],
        "with probe": lambda said: (said.get("probed") or said["static"])["use"],
        "auditwheel": lambda said: said["auditwheel"] if "_v" in said["auditwheel"] else audited,
        "any instruction": lambda said: said["any"],
    }
    for name, say in sayers.items():
        right = count(say, lambda told, truth: told == truth)
        below = count(say, lambda told, truth: not told >= truth)
        lines.append(f"| {name} | {right} of {len(exact)} | {below} | {len(exact) - right - below} |")
    return "\n".join(lines)


def predicted(case: Mapping[str, Any], model: str, judged: Mapping[str, Any], *, kind: str = "probed") -> bool:
    """Tell whether the verdicts' import parts say that a case runs on a CPU."""
    has = model_features(model)
    return all(features((judged[pin].get(kind) or judged[pin]["static"])["import"]) <= has for pin in case["native"])


def model_features(model: str) -> frozenset[str]:
    """Return what an emulated CPU has, of what a need can name."""
    at = {"Westmere": "Nehalem-v1", "max": "Haswell-v1"}.get(model, model)
    return next(one.features for one in X86_64 if one.name in {at, f"{at}-v1", f"{at}-v1,+cx16"})


def _grid(
    needs: Sequence[Mapping[str, Any]],
    judged: Mapping[str, Any],
    measured: Mapping[str, Mapping[str, str]],
    cases: Mapping[str, Any],
) -> list[str]:
    models = cases["models"]
    lines = ["## Environments", ""]
    lines += [
        "Each environment was installed as `benchmarks/truth/cases.json` pins it, its statement run on each CPU by",
        "`benchmarks/truth/measure.py`. `✓` ran and was predicted, `✗` died and was predicted to; `(✓)` ran though the",
        "needs say no, `(✗)` died though they say yes.",
        "",
        "| environment | " + " | ".join(SHORT.get(model, model) for model in models) + " |",
        "|---|" + "---|" * len(models),
    ]
    del needs
    agreed, reasons = 0, []
    for case in cases["cases"]:
        cells = []
        for model in models:
            ran = measured[case["case"]][model] == "ok"
            same = predicted(case, model, judged) is ran
            agreed += same
            sign = "✓" if ran else "✗"
            cells.append(sign if same else f"({sign})")
        lines.append(f"| {case['case']} | " + " | ".join(cells) + " |")
        if "except" in case:
            told = ", ".join(SHORT.get(model, model) for model in case["except"]["models"])
            reasons.append(f"- {case['case']} on {told}: {case['except']['because']}.")
    total = len(cases["cases"]) * len(models)
    return [*lines, "", f"{agreed} of {total} cells as predicted. Not to be told from the needs alone:", "", *reasons]
