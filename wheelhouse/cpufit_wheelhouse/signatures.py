"""Whether attestations were signed by whom their certificate names, and logged: Sigstore's verification.

Specification: "Index hosted attestations" (PEP 740), section "Attestation verification". The library that does it is
``pypi-attestations``, upon ``sigstore``; it is imported only where somebody asks for it. Nothing goes over the network:
certificates and log entries come with the attestation, and the keys that they are held to are there from the start.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .errors import AttestationNotVerified, InvalidAttestation
from .publishers import BY_TOKEN, CertificateClaims, Publisher, signer_of

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from sigstore.verify import Verifier

    from .attestations import Attestation

_log = logging.getLogger(__name__)

DSSE_TYPE = "application/vnd.in-toto+json"
"""What the signed payload says that it is."""

_OIDS = "1.3.6.1.4.1.57264.1"
"""Where the claims of Sigstore's certificates stand."""

_CLAIMS = {"signer": 9, "repository": 12, "digest": 13, "ref": 14, "config": 18}
_ISSUER = 8


class SignatureVerifier(Protocol):
    """Tells who signed an attestation."""

    def publisher(self, attestation: Attestation, where: str) -> Publisher:
        """Return the publisher that a provenance object names for it.

        :param where: what errors call the attestation
        :raises InvalidAttestation: it is not to be relied on, or not from somebody who is let in
        """
        ...


class NoSignatureVerifier:
    """Takes attestations as they come: no signature is looked at, and nobody is named."""

    def publisher(self, attestation: Attestation, where: str) -> Publisher:  # noqa: ARG002  # the port's arguments
        """Return whoever holds a token."""
        return BY_TOKEN


class SigstoreVerifier:
    """Verifies attestations by the keys of one Sigstore instance."""

    def __init__(self, verifier: Verifier, identities: tuple[str, ...] = ()) -> None:
        """Take the library's verifier.

        :param identities: patterns of the signers that are let in, as ``GitHub:acme/*``; none lets everybody in
        """
        self._verifier = verifier
        self._identities = identities

    @classmethod
    def open(cls, trusted_root: Path | None = None, identities: tuple[str, ...] = ()) -> SigstoreVerifier:
        """Read the keys.

        :param trusted_root: a file in Sigstore's form ``trustedroot+json``; None for the public instance, by what the
            library keeps of it in the user's cache folder, and at first by what comes with the library
        :raises ImportError: the library is not installed
        :raises OSError: the file cannot be read, or the cache not written
        :raises ValueError: the file is not of that form
        """
        from sigstore.errors import Error  # noqa: PLC0415  # an extra: needed only where a setting asks for it
        from sigstore.models import TrustedRoot  # noqa: PLC0415  # as above
        from sigstore.verify import Verifier  # noqa: PLC0415  # as above

        try:
            if trusted_root is None:
                return cls(Verifier.production(offline=True), identities)
            return cls(Verifier(trusted_root=TrustedRoot.from_file(str(trusted_root))), identities)
        except Error as error:
            raise ValueError(str(error)) from error

    def publisher(self, attestation: Attestation, where: str) -> Publisher:
        """Return who signed, after the certificate's chain, each log entry and the signature were verified.

        :raises AttestationNotVerified: one of them does not hold
        :raises InvalidAttestation: it was signed by somebody who is not let in
        """
        signer = signer_of(self._verified(attestation, where))
        if self._identities and not signer.is_one_of(self._identities):
            raise InvalidAttestation(
                f"it was signed by {signer.name[:500]!a}",
                where=where,
                hint=f"the setting CPUFIT_ATTESTATION_IDENTITIES names who may: {', '.join(self._identities)}",
                code="signer-not-allowed",
            )
        return signer.publisher

    def _verified(self, attestation: Attestation, where: str) -> CertificateClaims:
        from pypi_attestations import AttestationError  # noqa: PLC0415  # an extra, as above
        from sigstore.errors import Error  # noqa: PLC0415  # as above

        try:
            # the library looks at the first log entry alone; readers may look at another
            *_, claims = [self._verified_by(body) for body in _one_entry_each(attestation.body)]
        except (Error, AttestationError, ValueError) as error:
            raise _refused(str(error), where) from error
        except Exception as error:
            # what somebody sent may take the library where its authors never were; it fails closed
            _log.warning("an attestation could not be verified", exc_info=True)
            raise _refused(f"it cannot be read ({type(error).__name__})", where) from error
        return claims

    def _verified_by(self, body: Mapping[str, Any]) -> CertificateClaims:
        from pypi_attestations import Attestation as Signed  # noqa: PLC0415  # an extra, as above

        signed = Signed.model_validate_json(json.dumps(body))
        anybody = _Anybody()
        kind, payload = self._verifier.verify_dsse(signed.to_bundle(), anybody)
        if kind != DSSE_TYPE or payload != signed.envelope.statement:
            raise ValueError("what was signed is not the statement")
        return anybody.claims(signed.certificate_claims)


class _Anybody:
    """The policy of the library that takes every identity, and remembers it: who is let in is decided afterwards."""

    def __init__(self) -> None:
        self._identity = ""

    def verify(self, cert: Certificate) -> None:
        """Take the one name of a certificate."""
        from cryptography import x509  # noqa: PLC0415  # comes with the extra

        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        kinds = (x509.UniformResourceIdentifier, x509.RFC822Name)
        found = [str(name.value) for name in names if isinstance(name, kinds)]
        if len(found) != 1 or len(list(names)) != 1:
            raise ValueError("the certificate is not of one identity")
        self._identity = found[0]

    def claims(self, of_certificate: Mapping[str, str]) -> CertificateClaims:
        """Return what the certificate claims, by the numbers of its extensions."""
        issuer = of_certificate.get(f"{_OIDS}.{_ISSUER}")
        if not issuer:
            raise ValueError("the certificate names no issuer of its identity")
        told = {name: of_certificate.get(f"{_OIDS}.{number}") for name, number in _CLAIMS.items()}
        return CertificateClaims(issuer=issuer, identity=self._identity, **told)


def _one_entry_each(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    material = body["verification_material"]
    return [
        {**body, "verification_material": {**material, "transparency_entries": [entry]}}
        for entry in material["transparency_entries"]
    ]


def _refused(what: str, where: str) -> AttestationNotVerified:
    return AttestationNotVerified(f"it could not be verified: {what[:500]}", where=where)
