from __future__ import annotations

import pytest

from cpufit_server.upstream.ranges import Part, Unsatisfiable, part_of


@pytest.mark.parametrize(
    ("header", "part"),
    [
        (None, None),
        ("bytes=0-9", Part(0, 10)),
        ("bytes=90-", Part(90, 100)),
        ("bytes=90-1000", Part(90, 100)),
        ("bytes=-10", Part(90, 100)),
        ("bytes=-1000", Part(0, 100)),
        ("bytes=-0", Unsatisfiable()),
        ("bytes=100-", Unsatisfiable()),
        ("bytes=9-3", None),
        ("bytes=0-1,5-6", None),
        ("items=0-1", None),
        ("bytes=-", None),
        ("bytes=0-" + "9" * 60, None),
    ],
)
def test_the_range_of_a_request(header: str | None, part: object) -> None:
    assert part_of(header, None, etag='"x"', size=100) == part
