"""Attestations for tests: whole in form, with a real certificate, signed by nobody."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

CERTIFICATE = (
    "MIIBHDCBw6ADAgECAgEBMAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDGNwdWZpdCB0ZXN0czAgFw0yNjAxMDEwMDAwMDBaGA8yMTI2"
    "MDEwMTAwMDAwMFowFzEVMBMGA1UEAwwMY3B1Zml0IHRlc3RzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwhGA1+NleSPvE2Nr"
    "tlvFKMKdRqu6IylBM7+2Yg7wylaLC+eAu8nYwpJDhf8qwY5FuR2wnCDXVcCnz3nfzXmSfTAKBggqhkjOPQQDAgNIADBFAiBLcZeO"
    "PrLBeKD/V853gYS58uwy2g304ZroJPvH5kHfBQIhAK3LZeKu8jp5YsggJrVJFrwFpf7pokDizVzCiFC0zh6I"
)
"""A certificate that these tests made, in base64 of DER; its key is thrown away."""


def statement(filename: str, data: bytes) -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": filename, "digest": {"sha256": hashlib.sha256(data).hexdigest()}}],
        "predicateType": "https://docs.pypi.org/attestations/publish/v1",
        "predicate": None,
    }


def attestation(filename: str, data: bytes, **changes: Any) -> dict[str, Any]:
    """Return an attestation; ``changes`` replace keys of its statement."""
    said = json.dumps({**statement(filename, data), **changes}).encode()
    return {
        "version": 1,
        "verification_material": {"certificate": CERTIFICATE, "transparency_entries": [{"logIndex": "1"}]},
        "envelope": {
            "statement": base64.b64encode(said).decode(),
            "signature": base64.b64encode(b"0" * 70).decode(),
        },
    }
