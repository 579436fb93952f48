"""The judgement: what a wheel needs, of everything that tells it; and the port for reading machine code.

A wheel without machine code needs what somebody says of it, else nothing. One with machine code is inspected; what the
uploader declares and the wheel's own ``variant.json`` states may ask for more than the verdict, never for less: an
installer would believe it. Only an operator's recorded :class:`Override` goes below a verdict.

A wheel about which none of them knows is *unknown*, which is ``None``: it is in no view unless policy lets it in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cpufit_resolver.features import architecture
from cpufit_resolver.need import BASELINE_NEED, ArchNeed, Need, parse_need
from cpufit_resolver.refusals import telling_evidence

from .archive import WheelInfo
from .catalog.records import BelowVerdict
from .errors import NeedRefused
from .inspection.verdict import Verdict
from .variant import need_from_variant_json

STATED = ("declared: ", "variant.json: ")
"""How evidence begins that is somebody's word, and no finding."""

_MOST_REASONS = 3
"""How many sentences a refusal gives as its reasons."""


class Inspector(Protocol):
    """Reads the machine code of a wheel's native members. Here a real inspection is plugged in."""

    def inspect(self, path: Path, info: WheelInfo) -> Verdict | None:
        """Return the verdict on a wheel that has native members; None where it is not inspected at all.

        :raises InspectionPending: it takes longer than the caller wants to wait
        """


class NoInspector:
    """Reads nothing: every wheel with machine code and without a declared need stays unknown."""

    def inspect(self, path: Path, info: WheelInfo) -> Verdict | None:  # noqa: ARG002  # the port's arguments
        """Return None: not inspected."""
        return None


