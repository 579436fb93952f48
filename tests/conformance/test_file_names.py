"""PEP 427 and 625, as the packaging specifications have them now: names of files as an index serves them."""

from __future__ import annotations

import pytest
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion

from .index import normalised
from .pages import Listed
from .scores import must, should
from .seeding import Seeds


@pytest.fixture(scope="module")
def wheels(listed: list[Listed]) -> list[str]:
    """The names of the wheels on the page."""
    found = [file.filename for file in listed if file.filename.endswith(".whl")]
    if not found:
        pytest.skip("the project has no wheel")
    return found


@pytest.fixture(scope="module")
def sdists(listed: list[Listed]) -> list[str]:
    """The names of the source distributions on the page."""
    found = [file.filename for file in listed if file.filename.endswith(".tar.gz")]
    if not found:
        pytest.skip("the project has no source distribution in .tar.gz")
    return found


def is_wheel_name(name: str) -> bool:
    try:
        parse_wheel_filename(name)
    except (InvalidWheelFilename, InvalidVersion):
        return False
    return True


def is_sdist_name(name: str) -> bool:
    try:
        parse_sdist_filename(name)
    except (InvalidSdistFilename, InvalidVersion):
        return False
    return True


@must(
    "PEP 427/625", "Binary distribution format, File name convention", "{distribution}-{version}(-{build})?-{tags}.whl"
)
def test_wheels_have_the_names_of_wheels(wheels: list[str]) -> None:
    assert [name for name in wheels if not is_wheel_name(name)] == []


@must("PEP 427/625", "Binary distribution format, File name convention", "{distribution} is the project's name")
def test_wheels_are_named_after_their_project(wheels: list[str], seeds: Seeds) -> None:
    assert [name for name in wheels if normalised(name.partition("-")[0]) != normalised(seeds.project)] == []


@should("PEP 427/625", "Binary distribution format, Escaping", "the name is lower case with _ for -")
def test_names_in_wheels_are_normalised(wheels: list[str], seeds: Seeds) -> None:
    wanted = normalised(seeds.project).replace("-", "_")
    assert [name for name in wheels if name.partition("-")[0] != wanted] == []


@should("PEP 427/625", "Binary distribution format, Escaping", "version numbers are normalised")
def test_versions_in_wheels_are_normalised(wheels: list[str]) -> None:
    read = [(name, parse_wheel_filename(name)) for name in wheels if is_wheel_name(name)]
    assert [name for name, (_, version, _, _) in read if name.split("-")[1] != str(version)] == []


@must("PEP 427/625", "PEP 625", "{name}-{version}.tar.gz")
def test_source_distributions_have_their_names(sdists: list[str], seeds: Seeds) -> None:
    odd = [
        name for name in sdists if not is_sdist_name(name) or parse_sdist_filename(name)[0] != normalised(seeds.project)
    ]
    assert odd == []


@must("PEP 427/625", "PEP 625", "name and version are normalised")
def test_names_of_source_distributions_are_normalised(sdists: list[str], seeds: Seeds) -> None:
    name = normalised(seeds.project).replace("-", "_")
    read = [one for one in sdists if is_sdist_name(one)]
    assert [one for one in read if one != f"{name}-{parse_sdist_filename(one)[1]}.tar.gz"] == []


@must("PEP 427/625", "Source distribution format", "name and version match the metadata")
def test_what_was_uploaded_keeps_its_name(listed: list[Listed], seeds: Seeds) -> None:
    if not seeds.sent:
        pytest.skip("nothing is uploaded in this run")
    names = {file.filename for file in listed}
    assert {one.artifact.filename for one in seeds.sent} <= names
