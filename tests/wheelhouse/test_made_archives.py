"""Every good archive of the corpus passes and is the same for every kind of tool; every bad one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fuzz.feeding_uploads import SDIST, WHEEL, feed_tar, feed_zip
from tests.wheelhouse.made_archives import BAD, BAD_SDISTS, GOOD, GOOD_SDISTS

from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.errors import WheelError
from cpufit_wheelhouse.sdist import open_sdist


@pytest.mark.parametrize("name", GOOD)
def test_a_good_wheel_is_the_same_for_every_tool(name: str) -> None:
    assert feed_zip(GOOD[name]) == "wheel"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_wheel_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / WHEEL
    path.write_bytes(BAD[name])
    with pytest.raises(WheelError) as caught:
        open_wheel(path, WHEEL)
    assert caught.value.hint
    assert feed_zip(BAD[name]) != "wheel"


@pytest.mark.parametrize("name", GOOD_SDISTS)
def test_a_good_source_distribution_is_the_same_for_every_tool(name: str) -> None:
    assert feed_tar(GOOD_SDISTS[name]) == "passed"


@pytest.mark.parametrize("name", BAD_SDISTS)
def test_a_bad_source_distribution_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / SDIST
    path.write_bytes(BAD_SDISTS[name])
    with pytest.raises(WheelError) as caught:
        open_sdist(path, SDIST)
    assert caught.value.hint
