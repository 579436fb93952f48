"""Who signed: from what a certificate claims to the publisher that a provenance object names.

Kinds are those that PEP 740's first index has: GitHub, GitLab, Google and CircleCI. The claims are the certificate
extensions that Sigstore's certificate authority documents ("Fulcio OID information"), by the last number of each.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

Publisher = Mapping[str, object]
"""A publisher as a provenance object has it: ``kind``, what tells one of a kind from another, and ``claims``."""

BY_TOKEN: Publisher = {"kind": "upload-token", "claims": None}
"""Whoever holds a token. No identity behind it was verified, or it is of no kind that has a name."""

_ROBOTS = ".gserviceaccount.com"
"""What the addresses of Google Cloud's service accounts end with; the same issuer speaks for people too."""

_PIPELINE = re.compile(
    r"https://circleci\.com/api/v2/projects/(?P<project>[0-9a-f-]+)/pipeline-definitions/(?P<pipeline>[0-9a-f-]+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateClaims:
    """What a signing certificate says of whoever signed; true only of a certificate that was verified."""

    issuer: str
    """Who vouched for the identity, as an address."""
    identity: str
    """The certificate's subject alternative name: an address of a workflow, or of mail."""
    signer: str | None = None
    """The build that signed, as an address (9)."""
    repository: str | None = None
    """The repository that was built (12)."""
    digest: str | None = None
    """Its commit (13)."""
    ref: str | None = None
    """Its branch or tag (14)."""
    config: str | None = None
    """The file that tells how it is built, as an address (18)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Whoever signed an attestation that was verified."""

    claims: CertificateClaims
    kind: str | None = None
    """None where the identity is of no kind that has a name."""
    told: Mapping[str, str | None] = field(default_factory=dict)
    """What tells one publisher of the kind from another."""

    @property
    def name(self) -> str:
        """The kind and what it tells, with colons between: ``GitHub:acme/tool:release.yml``."""
        if self.kind is None:
            return f"{self.claims.identity} (by {self.claims.issuer})"
        return ":".join([self.kind, *(value for key, value in self.told.items() if value and key not in _BESIDE)])

    @property
    def publisher(self) -> Publisher:
        """The publisher of a provenance object."""
        if self.kind is None:
            return BY_TOKEN
        known = {
            "issuer": self.claims.issuer,
            "identity": self.claims.identity,
            "source_repository_digest": self.claims.digest,
            "source_repository_ref": self.claims.ref,
        }
        return {"kind": self.kind, **self.told, "claims": {key: value for key, value in known.items() if value}}

    def is_one_of(self, patterns: Iterable[str]) -> bool:
        """Tell whether a pattern of names (``GitHub:acme/*``) is this one's; who has no kind is none of them."""
        return self.kind is not None and any(fnmatch.fnmatchcase(self.name, pattern) for pattern in patterns)


_BESIDE = frozenset({"environment", "vcs_origin", "vcs_ref"})
"""What is told of a publisher and does not belong to its name."""


def signer_of(claims: CertificateClaims) -> Signer:
    """Return who signed, by what a verified certificate claims."""
    read = _KINDS.get(claims.issuer)
    return Signer(claims=claims) if read is None else read(claims)


def _github(claims: CertificateClaims) -> Signer:
    repository = _below("https://github.com/", claims.repository)
    workflow = _built_by(claims, "/.github/workflows/")
    if repository is None or workflow is None:
        return Signer(claims=claims)
    # the certificate does not tell the environment
    told = {"repository": repository, "workflow": workflow, "environment": None}
    return Signer(claims=claims, kind="GitHub", told=told)


def _gitlab(claims: CertificateClaims) -> Signer:
    repository, path = _below("https://gitlab.com/", claims.repository), _built_by(claims, "//")
    if repository is None or path is None:
        return Signer(claims=claims)
    told = {"repository": repository, "workflow_filepath": path, "environment": None}
    return Signer(claims=claims, kind="GitLab", told=told)


def _google(claims: CertificateClaims) -> Signer:
    if not claims.identity.endswith(_ROBOTS):
        return Signer(claims=claims)
    return Signer(claims=claims, kind="Google", told={"email": claims.identity})


def _circleci(claims: CertificateClaims) -> Signer:
    found = _PIPELINE.fullmatch(claims.signer or "")
    if found is None:
        return Signer(claims=claims)
    told = {
        "project_id": found["project"],
        "pipeline_definition_id": found["pipeline"],
        "vcs_origin": claims.repository,
        "vcs_ref": claims.ref,
    }
    return Signer(claims=claims, kind="CircleCI", told=told)


_KINDS: Mapping[str, Callable[[CertificateClaims], Signer]] = {
    "https://token.actions.githubusercontent.com": _github,
    "https://gitlab.com": _gitlab,
    "https://accounts.google.com": _google,
    "https://oidc.circleci.com": _circleci,
}
"""By issuer; one that is self-hosted has another address, and a repository of the same name there is another one."""


def _below(top: str, address: str | None) -> str | None:
    return address.removeprefix(top) or None if address is not None and address.startswith(top) else None


def _built_by(claims: CertificateClaims, between: str) -> str | None:
    """Return the path of the file that told the build what to do: behind the repository, before ``@`` and the ref."""
    begin = f"{claims.repository}{between}"
    for at in (claims.ref, claims.digest):
        end = f"@{at}"
        if claims.config is not None and at and claims.config.startswith(begin) and claims.config.endswith(end):
            return claims.config[len(begin) : -len(end)] or None
    return None