@dataclass(frozen=True, slots=True)
class KnownVerdict:
    """Reads nothing either: the answer is known already."""

    verdict: Verdict

    def inspect(self, path: Path, info: WheelInfo) -> Verdict:  # noqa: ARG002  # the port's arguments
        """Return what is known."""
        return self.verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An operator's word that stands above everything else: who said it, when and why."""

    sha256: str
    """Of the wheel, as it is stored."""
    need: Need
    who: str
    why: str
    created_at: datetime
    """Aware, UTC."""
    ended_at: datetime | None = None
    """None while it is in force."""

    def as_dict(self) -> dict[str, object]:
        """Return what a machine reads."""
        return {
            "sha256": self.sha256,
            "need": self.need.as_dict(),
            "who": self.who,
            "why": self.why,
            "created_at": self.created_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a wheel needs, and the verdict on its machine code."""

    need: Need | None
    """None while unknown."""
    verdict: Verdict | None = None
    """None where nothing was inspected."""


def judge(
    info: WheelInfo,
    path: Path,
    declared: str | None,
    inspector: Inspector,
    *,
    below: BelowVerdict = "refuse",
    override: Override | None = None,
) -> Judgement:
    """Return what a wheel needs.

    :param path: the wheel that ``info`` was read from
    :param declared: the need as the uploader wrote it (:func:`cpufit_resolver.need.parse_need`)
    :param below: whether a word that is below the verdict is refused, or raised to it
    :param override: an operator's word on these bytes
    :raises InvalidCpuToken: the declaration cannot be read
    :raises InvalidVariantMetadata: the wheel's ``variant.json`` breaks a rule, or cannot be judged
    :raises NeedRefused: a word is below another one or below the verdict, or says nothing of one of the architectures
    """
    stated = stated_need(info, declared)
    verdict = inspector.inspect(path, info) if info.native else None
    if override is not None:
        if info.native:
            check_complete(override.need, info.filename.architectures())
        return Judgement(need=overridden(override, () if stated is None else stated.evidence), verdict=verdict)
    if not info.native:
        return Judgement(need=BASELINE_NEED if stated is None else stated)
    return Judgement(need=settled(stated, verdict, below=below), verdict=verdict)


def stated_need(info: WheelInfo, declared: str | None) -> Need | None:
    """Return what is said of a wheel, by its uploader and by itself; None where nothing is.

    Raises as :func:`judge` does.
    """
    architectures = info.filename.architectures()
    own = None
    if info.variant_json is not None:
        own = need_from_variant_json(info.variant_json, info.filename.label, architectures)
    stated = own
    if declared:
        stated = parse_need(declared, architectures)
        if own is not None and own != stated:
            stated = _raised_by_declaration(stated, own)
    if stated is not None and info.native:
        check_complete(stated, architectures)
    return stated


def overridden(override: Override, said: Iterable[str]) -> Need:
    """Return the need by an override, with what is said of the wheel besides: it counts again when the override ends.

    :param said: the evidence of what was stated; of other evidence nothing is kept
    """
    kept = (text for text in said if text.startswith(STATED))
    return replace(override.need, evidence=(*override.need.evidence, *kept))


def settled(stated: Need | None, verdict: Verdict | None, *, below: BelowVerdict = "refuse") -> Need | None:
    """Return the need of a wheel with machine code, of what is said and what was found.

    An undetermined verdict makes no need. What was read of such a wheel holds all the same: nobody may state less.

    :raises NeedRefused: what is said is below the verdict, and is to be refused then
    """
    if stated is None or verdict is None:
        return stated if verdict is None else verdict.need
    found = _seen(verdict) if verdict.need is None else verdict.need
    if asks_for(stated, found):
        # what was found in the machine code is the better proof
        return replace(stated, evidence=(*found.evidence, *stated.evidence))
    if below == "refuse":
        code = "the machine code" if verdict.known else "what can be read of the machine code"
        raise NeedRefused(
            f"the need {stated.key} is stated, and {code} needs {found.key}: {_reasons(stated, found)}",
            code="need-below-verdict",
            hint=f"declare at least {found.key}, or nothing; whoever runs the index may record an override for a wheel "
            "that asks the CPU in a way that was not seen",
        )
    return _union(stated, found)


def _seen(verdict: Verdict) -> Need:
    """Return what the libraries need that could be read."""
    required = [one for one in verdict.evidence if one.weight == "requires"]
    parts = {
        arch: frozenset(feature for one in required if one.arch == arch for feature in one.features)
        for arch in {one.arch for one in required}
    }
    return Need.of(
        {arch: ArchNeed(at_import=features, at_use=features) for arch, features in parts.items()},
        source="inspected",
        evidence=(one.text for one in required),
    )


def asks_for(need: Need, least: Need) -> bool:
    """Tell whether a need asks for everything that another one asks for, in import and in use."""
    return all(
        part.at_import <= _part(need, arch).at_import and part.features <= _part(need, arch).features
        for arch, part in least.by_arch
    )


def _part(need: Need, arch: str) -> ArchNeed:
    floor = architecture(arch).floor
    return need.on(arch) or ArchNeed(at_import=floor, at_use=floor)


def _union(one: Need, other: Need) -> Need:
    archs = {arch for arch, _ in (*one.by_arch, *other.by_arch)}
    parts = {
        arch: ArchNeed(
            at_import=_part(one, arch).at_import | _part(other, arch).at_import,
            at_use=_part(one, arch).features | _part(other, arch).features,
        )
        for arch in archs
    }
    return Need.of(parts, source=one.source, evidence=(*other.evidence, *one.evidence))


def _reasons(stated: Need, found: Need) -> str:
    """Return the evidence for the features that are not stated: sentences until each is explained, at most three."""
    lacking = frozenset[str]().union(
        *(
            (part.features - _part(stated, arch).features) | (part.at_import - _part(stated, arch).at_import)
            for arch, part in found.by_arch
        )
    )
    unexplained, sentences = lacking, []
    for sentence in found.evidence:
        features = frozenset(sentence.partition(":")[0].split())
        if unexplained & features:
            sentences.append(sentence)
            unexplained -= features
    told = "; ".join(sentences[:_MOST_REASONS])
    return told or telling_evidence(found.evidence, lacking) or ", ".join(sorted(lacking))


def _raised_by_declaration(declared: Need, own: Need) -> Need:
    for arch, part in own.by_arch:
        over = declared.on(arch)
        if over is None or not (part.at_import <= over.at_import and part.features <= over.features):
            raise NeedRefused(
                f"the declared need is {declared.key}, the wheel's variant.json says {own.key}",
                hint="a declaration may add to what the wheel says itself, not take away",
            )
    return Need(by_arch=declared.by_arch, source=declared.source, evidence=declared.evidence + own.evidence)


def check_complete(need: Need, architectures: frozenset[str]) -> None:
    """Refuse a need that leaves out an architecture for which a wheel has machine code.

    :param architectures: those that the wheel's name tells
    :raises NeedRefused: it says nothing of one of them
    """
    # a need that names no architecture says "nothing beyond the baseline" of all of them
    open_ones = sorted(architectures - {arch for arch, _ in need.by_arch}) if need.by_arch else []
    if open_ones:
        raise NeedRefused(
            f"the need {need.key} says nothing of {', '.join(open_ones)}, for which the wheel has machine code too",
            hint="write a token for each architecture: x86_64_v3,aarch64_8_2a",
        )
