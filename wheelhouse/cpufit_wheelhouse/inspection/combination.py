"""From what was found in each library to one verdict on the wheel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cpufit_resolver.features import architecture
from cpufit_resolver.need import BASELINE_NEED, ArchNeed, Need
from cpufit_wheelhouse.filename import WheelFilename

from .facts import LibraryFacts
from .library import library_evidence
from .rules import closed, decided_features, loose_features
from .siblings import families, least_demanding, names_a_cpu
from .verdict import Confidence, Evidence, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class LibraryResult:
    """What became of one architecture's part of one library."""

    library: str
    arch: str
    kind: str = ""
    facts: LibraryFacts | None = None
    unreadable: str | None = None
    """Why it could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings:
    """The evidence on one architecture, and what became optional."""

    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...]


def verdict_of(name: WheelFilename, results: Sequence[LibraryResult], stated: Sequence[Evidence] = ()) -> Verdict:
    """Return the verdict on a wheel.

    :param results: every native library of it
    :param stated: what the wheel's own text says; it counts where there is machine code
    """
    if not results:
        return Verdict(need=BASELINE_NEED, confidence="high")
    promised = name.architectures()
    by_arch, notes, undetermined = _sorted_out(results, promised)
    if not undetermined:
        notes += [f"no library holds machine code for {arch}" for arch in sorted(promised - set(by_arch))]
    findings = {arch: _on_architecture(facts, stated) for arch, facts in sorted(by_arch.items())}
    evidence = tuple(one for found in findings.values() for one in found.evidence)
    notes += [note for found in findings.values() for note in found.notes]
    if undetermined:
        return Verdict(need=None, evidence=evidence, undetermined=tuple(undetermined), notes=tuple(notes))
    parts = {arch: _needed(arch, found.evidence) for arch, found in findings.items()}
    parts |= {arch: frozenset() for arch in promised - set(parts)}
    need = Need.of(
        {arch: ArchNeed(features, features) for arch, features in parts.items()},
        source="inspected",
        evidence=told_reasons(evidence),
    )
    return Verdict(need=need, evidence=evidence, notes=tuple(notes), confidence=_confidence(by_arch, parts, evidence))


def told_reasons(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """Return the sentences that go with a need: of the requirements those that bring a feature not yet told.

    The verdict keeps them all; a page of an index does not want seventy-seven libraries.
    """
    told: set[tuple[str, str]] = set()
    sentences = []
    for one in evidence:
        features = {(one.arch, feature) for feature in one.features}
        if one.weight == "requires" and not features <= told:
            told |= features
            sentences.append(one.text)
    return tuple(sentences)


def _sorted_out(
    results: Sequence[LibraryResult], promised: frozenset[str]
) -> tuple[dict[str, list[LibraryFacts]], list[str], list[str]]:
    """Return the facts by architecture, the notes, and what could not be determined."""
    by_arch: dict[str, list[LibraryFacts]] = defaultdict(list)
    notes: list[str] = []
    undetermined: list[str] = []
    for one in results:
        if one.unreadable is not None:
            undetermined.append(f"{one.library}: {one.unreadable}")
        elif one.facts is None:
            told = f"{one.library}: machine code for {one.arch}, which is not decoded"
            (undetermined if one.arch in promised else notes).append(told)
        elif promised and one.arch not in promised:
            notes.append(f"{one.library}: machine code for {one.arch}, of which the wheel's name says nothing")
        else:
            by_arch[one.arch].append(one.facts)
    return by_arch, notes, undetermined


def _needed(arch: str, evidence: Iterable[Evidence]) -> frozenset[str]:
    required = (frozenset(one.features) for one in evidence if one.weight == "requires" and one.arch == arch)
    return closed(arch, frozenset().union(*required))


def _on_architecture(libraries: Sequence[LibraryFacts], stated: Sequence[Evidence]) -> _Findings:
    arch = libraries[0].arch
    libraries = _without_dispatching_siblings(libraries)
    found = {facts.library: library_evidence(facts) for facts in libraries}
    needs = {library: _needed(arch, evidence) for library, evidence in found.items()}
    notes = []
    for family in families(found):
        kept = least_demanding(family, needs, arch)
        optional = [library for library in family.members if not needs[library] <= needs[kept]]
        for library in optional:
            found[library] = tuple(replace(one, weight="warns") for one in found[library])
        if optional:
            notes.append(f"{', '.join(optional)}: chosen by the CPU at run time, beside {kept}")
    for library in _kernels_by_name(libraries):
        if needs[library]:
            found[library] = tuple(replace(one, weight="warns") for one in found[library])
            notes.append(f"{library}: named for a CPU, in a wheel that asks what the CPU has")
    evidence = [one for library in sorted(found) for one in found[library]]
    evidence += [one for one in stated if one.arch == arch]
    evidence.sort(key=lambda one: ("requires", "suspects", "warns").index(one.weight))
    return _Findings(evidence=tuple(evidence), notes=tuple(notes))


def _kernels_by_name(libraries: Sequence[LibraryFacts]) -> list[str]:
    """Return libraries named for a CPU that ask nothing themselves, where another of the wheel asks by CPUID.

    pycryptodome's ``_raw_aesni.so`` is imported only where its ``_cpuid_c.so`` says so.
    """
    asking = [facts.library for facts in libraries if facts.asks_the_cpu]
    return [
        facts.library
        for facts in libraries
        if not facts.dispatchers and names_a_cpu(facts.library) and any(one != facts.library for one in asking)
    ]


def _without_dispatching_siblings(libraries: Sequence[LibraryFacts]) -> list[LibraryFacts]:
    """Mark libraries that may ask a sibling what the CPU has: those that take anything from a dispatching one."""
    asking = {facts.library: facts.exports for facts in libraries if facts.dispatchers}
    result = []
    for facts in libraries:
        teller = next(
            (library for library, exports in asking.items() if library != facts.library and facts.imports & exports),
            None,
        )
        if facts.dispatchers or teller is None:
            result.append(facts)
        else:
            result.append(replace(facts, dispatchers=(f"takes functions from {teller}, which asks the CPU",)))
    return result


def _confidence(
    by_arch: Mapping[str, Sequence[LibraryFacts]],
    parts: Mapping[str, frozenset[str]],
    evidence: Iterable[Evidence],
) -> Confidence:
    """High where nothing in the wheel exceeds its need; low where something beyond it may run as it is loaded."""
    if any(one.weight == "suspects" for one in evidence):
        return "low"
    beyond = any(
        (decided_features(facts) | loose_features(facts)) - parts[arch] - architecture(arch).floor
        for arch, libraries in by_arch.items()
        for facts in libraries
    )
    return "medium" if beyond else "high"
