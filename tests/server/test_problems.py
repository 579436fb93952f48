from __future__ import annotations

import pytest

from cpufit_resolver.errors import CpufitError, UnknownCpuFeature
from cpufit_server.errors import MissingPublicUrl, NotAllowed, UpstreamFailed
from cpufit_server.problems import status_of
from cpufit_wheelhouse.errors import (
    CatalogBusy,
    DigestMismatch,
    FileExists,
    NotAWheel,
    StorageFailed,
    StorageFull,
    VariantsDisagree,
    VariantsNotEnabled,
    WheelTooLarge,
)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownCpuFeature, 400),
        (NotAWheel, 400),
        (WheelTooLarge, 413),
        (DigestMismatch, 400),
        (FileExists, 409),
        (VariantsNotEnabled, 409),
        (VariantsDisagree, 409),
        (NotAllowed, 403),
        (UpstreamFailed, 502),
        (CatalogBusy, 503),
        (StorageFailed, 503),
        (StorageFull, 507),
        (MissingPublicUrl, 500),
        (CpufitError, 500),
    ],
)
def test_an_error_has_the_status_of_its_nearest_class(error: type[CpufitError], status: int) -> None:
    assert status_of(error("what happened")) == status
