"""What an operator may decide about uploads, and what an upload brings beside its bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cpufit_wheelhouse.attestations import Attestation


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRules:
    """The rules that uploads are held to; the settings of a server, which document each."""

    descriptive_metadata: bool = True
    """Whether the fields that people read are checked: summary, addresses, URLs, licences, classifiers."""
    exact_sdist_names: bool = True
    exact_wheel_names: bool = False
    refuse_standard_library_names: bool = True
    allow_local_versions: bool = True
    allow_direct_requirements: bool = True
    known_classifiers: bool = False
    """Needs the package ``trove-classifiers``."""
    rendering_descriptions: bool = False
    """Needs the package ``readme-renderer``."""
    refuse_obfuscated: bool = False
    """Whether code that was made unreadable is refused."""
    platform_tags: tuple[str, ...] = ()
    """Patterns, as ``manylinux_*``; none lets every tag in."""
    release_open_days: int | None = None
    project_bytes: int | None = None
    new_projects_per_hour: int | None = None
    """Of all uploaders together; two at the same instant may pass it by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What comes with a file: its sender's word, and the rules that it is held to."""

    project: str | None = None
    """The project that it is for; the file must be for it."""
    requires_python: str | None = None
    requires_dist: tuple[str, ...] = ()
    provides_extra: tuple[str, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    rules: AdmissionRules | None = None
    """None for a file that an operator brings: it is checked as an archive alone."""


UNSAID = Submission()
"""The submission of who says nothing."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that an uploader should know and that is no reason to refuse."""

    code: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"code": self.code, "message": self.message}
