"""Why a wheel was not chosen: a value for programs, a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

NEEDS_FEATURES = "wheel-needs-cpu-features"
NOT_INSPECTED = "wheel-not-inspected"
OTHER_PLATFORM = "wheel-for-another-platform"
OTHER_PYTHON = "wheel-for-another-python"
NO_WHEELS = "release-has-no-wheels"


@dataclass(frozen=True)
class Refusal:
    """One reason why one file was refused.

    ``missing`` is filled only where features are lacking, sorted; ``evidence`` is the sentence that tells why one of
    them is needed, where anybody knows it. The sentence has it too.
    """

    code: str
    filename: str
    sentence: str
    missing: tuple[str, ...] = ()
    evidence: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "code": self.code,
            "filename": self.filename,
            "message": self.sentence,
            "missing_features": list(self.missing),
        }


def needs_features(filename: str, missing: frozenset[str], evidence: tuple[str, ...] = ()) -> Refusal:
    """Refuse a wheel because the CPU lacks features that it needs."""
    names = tuple(sorted(missing))
    told = telling_evidence(evidence, missing)
    proof = f" ({told})" if told else ""
    return Refusal(
        code=NEEDS_FEATURES,
        filename=filename,
        sentence=f"needs {', '.join(names)}, which this CPU does not have{proof}",
        missing=names,
        evidence=told or "",
    )


def telling_evidence(evidence: tuple[str, ...], missing: frozenset[str]) -> str | None:
    """Return the sentence that tells why one of these features is needed; None for no sentences.

    Where no finding names one of them, somebody's word asks for it, or else it comes with what the first finding names.

    :param evidence: as :attr:`cpufit_resolver.need.Need.evidence`: ``needs avx2 bmi2: library, what was seen``
    """
    for sentence in evidence:
        if missing & frozenset(sentence.partition(":")[0].split()):
            return sentence
    words = [sentence for sentence in evidence if not sentence.startswith("needs ")]
    return next(iter(words or evidence), None)


def not_inspected(filename: str) -> Refusal:
    """Refuse a wheel with native code whose need nobody has declared or found out."""
    return Refusal(
        code=NOT_INSPECTED, filename=filename, sentence="not inspected: nobody knows yet which CPU features it needs"
    )


def other_platform(filename: str) -> Refusal:
    """Refuse a wheel none of whose tags this interpreter supports."""
    return Refusal(
        code=OTHER_PLATFORM, filename=filename, sentence="built for another platform or Python than this interpreter"
    )


def other_python(filename: str, requires_python: str) -> Refusal:
    """Refuse a file whose ``Requires-Python`` leaves this interpreter out."""
    return Refusal(code=OTHER_PYTHON, filename=filename, sentence=f"requires Python {requires_python}")


def no_wheels(version: str) -> Refusal:
    """Refuse a release that has nothing but a source distribution."""
    return Refusal(code=NO_WHEELS, filename="", sentence=f"release {version} has no wheel, only source")


def summary(refusals: Iterable[Refusal]) -> list[Refusal]:
    """Return the refusals worth telling a person: those about the CPU, and others only where there are none."""
    everything = list(refusals)
    about_cpu = [refusal for refusal in everything if refusal.code in (NEEDS_FEATURES, NOT_INSPECTED)]
    return about_cpu or everything[:1]
