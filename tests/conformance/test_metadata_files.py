"""PEP 658 and 714: a wheel's METADATA beside the wheel."""

from __future__ import annotations

import hashlib
import io
import zipfile
from typing import Any

import pytest

from .index import Index
from .pages import HtmlPage, Listed
from .scores import must, should
from .seeding import Seeds

Json = dict[str, Any]


def wheel_metadata(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA") and name.count("/") == 1]
        return archive.read(name)


@pytest.fixture(scope="module")
def told_in_json(some_json_files: list[Listed]) -> list[Listed]:
    """The files that have metadata by the JSON page's own word."""
    told = [file for file in some_json_files if file.entry.get("core-metadata", file.entry.get("dist-info-metadata"))]
    if not told:
        pytest.skip("no file has a metadata file, which is optional")
    return told


@pytest.fixture(scope="module")
def told_in_html(html_page: HtmlPage) -> dict[str, dict[str, str | None]]:
    """The attributes of the links that tell of metadata."""
    told = {
        one.filename: one.attributes
        for one in html_page.anchors
        if one.attributes.keys() & {"data-core-metadata", "data-dist-info-metadata"}
    }
    if not told:
        pytest.skip("no link tells of a metadata file, which is optional")
    return told


@must("PEP 658/714", "PEP 658, Specification", "METADATA is served at the file's URL with .metadata")
def test_the_metadata_lies_beside_the_wheel(
    index: Index, told_in_html: dict[str, Any], html_page: HtmlPage, contents: dict[str, bytes]
) -> None:
    chosen = [name for name in contents if name in told_in_html and name.endswith(".whl")]
    if not chosen:
        pytest.skip("none of the wheels that were looked at has a metadata file")
    for name in chosen:
        anchor = html_page.anchor(name)
        assert anchor is not None
        answer = index.ask(anchor.url + ".metadata")
        assert (answer.status, answer.body) == (200, wheel_metadata(contents[name])), name


@should("PEP 658/714", "PEP 658, Specification", "the attribute's value is the metadata's hash")
def test_html_tells_the_metadatas_hash(told_in_html: dict[str, dict[str, str | None]]) -> None:
    values = {name: found.get("data-core-metadata", "") or "" for name, found in told_in_html.items()}
    assert [name for name, value in values.items() if "=" not in value] == []


@must("PEP 658/714", "PEP 658, Specification", "<hashname>=<hashvalue> is that of the metadata")
def test_the_hash_in_html_is_that_of_the_metadata(
    told_in_html: dict[str, dict[str, str | None]], contents: dict[str, bytes]
) -> None:
    checked = 0
    for name, data in contents.items():
        found, _, value = (told_in_html.get(name, {}).get("data-core-metadata") or "").partition("=")
        if value and name.endswith(".whl"):
            checked += 1
            assert hashlib.new(found, wheel_metadata(data)).hexdigest() == value, name
    if not checked:
        pytest.skip("no link tells the metadata's hash")


@must("PEP 658/714", "PEP 714, Servers", "the attribute's name is data-core-metadata")
def test_the_attribute_has_its_new_name(told_in_html: dict[str, dict[str, str | None]]) -> None:
    assert [name for name, found in told_in_html.items() if "data-core-metadata" not in found] == []


@must("PEP 658/714", "PEP 714, Servers", "the old attribute matches the new one")
def test_the_old_attribute_says_the_same(told_in_html: dict[str, dict[str, str | None]]) -> None:
    old = {name: found for name, found in told_in_html.items() if "data-dist-info-metadata" in found}
    if not old:
        pytest.skip("the old attribute is not there")
    for name, found in old.items():
        assert found["data-dist-info-metadata"] == found.get("data-core-metadata"), name


@must("PEP 658/714", "PEP 714, Servers", "the key's name in JSON is core-metadata")
def test_the_key_has_its_new_name(told_in_json: list[Listed]) -> None:
    assert [file.filename for file in told_in_json if "core-metadata" not in file.entry] == []


@must("PEP 658/714", "PEP 691, Project Detail", "core-metadata is a boolean or maps hash names to digests")
def test_the_key_is_a_boolean_or_hashes(some_json_files: list[Listed]) -> None:
    told = [file for file in some_json_files if "core-metadata" in file.entry]
    if not told:
        pytest.skip("no file tells whether it has metadata")
    for file in told:
        value = file.entry["core-metadata"]
        assert isinstance(value, bool | dict), file.filename
        if isinstance(value, dict):
            assert all(isinstance(one, str) for one in (*value, *value.values())), file.filename


@should("PEP 658/714", "PEP 691, Project Detail", "the metadata's hashes are made available")
def test_json_tells_the_metadatas_hash(told_in_json: list[Listed]) -> None:
    assert [one.filename for one in told_in_json if not isinstance(one.entry.get("core-metadata"), dict)] == []


@must("PEP 658/714", "PEP 691, Project Detail", "the digests are those of the metadata")
def test_the_hashes_in_json_are_those_of_the_metadata(told_in_json: list[Listed], contents: dict[str, bytes]) -> None:
    checked = 0
    for file in told_in_json:
        value = file.entry.get("core-metadata")
        if file.filename in contents and file.filename.endswith(".whl") and isinstance(value, dict):
            for name, digest in value.items():
                checked += 1
                assert hashlib.new(name, wheel_metadata(contents[file.filename])).hexdigest() == digest
    if not checked:
        pytest.skip("no file tells the metadata's hash")


@must("PEP 658/714", "PEP 691, Project Detail", "truthy: the metadata file is present; falsey: it is not")
def test_there_is_metadata_where_the_key_says_so(
    index: Index, some_json_files: list[Listed], sample: list[Listed]
) -> None:
    names = {file.filename for file in sample}
    told = [file for file in some_json_files if file.filename in names and "core-metadata" in file.entry]
    if not told:
        pytest.skip("no file tells whether it has metadata")
    for file in told:
        found = index.ask(file.url + ".metadata").status == 200
        assert found == bool(file.entry["core-metadata"]), file.filename


@must("PEP 658/714", "PEP 658, Specification", "the metadata is not modified: it is the uploaded file's")
def test_the_metadata_is_that_of_the_upload(index: Index, told_in_json: list[Listed], seeds: Seeds) -> None:
    uploaded = {one.filename: one.metadata for one in seeds.taken if one.kind == "bdist_wheel"}
    chosen = [file for file in told_in_json if file.filename in uploaded]
    if not chosen:
        pytest.skip("nothing was uploaded whose metadata could be compared")
    for file in chosen:
        assert index.ask(file.url + ".metadata").body == uploaded[file.filename]
