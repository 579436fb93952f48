"""The labelled side of a release: which labelled wheels the variant view lists, and the ``-variants.json`` beside them.

PEP 825, "Index-level metadata": the file lists exactly the labels that stand on the page; it is an ordinary file entry
with a hash, and it changes when a variant is added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cpufit_wheelhouse.offers import rank_anywhere
from cpufit_wheelhouse.variant import variants_json

from .derived import keep

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from cpufit_wheelhouse.catalog import DerivedFile, ProjectSnapshot, StoredFile
    from cpufit_wheelhouse.variant import Properties

    from .page_store import PageStore


def sidecars_of(home: PageStore, snapshot: ProjectSnapshot) -> tuple[DerivedFile, ...]:
    """Return what the variant view lists besides the plain one: labelled wheels, and one JSON file for each release.

    The JSON files are stored when this returns.
    """
    found: list[DerivedFile] = []
    for version, labelled_files in _by_version(snapshot).items():
        data = _variants_json(labelled_files)
        filename = f"{snapshot.project.name.replace('-', '_')}-{version}-variants.json"
        sidecar = keep(home, snapshot, data, kind="variants-json", version=version, filename=filename)
        found.extend((*labelled_files, sidecar))
    return tuple(found)


def variants_of(snapshot: ProjectSnapshot) -> dict[str, bytes]:
    """Return the bytes of each release's ``-variants.json``, by version; nothing is stored."""
    return {version: _variants_json(labelled) for version, labelled in _by_version(snapshot).items()}


def _by_version(snapshot: ProjectSnapshot) -> dict[str, list[DerivedFile]]:
    by_version: dict[str, list[DerivedFile]] = {}
    for labelled in listed_labelled(snapshot):
        by_version.setdefault(labelled.version, []).append(labelled)
    return by_version


def _variants_json(labelled: list[DerivedFile]) -> bytes:
    return variants_json({file.label: _properties(file) for file in labelled if file.label is not None})


def listed_labelled(snapshot: ProjectSnapshot) -> tuple[DerivedFile, ...]:
    """Return the labelled wheels that can stand side by side on one page.

    Needs are rounded up to a level, so two of them can end under one name, under one label with other properties, or
    under two labels that say the same of the same platform. The more demanding one stays; it is the one whose level
    is exact. One whose wheel is yanked gives way to one whose wheel is not (PEP 592).
    """
    files = {file.id: file for file in snapshot.files}
    pairs = [
        (derived, files[derived.file_id])
        for derived in snapshot.derived
        if derived.kind == "labelled" and derived.file_id in files and files[derived.file_id].cpu_specific
    ]

    def rank(pair: tuple[DerivedFile, StoredFile]) -> tuple[object, ...]:
        derived, source = pair
        return source.yanked is None, rank_anywhere(source.need), source.need_key, derived.filename

    pairs.sort(key=rank, reverse=True)
    taken: dict[Hashable, Hashable] = {}
    kept = []
    for derived, _ in pairs:
        properties = _comparable(_properties(derived))
        unlabelled = derived.filename.removesuffix(f"-{derived.label}.whl")
        claims: dict[Hashable, Hashable] = {
            ("name", derived.filename): derived.sha256,
            ("label", derived.version, derived.label): properties,
            ("meaning", unlabelled, properties): derived.label,
        }
        if all(taken.get(claim, value) == value for claim, value in claims.items()):
            taken.update(claims)
            kept.append(derived)
    return tuple(kept)


def _properties(derived: DerivedFile) -> Properties:
    return {
        namespace: {feature: list(values) for feature, values in features.items()}
        for namespace, features in (derived.properties or {}).items()
    }


def _comparable(properties: Properties) -> Hashable:
    def pairs(features: dict[str, list[str]]) -> Iterable[Hashable]:
        return ((feature, tuple(values)) for feature, values in sorted(features.items()))

    return tuple((namespace, tuple(pairs(features))) for namespace, features in sorted(properties.items()))
