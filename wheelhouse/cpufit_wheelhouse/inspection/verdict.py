"""The verdict on a wheel: what it needs, why, and how sure that is; or why that could not be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from cpufit_resolver.need import Need

RULES_VERSION = 2
"""Grows whenever a rule, a threshold or a decoding table changes what a verdict can be."""

Weight = Literal["requires", "suspects", "warns"]
Confidence = Literal["high", "medium", "low", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One reason: a rule, what it says is needed, and where in the wheel that was seen."""

    rule: str
    """``no-dispatcher``, ``encoding``, ``spread``, ``declared``, ``probe``, …; kebab-case."""
    arch: str
    features: tuple[str, ...]
    """Sorted."""
    library: str
    """The member's name in the wheel."""
    detail: str = ""
    """``vmovdqa in _rjem_je_sc_data_init``, ``91 % of the code``."""
    weight: Weight = "requires"

    @property
    def text(self) -> str:
        """Return the sentence that a person reads."""
        verb = {"requires": "needs", "suspects": "may need", "warns": "note:"}[self.weight]
        what = " ".join(self.features)
        seen = f", {self.detail}" if self.detail else ""
        return f"{verb} {what}: {self.library}{seen} ({self.rule})"

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "rule": self.rule,
            "arch": self.arch,
            "features": list(self.features),
            "library": self.library,
            "detail": self.detail,
            "weight": self.weight,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Evidence:
        """Return it from its JSON form."""
        return cls(
            rule=data["rule"],
            arch=data["arch"],
            features=tuple(data["features"]),
            library=data["library"],
            detail=data.get("detail", ""),
            weight=data.get("weight", "requires"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known of a wheel's need. ``need`` None means undetermined, with the reasons in ``undetermined``."""

    need: Need | None
    evidence: tuple[Evidence, ...] = ()
    undetermined: tuple[str, ...] = ()
    """Sentences: ``pkg/x.so: the section table ends outside the file``."""
    confidence: Confidence = "none"
    rules_version: int = RULES_VERSION
    notes: tuple[str, ...] = field(default=())
    """What a reader should know besides: an inconclusive probe, optional sibling libraries."""

    @property
    def known(self) -> bool:
        """Whether there is a need."""
        return self.need is not None

    def with_notes(self, notes: Iterable[str]) -> Verdict:
        """Return the verdict with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form, which is what the catalog stores."""
        return {
            "verdict": "known" if self.known else "undetermined",
            "need": None if self.need is None else self.need.as_dict(),
            "source": None if self.need is None else self.need.source,
            "confidence": self.confidence,
            "rules_version": self.rules_version,
            "reasons": [] if self.need is None else list(self.need.evidence),
            "evidence": [one.as_dict() for one in self.evidence],
            "undetermined": list(self.undetermined),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Verdict:
        """Return it from its JSON form.

        :raises InvalidCpuToken: a token in it cannot be read
        """
        evidence = tuple(Evidence.from_dict(one) for one in data.get("evidence", ()))
        need = data.get("need")
        texts = tuple(data.get("reasons", ()))
        return cls(
            need=(
                None if need is None else Need.from_dict(need, source=data.get("source") or "inspected", evidence=texts)
            ),
            evidence=evidence,
            undetermined=tuple(data.get("undetermined", ())),
            confidence=data.get("confidence", "none"),
            rules_version=data.get("rules_version", 0),
            notes=tuple(data.get("notes", ())),
        )
