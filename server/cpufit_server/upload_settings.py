"""The settings of uploads: what one may bring, and the rules that it is held to.

``docs/reference/uploads.md`` tells each rule, and what is refused by it.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from cpufit_wheelhouse.admission.rules import AdmissionRules
from cpufit_wheelhouse.signatures import SigstoreVerifier

from .environment import FromEnvironment
from .errors import InvalidSetting


class UploadSettings(FromEnvironment):
    """What a person may decide about the uploads of one server; a part of its settings."""

    max_form_bytes: int = Field(
        default=16 * 1024**2, ge=1, description="All form fields of an upload but the file, in bytes."
    )
    max_attestations_bytes: int = Field(
        default=256 * 1024, ge=1, description="The longest attestations of one file (PEP 740), in bytes."
    )
    verify_attestations: bool = Field(
        default=False,
        description="Whether the signatures of attestations are verified, by Sigstore; needs cpufit[attestations].",
    )
    attestation_identities: str | None = Field(
        default=None,
        description="Patterns of verified signers that are taken, such as 'GitHub:acme/*', with commas between.",
    )
    attestation_trusted_root: Path | None = Field(
        default=None,
        description="Sigstore's keys that attestations are verified by, a trusted_root.json; without it the library's.",
    )
    uploads: bool = Field(default=True, description="Whether uploads are taken.")
    require_digest: bool = Field(default=False, description="Whether an upload has to announce a digest of its file.")
    descriptive_metadata: bool = Field(
        default=True,
        description="Whether an upload's metadata that people read is checked: summary, addresses, URLs, licences.",
    )
    exact_sdist_names: bool = Field(
        default=True,
        description="Whether an uploaded source distribution is called as PEP 625 says, unless its metadata is 1.x.",
    )
    exact_wheel_names: bool = Field(
        default=False, description="Whether an uploaded wheel's name begins with its project's name in normal form."
    )
    refuse_standard_library_names: bool = Field(
        default=True, description="Whether uploads may make no project that is called as a standard module."
    )
    allow_local_versions: bool = Field(default=True, description="Whether uploads may have a local version (1.0+cu12).")
    allow_direct_requirements: bool = Field(
        default=True, description="Whether uploads may require an address (name @ https://…)."
    )
    known_classifiers: bool = Field(
        default=False, description="Whether uploads may have known classifiers alone; needs cpufit[strict]."
    )
    rendering_descriptions: bool = Field(
        default=False, description="Whether an upload's description has to render; needs cpufit[strict]."
    )
    refuse_obfuscated: bool = Field(
        default=False,
        description="Whether uploads with code hidden by PyArmor or SourceDefender are refused.",
    )
    platform_tags: str | None = Field(
        default=None,
        description="Patterns of the platform tags that uploads may have, with commas between; without it all.",
    )
    release_open_days: int | None = Field(
        default=None, ge=0, description="Days after its first file in which a release takes further uploads."
    )
    max_project_bytes: int | None = Field(
        default=None, ge=1, description="What the files of one project may have together, in bytes."
    )
    new_projects_per_hour: int | None = Field(
        default=None, ge=0, description="The most projects that uploads may make within an hour, all together."
    )

    @field_validator("known_classifiers", "rendering_descriptions", "verify_attestations", mode="after")
    @classmethod
    def _installed(cls, value: bool, info: ValidationInfo) -> bool:
        # the renderer of Markdown is another package in older releases of readme-renderer
        needed = {
            "known_classifiers": (("trove_classifiers",),),
            "rendering_descriptions": (("readme_renderer",), ("comrak", "cmarkgfm")),
            "verify_attestations": (("pypi_attestations",), ("sigstore",)),
        }
        extra = "attestations" if info.field_name == "verify_attestations" else "strict"
        if value and not all(any(map(find_spec, one_of)) for one_of in needed[str(info.field_name)]):
            raise ValueError(f"it needs packages that are not installed: pip install 'cpufit[{extra}]'")
        return value

    @property
    def admission_rules(self) -> AdmissionRules:
        """What uploads are held to."""
        return AdmissionRules(
            descriptive_metadata=self.descriptive_metadata,
            exact_sdist_names=self.exact_sdist_names,
            exact_wheel_names=self.exact_wheel_names,
            refuse_standard_library_names=self.refuse_standard_library_names,
            allow_local_versions=self.allow_local_versions,
            allow_direct_requirements=self.allow_direct_requirements,
            known_classifiers=self.known_classifiers,
            rendering_descriptions=self.rendering_descriptions,
            refuse_obfuscated=self.refuse_obfuscated,
            platform_tags=_patterns(self.platform_tags),
            release_open_days=self.release_open_days,
            project_bytes=self.max_project_bytes,
            new_projects_per_hour=self.new_projects_per_hour,
        )


def signature_verifier(settings: UploadSettings) -> SigstoreVerifier | None:
    """Return what verifies the attestations of uploads; None where the settings do not ask for it.

    :raises InvalidSetting: the keys cannot be read, or nothing verifies the signers that are named
    """
    identities = _patterns(settings.attestation_identities)
    if not settings.verify_attestations:
        if identities:
            raise InvalidSetting(
                "signers are named, and no signature is verified",
                where="CPUFIT_ATTESTATION_IDENTITIES",
                hint="set CPUFIT_VERIFY_ATTESTATIONS=true as well",
            )
        return None
    try:
        return SigstoreVerifier.open(settings.attestation_trusted_root, identities)
    except (OSError, ValueError) as error:
        raise InvalidSetting(
            f"the keys that attestations are verified by cannot be read: {error}",
            where="CPUFIT_ATTESTATION_TRUSTED_ROOT",
            hint="set it to a trusted_root.json of Sigstore; without it, the user's cache folder has to be writable",
        ) from error


def _patterns(text: str | None) -> tuple[str, ...]:
    return tuple(pattern for part in (text or "").split(",") if (pattern := part.strip()))
