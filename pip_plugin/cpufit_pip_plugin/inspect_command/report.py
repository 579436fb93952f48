"""The two forms of a report: lines for people, one JSON object for programs (``inspect.schema.json``)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from cpufit_resolver.need import Need
from cpufit_wheelhouse.errors import WheelError
from cpufit_wheelhouse.filename import parse_wheel_filename

if TYPE_CHECKING:
    from cpufit_resolver import CpufitError
    from cpufit_wheelhouse.inspection.verdict import Verdict


def as_json(name: str, verdict: Verdict | None, error: CpufitError | None, *, arch: str | None = None) -> str:
    """Return one line: the verdict on a wheel, or why there is none.

    ``need`` is that of the asked architecture, or of the first that the wheel's name tells; ``needs`` has them all. A
    wheel without machine code needs nothing: its ``need`` is ``any``.

    :param arch: tell of this architecture alone
    """
    if verdict is None:
        return json.dumps({"wheel": name, "need": None, "verdict": "error", "error": error and error.as_dict()})
    told = verdict.as_dict()
    evidence = [one for one in told["evidence"] if arch in (None, one["arch"])]
    needs = None if verdict.need is None else {k: v for k, v in verdict.need.as_dict().items() if arch in (None, k)}
    body = {
        "wheel": name,
        "need": None if verdict.need is None else _first(name, verdict.need, arch),
        "needs": needs,
        "verdict": told["verdict"],
        "confidence": told["confidence"],
        "source": told["source"],
        "rules_version": told["rules_version"],
        "evidence": evidence,
        "undetermined": told["undetermined"],
        "notes": told["notes"],
    }
    return json.dumps(body)


def _first(name: str, need: Need, arch: str | None) -> dict[str, str]:
    parts = need.as_dict()
    order = [arch] if arch is not None else [*_architectures(name), *parts]
    return next((parts[one] for one in order if one in parts), {"import": "any", "use": "any"})


def _architectures(name: str) -> list[str]:
    try:
        known = parse_wheel_filename(name).architectures()
    except WheelError:  # pragma: no cover  # it was inspected, so its name was read
        return []
    # x86_64 first, where a universal2 wheel has both
    return sorted(known, reverse=True)


def text_lines(name: str, verdict: Verdict, arch: str | None = None, *, verbose: bool) -> Iterable[str]:
    """Yield the lines on one wheel.

    :param verbose: also what makes no need
    """
    yield name
    if verdict.need is None:
        yield "  undetermined"
        yield from (f"    {reason}" for reason in verdict.undetermined)
    else:
        yield from _need_lines(verdict.need, arch)
        yield f"  confidence: {verdict.confidence}" + (" (probed)" if verdict.need.source == "probed" else "")
    evidence = [one for one in verdict.evidence if arch in (None, one.arch)]
    if verbose:
        yield from (f"    {text}" for text in (*(one.text for one in evidence), *verdict.notes))
        return
    yield from _telling_lines([one.text for one in evidence if one.weight == "requires"], verdict)


def _telling_lines(required: list[str], verdict: Verdict) -> Iterable[str]:
    """Yield the reasons that each bring a feature: a wheel of a hundred libraries says the same a hundred times."""
    brief = () if verdict.need is None else verdict.need.evidence
    told = [text for text in required if text in brief] or required
    yield from (f"    {text}" for text in told)
    if len(told) < len(required):
        yield f"    and {len(required) - len(told)} more that ask for the same (--verbose tells them)"


def _need_lines(need: Need, arch: str | None) -> Iterable[str]:
    parts = need.as_dict()
    if not parts:
        yield "  needs nothing: it has no machine code"
    elif arch is not None and arch not in parts:
        yield f"  has no machine code for {arch}"
    for one, tokens in parts.items():
        if arch not in (None, one):
            continue
        yield f"  needs {tokens['use']}"
        if tokens["import"] != tokens["use"]:
            yield f"    to import it, {tokens['import']} is enough"
