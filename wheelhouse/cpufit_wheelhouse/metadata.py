"""Core metadata: the facts of ``METADATA`` and ``PKG-INFO`` that an index and a selector work with.

Read as the core metadata specification says, through :mod:`packaging.metadata`. Fields nobody here uses may be
unknown or broken, as they are in many published wheels; the five that decide what is installed may not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from packaging.metadata import RawMetadata, parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from .errors import InvalidMetadata, MetadataMismatch

_NAME = re.compile(r"[A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?", re.IGNORECASE | re.ASCII)
_DECIDING = ("name", "version", "requires-dist", "requires-python", "provides-extra")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFacts:
    """What core metadata says, as far as it decides what is installed or shown."""

    metadata_version: str
    name: str
    """The project as its author writes it."""
    version: Version
    requires_python: str | None = None
    requires_dist: tuple[str, ...] = ()
    provides_extra: tuple[str, ...] = ()
    summary: str | None = None
    requirements: tuple[Requirement, ...] = field(default=(), compare=False, repr=False)
    """``requires_dist``, parsed."""
    raw: RawMetadata = field(default_factory=RawMetadata, compare=False, repr=False)
    """Every field as it was read, also those that decide nothing."""

    @property
    def normalized_name(self) -> NormalizedName:
        """The project as an index knows it."""
        return canonicalize_name(self.name)


def parse_metadata(data: bytes, *, where: str = "METADATA") -> MetadataFacts:
    """Return the facts of a ``METADATA`` or ``PKG-INFO`` file.

    :param where: what errors call the file
    :raises InvalidMetadata: name, version, requirements, Python requirement or extras are missing or cannot be read
    """
    raw, unread = parse_email(data)
    # parse_email puts what it cannot read aside, among it a field that may stand once and stands twice
    for deciding in _DECIDING:
        if deciding in unread:
            raise InvalidMetadata(f"the field {deciding!r} cannot be read, or stands twice", where=where)
    name = raw.get("name", "")
    if not _NAME.fullmatch(name):
        raise InvalidMetadata(f"{name!r} is not a project name", where=where)
    requires_python = raw.get("requires_python")
    requires_dist = tuple(raw.get("requires_dist", ()))
    provides_extra = tuple(raw.get("provides_extra", ()))
    _check_python(requires_python, where)
    requirements = tuple(_requirement(requirement, where) for requirement in requires_dist)
    for extra in provides_extra:
        if not _NAME.fullmatch(extra):
            raise InvalidMetadata(f"{extra!r} is not the name of an extra", where=where)
    return MetadataFacts(
        metadata_version=raw.get("metadata_version", ""),
        name=name,
        version=_version(raw.get("version", ""), where),
        requires_python=requires_python or None,
        requires_dist=requires_dist,
        provides_extra=provides_extra,
        summary=raw.get("summary"),
        requirements=requirements,
        raw=raw,
    )


def check_identity(facts: MetadataFacts, name: NormalizedName, version: Version, *, where: str = "METADATA") -> None:
    """Check that metadata speaks of this project and version, compared in their normal forms.

    :raises MetadataMismatch: it speaks of another
    """
    if facts.normalized_name != name:
        raise MetadataMismatch(f"Name is {facts.name!r}, the file name says {name!r}", where=where)
    if facts.version != version:
        raise MetadataMismatch(f"Version is {facts.version}, the file name says {version}", where=where)


def dependency_signature(facts: MetadataFacts) -> str:
    """Return a text that is the same for two files exactly when an installer would ask for the same things.

    Order, spelling of names and repetition do not count; requirements, extras and the Python requirement do.
    """
    signature = {
        "requires_dist": sorted({requirement_form(requirement) for requirement in facts.requirements}),
        "requires_python": specifier_form(SpecifierSet(facts.requires_python or "")),
        "provides_extra": sorted({canonicalize_name(extra) for extra in facts.provides_extra}),
    }
    return json.dumps(signature, sort_keys=True, separators=(",", ":"))


def requirement_form(requirement: Requirement) -> str:
    """Return a text that is the same for two spellings of one requirement."""
    extras = ",".join(sorted(canonicalize_name(extra) for extra in requirement.extras))
    return "|".join(
        (
            canonicalize_name(requirement.name),
            extras,
            specifier_form(requirement.specifier),
            requirement.url or "",
            str(requirement.marker or ""),
        )
    )


def specifier_form(specifiers: SpecifierSet) -> str:
    """Return a text that is the same for two orders of one set of specifiers."""
    return ",".join(sorted(str(specifier) for specifier in specifiers))


def _requirement(text: str, where: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement as error:
        raise InvalidMetadata(f"Requires-Dist {text!r} cannot be read", where=where) from error


def _check_python(text: str | None, where: str) -> None:
    try:
        SpecifierSet(text or "")
    except InvalidSpecifier as error:
        raise InvalidMetadata(f"Requires-Python {text!r} cannot be read", where=where) from error


def _version(text: str, where: str) -> Version:
    try:
        return Version(text)
    except (
        ValueError
    ) as error:  # InvalidVersion is one; another is raised for a number of more digits than Python reads
        raise InvalidMetadata(f"{text!r} is not a version", where=where) from error
