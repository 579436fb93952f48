"""The corpus of bad archives, sent to a server: each is refused with a code and a hint, and leaves nothing."""

from __future__ import annotations

from typing import Any

from tests.fuzz.feeding_uploads import SDIST, WHEEL
from tests.wheelhouse.made_archives import BAD, BAD_SDISTS, GOOD, GOOD_SDISTS


def test_no_bad_archive_gets_in_and_a_good_one_does(server: Any) -> None:
    uploads = [(WHEEL, name, data) for name, data in BAD.items()]
    uploads += [(SDIST, name, data) for name, data in BAD_SDISTS.items()]
    for filename, name, data in uploads:
        answer = server.upload((filename, data))
        assert answer.status_code in (400, 413), name
        assert answer.json()["code"] in (
            "not-a-wheel", "unsafe-member-path", "wheel-too-large", "dist-info-mismatch", "record-mismatch",
            "invalid-metadata",
        ), name  # fmt: skip
        assert answer.json()["hint"], name
    kept = [path for folder in ("blobs", "staging") for path in (server.settings.home / folder).rglob("*")]
    assert (server.home.catalog.projects(), [path for path in kept if path.is_file()]) == ((), [])
    assert server.upload((WHEEL, GOOD["descriptor"])).status_code == 200
    assert server.upload((SDIST, GOOD_SDISTS["sdist"])).status_code == 200
