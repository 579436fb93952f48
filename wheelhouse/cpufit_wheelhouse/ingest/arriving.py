"""From a file that was opened and judged to what the catalog keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cpufit_resolver.need import BASELINE_NEED, Need
from cpufit_wheelhouse.archive import WheelInfo
from cpufit_wheelhouse.blobs import StagedBlob
from cpufit_wheelhouse.catalog import NewFile
from cpufit_wheelhouse.catalog.records import FileKind
from cpufit_wheelhouse.filename import SdistFilename, WheelFilename
from cpufit_wheelhouse.metadata import MetadataFacts, dependency_signature
from cpufit_wheelhouse.sdist import SdistInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivingBytes:
    """What will be stored of one file, sealed."""

    file: StagedBlob
    metadata: StagedBlob
    attested: StagedBlob | None
    """The provenance object of its attestations; None where there are none."""

    @property
    def blobs(self) -> tuple[StagedBlob, ...]:
        """Everything that is moved into the store."""
        return (self.file, self.metadata) if self.attested is None else (self.file, self.metadata, self.attested)

    @property
    def attestations_sha256(self) -> str | None:
        """The digest of the provenance object."""
        return None if self.attested is None else self.attested.digests.sha256


def wheel_facts(
    info: WheelInfo, need: Need | None, arriving: ArrivingBytes, provenance: Mapping[str, object]
) -> NewFile:
    """Return what the catalog keeps of a wheel."""
    return replace(
        _facts("wheel", info.filename.ordinary(), info.metadata, arriving, provenance),
        need=need,
        tags=tuple(sorted(info.filename.tags)),
        platforms=info.filename.platforms,
        build=info.filename.build,
        has_native=bool(info.native),
    )


def sdist_facts(info: SdistInfo, arriving: ArrivingBytes, provenance: Mapping[str, object]) -> NewFile:
    """Return what the catalog keeps of a source distribution."""
    return _facts("sdist", info.filename, info.metadata, arriving, provenance)


def _facts(
    kind: FileKind,
    name: WheelFilename | SdistFilename,
    metadata: MetadataFacts,
    arriving: ArrivingBytes,
    provenance: Mapping[str, object],
) -> NewFile:
    return NewFile(
        kind=kind,
        version=str(name.version),
        filename=name.format(),
        need=BASELINE_NEED,
        sha256=arriving.file.digests.sha256,
        blake2=arriving.file.digests.blake2b,
        size=arriving.file.size,
        metadata_sha256=arriving.metadata.digests.sha256,
        requires_python=metadata.requires_python,
        dependencies_key=dependency_signature(metadata),
        provenance=provenance,
        attestations_sha256=arriving.attestations_sha256,
    )
