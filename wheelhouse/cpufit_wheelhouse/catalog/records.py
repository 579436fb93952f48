"""The values of projects and files: frozen, parsed when a row is read, so that nobody inside checks them again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Literal

from packaging.utils import NormalizedName, canonicalize_name

from cpufit_resolver.need import Need, is_ordinary
from cpufit_wheelhouse.errors import StoreError

UnknownPolicy = Literal["refuse", "allow"]
PlainPolicy = Literal["ordinary", "selector"]
FileKind = Literal["wheel", "sdist"]
DerivedKind = Literal["labelled", "variants-json", "selector"]
ProjectStatus = Literal["active", "archived", "quarantined", "deprecated"]
UpstreamPolicy = Literal["never", "merge"]
BelowVerdict = Literal["refuse", "raise"]
"""What becomes of a declared need or a label below the verdict."""

UNKNOWN_KEY = "unknown"
"""The need key of a wheel that nobody judged; no CPU level has this name."""


class CatalogChanged(StoreError):
    """The project changed between a decision and its change: read again and decide anew."""

    code = "catalog-changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A hosted project and its policy."""

    id: int
    name: NormalizedName
    display_name: str
    """The name as its first file, or whoever made the project, wrote it."""
    variants: bool
    """Whether two builds of one file name may live side by side."""
    unknown: UnknownPolicy
    """Whether wheels whose need is unknown are listed."""
    plain: PlainPolicy
    """Whether the plain view prefers ordinary wheels or the selector."""
    build_sdist: bool
    """Whether a selector may build the release's real source distribution when no wheel fits."""
    serial: int
    """Grows with every change that a page could show."""
    instead: str | None = None
    """The project, by its normal name, that has builds for CPUs which this one has nothing for."""
    status: ProjectStatus = "active"
    """Project status markers (PEP 792)."""
    status_reason: str | None = None
    upstream: UpstreamPolicy = "never"
    """Whether the upstream index is asked for this name too, and its other releases are listed beside those here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange:
    """What is to change of a project's policy; None leaves what there is. See :class:`Project`."""

    variants: bool | None = None
    unknown: UnknownPolicy | None = None
    plain: PlainPolicy | None = None
    build_sdist: bool | None = None
    upstream: UpstreamPolicy | None = None
    instead: str | None = None
    """Empty for no project."""

    def values(self) -> dict[str, object]:
        """Return what changes, by the names of :class:`Project`."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        changed = {name: value for name, value in given.items() if value is not None}
        return changed if self.instead is None else {**changed, "instead": canonicalize_name(self.instead) or None}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFile:
    """A file that was checked and judged, on its way into the catalog."""

    kind: FileKind
    version: str
    """The release, in normal form."""
    filename: str
    """The ordinary name: without a variant label."""
    need: Need | None
    """None while unknown."""
    sha256: str
    blake2: str
    """BLAKE2b of 32 bytes, as hexadecimal."""
    size: int
    """In bytes."""
    metadata_sha256: str
    """The blob with the bytes of METADATA or PKG-INFO."""
    requires_python: str | None
    dependencies_key: str
    """The same text for two files that depend on the same things."""
    tags: tuple[str, ...] = ()
    """Every single tag, sorted, as ``cp311-abi3-manylinux_2_17_x86_64``; none for a source distribution."""
    platforms: tuple[str, ...] = ()
    """Its platform tags in the order of the file name."""
    build: tuple[()] | tuple[int, str] = ()
    has_native: bool = False
    provenance: Mapping[str, object] = field(default_factory=dict)
    """Where the file came from, as whoever brought it told."""
    attestations_sha256: str | None = None
    """The blob with the provenance object of its attestations (PEP 740); None where there are none."""

    @property
    def need_key(self) -> str:
        """The text that stands for the need in the file's identity."""
        return UNKNOWN_KEY if self.need is None else self.need.key

    @property
    def need_source(self) -> str | None:
        """Where the need is known from; None while it is unknown."""
        return None if self.need is None else self.need.source

    @property
    def ordinary(self) -> bool:
        """Whether it runs on every CPU that its platform tags promise; an unknown one is never called so."""
        return self.need is not None and is_ordinary(self.need, self.platforms)

    @property
    def cpu_specific(self) -> bool:
        """Whether it is known to need more than its platform tags promise."""
        return self.need is not None and not is_ordinary(self.need, self.platforms)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile(NewFile):
    """An uploaded file as the catalog has it."""

    id: int
    project: NormalizedName
    uploaded_at: datetime
    """Aware, UTC."""
    yanked: str | None = None
    """Why it is yanked (PEP 592), which may be an empty text; None while it is not."""
    row: bytes = field(default=b"", compare=False, repr=False)
    """Tells the catalog's row that it was read from, as it was, from any other; empty where nobody asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDerived:
    """A file that cpufit made of others, on its way into the catalog; its blob is there before the row is committed."""

    version: str
    kind: DerivedKind
    filename: str
    sha256: str
    size: int
    """In bytes."""
    label: str | None = None
    """The variant label of a labelled wheel."""
    properties: Mapping[str, Mapping[str, list[str]]] | None = None
    """The variant properties of a labelled wheel, as its ``variant.json`` has them."""
    metadata_sha256: str | None = None
    """For a labelled wheel, the blob with its METADATA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFile(NewDerived):
    """A derived file as the catalog has it."""

    id: int
    project: NormalizedName
    file_id: int | None
    """The :class:`StoredFile` that a labelled wheel was made of.

    Two wheels of one name may round up to the same label; whoever shows them chooses by this.
    """
    created_at: datetime
    """Aware, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hiding:
    """An operator's word that a file is to stand in no view: who said it, when and why."""

    sha256: str
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
            "who": self.who,
            "why": self.why,
            "created_at": self.created_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A release whose selector keeps its bytes, whatever is added to the release later; or one that was, once."""

    version: str
    selector_sha256: str
    candidates: tuple[tuple[str, str], ...]
    """SHA-256 and need key of each wheel that the selector may choose."""
    who: str
    why: str
    created_at: datetime
    ended_who: str | None = None
    ended_why: str | None = None
    ended_at: datetime | None = None

    def holds(self, files: Iterable[StoredFile]) -> bool:
        """Tell whether what the selector says of its wheels is still true; one that is not is handed to nobody."""
        known = {(file.sha256, file.need_key) for file in files if file.version == self.version}
        return self.ended_at is None and known.issuperset(self.candidates)

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form, without the candidates."""
        ended = None
        if self.ended_at is not None:
            ended = {"who": self.ended_who, "why": self.ended_why, "at": self.ended_at.isoformat()}
        return {
            "version": self.version,
            "selector_sha256": self.selector_sha256,
            "who": self.who,
            "why": self.why,
            "at": self.created_at.isoformat(),
            "ended": ended,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSnapshot:
    """A project with its files and derived files at one instant, each in the order of arrival."""

    project: Project
    files: tuple[StoredFile, ...]
    """Hidden ones too: they keep their names and needs, and an upload is held against them."""
    derived: tuple[DerivedFile, ...]
    hidings: tuple[Hiding, ...] = ()
    """Those in force."""
    freezes: tuple[Freeze, ...] = ()
    """Those in force: at most one of each release."""
    bytes_elsewhere: int = 0
    """Bytes of the project's files that were left out of ``files``."""

    def frozen(self, version: str) -> Freeze | None:
        """Return the freeze by which a release's selector keeps its bytes; None where there is none, or none holds."""
        found = (freeze for freeze in self.freezes if freeze.version == version)
        return next((freeze for freeze in found if freeze.holds(self.files)), None)

    @property
    def hidden(self) -> tuple[StoredFile, ...]:
        """The files that stand in no view."""
        hashes = {hiding.sha256 for hiding in self.hidings}
        return tuple(file for file in self.files if file.sha256 in hashes)

    def shown(self) -> ProjectSnapshot:
        """Return the project as if the hidden files had never come: what every view is made of."""
        hashes = {hiding.sha256 for hiding in self.hidings}
        return replace(self, files=tuple(file for file in self.files if file.sha256 not in hashes))
