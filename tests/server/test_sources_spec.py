from __future__ import annotations

from pathlib import Path

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from cpufit_server.sources.errors import SourceError, UnreadableSpec, UrlWithoutHash
from cpufit_server.sources.spec import Folder, HashedUrl, LinksPage, LocalFile, NamedRelease, parse_spec

HEX = "0f" * 32


@pytest.mark.parametrize("text", ["polars_lts.CPU==1.33.1", " polars-lts-cpu == 1.33.1 "])
def test_a_release_is_a_normalised_name_and_a_version(text: str) -> None:
    assert parse_spec(text) == NamedRelease(name=canonicalize_name("polars-lts-cpu"), version=Version("1.33.1"))


def test_two_writings_of_one_version_are_one() -> None:
    assert parse_spec("a==1.0.0RC1") == parse_spec("A==1.0.0.rc1")


def test_a_url_of_a_wheel_brings_its_hash() -> None:
    assert parse_spec(f"https://h/a/x-1-py3-none-any.whl#sha256={HEX.upper()}") == HashedUrl(
        url="https://h/a/x-1-py3-none-any.whl", hashes=(("sha256", HEX),)
    )


@pytest.mark.parametrize("fragment", ["", "#egg=x", "#sha256=", "#sha256=xyz", "#crc32=00ff"])
def test_a_url_of_a_wheel_without_a_hash_that_can_be_checked_is_refused(fragment: str) -> None:
    with pytest.raises(UrlWithoutHash) as caught:
        parse_spec(f"http://h/x-1.tar.gz{fragment}")
    assert "#sha256=HEX" in str(caught.value.hint)


def test_any_other_url_is_a_page_of_links() -> None:
    assert parse_spec("https://h/wheels/cpu.html#top") == LinksPage(url="https://h/wheels/cpu.html")


def test_a_path_is_a_folder_or_a_file(tmp_path: Path) -> None:
    wheel = tmp_path / "x-1-py3-none-any.whl"
    wheel.touch()
    assert parse_spec(str(tmp_path)) == Folder(path=tmp_path)
    assert parse_spec(str(wheel)) == LocalFile(path=wheel)
    assert parse_spec(wheel.as_uri()) == LocalFile(path=wheel)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("polars", "neither a release nor a file"),
        ("polars>=1", "neither a release nor a file"),
        ("polars==", "neither a release nor a file"),
        ("polars[gpu]==1", "neither a release nor a file"),
        ("polars==not.a", "not a version"),
        ("polars==1.*", "not a version"),
    ],
)
def test_what_has_none_of_the_forms_is_refused(text: str, message: str) -> None:
    with pytest.raises(UnreadableSpec, match=message):
        parse_spec(text)


def test_a_file_that_is_no_package_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match=r"notes\.txt is neither a wheel nor an sdist"):
        parse_spec(str(tmp_path / "notes.txt"))
