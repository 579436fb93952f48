"""PEP 691 and 700: the pages in JSON."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from .conftest import Pages
from .index import Index, normalised
from .pages import HtmlPage, Listed, files_in_html
from .scores import must, should
from .seeding import Seeds

Json = dict[str, Any]
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def entries(page: Json) -> list[Json]:
    files = page.get("files")
    assert isinstance(files, list), "files is no list"
    assert files, "no file is listed"
    assert all(isinstance(entry, dict) for entry in files)
    return files


def api_version(page: Json) -> tuple[int, int]:
    told = page["meta"]["api-version"]
    found = re.fullmatch(r"(\d+)\.(\d+)", told) if isinstance(told, str) else None
    assert found, f"api-version is {told!r}"
    return int(found[1]), int(found[2])


def version_of(filename: str) -> str | None:
    try:
        if filename.endswith(".whl"):
            return str(parse_wheel_filename(filename)[1])
        return str(parse_sdist_filename(filename)[1])
    except (InvalidWheelFilename, InvalidSdistFilename):
        return None


@must("PEP 691", "JSON Serialization", "responses are always a JSON object")
def test_pages_are_objects(json_root: Json, json_page: Json) -> None:
    assert json_root
    assert json_page


@must("PEP 691", "JSON Serialization", "a meta key with api-version, Major.Minor")
def test_pages_say_their_version(json_root: Json, json_page: Json) -> None:
    assert api_version(json_root)[0] == 1
    assert api_version(json_page)[0] == 1


@must("PEP 691", "Project List", "projects: an array of dictionaries with a name")
def test_the_list_of_projects_has_names(json_root: Json, seeds: Seeds) -> None:
    names = [project["name"] for project in json_root["projects"]]
    assert all(isinstance(name, str) and name for name in names)
    assert [normalised(name) for name in names].count(normalised(seeds.project)) == 1


@must("PEP 691", "Project Detail", "name: the normalized name of the project")
def test_a_page_has_the_normalised_name(json_page: Json, seeds: Seeds) -> None:
    assert json_page["name"] == normalised(seeds.project)


@must("PEP 691", "Project Detail", "files: a list of dictionaries")
def test_a_page_lists_each_file_once(json_page: Json, seeds: Seeds) -> None:
    names = [entry["filename"] for entry in entries(json_page)]
    assert len(names) == len(set(names)), "a file is listed twice"
    assert {artifact.filename for artifact in seeds.taken} <= set(names)


@must("PEP 691", "Project Detail", "each file has filename, url and hashes")
def test_a_file_has_name_address_and_hashes(json_page: Json) -> None:
    for entry in entries(json_page):
        assert isinstance(entry["filename"], str)
        assert isinstance(entry["url"], str)
        assert isinstance(entry["hashes"], dict), "hashes MUST be present, even if empty"


@must("PEP 691", "JSON Serialization", "URLs, absolute or relative, point to the right place")
def test_an_address_leads_to_the_file(
    index: Index, json_files: list[Listed], sample: list[Listed], seeds: Seeds, contents: dict[str, bytes]
) -> None:
    uploaded = {artifact.filename: artifact.data for artifact in seeds.taken}
    wanted = {file.filename for file in sample}
    for file in json_files:
        if file.filename in wanted:
            answer = index.ask(file.url)
            assert (answer.status, answer.body) == (200, uploaded.get(file.filename, contents[file.filename]))


@must("PEP 691", "Project Detail", "hashes map to hex encoded digests of the file")
def test_the_hashes_are_those_of_the_file(json_files: list[Listed], contents: dict[str, bytes]) -> None:
    checked = 0
    for file in json_files:
        for name, value in file.hashes.items() if file.filename in contents else ():
            if name in hashlib.algorithms_guaranteed and not name.startswith("shake"):
                checked += 1
                assert hashlib.new(name, contents[file.filename]).hexdigest() == value, (file.filename, name)
    if not checked:
        pytest.skip("no file has a hash")


@should("PEP 691", "Project Detail", "hash names are normalized to lowercase")
def test_names_of_hashes_are_lower_case(json_page: Json) -> None:
    names = {name for entry in entries(json_page) for name in entry["hashes"]}
    assert {name for name in names if name != name.lower()} == set()


@should("PEP 691", "Project Detail", "at least one secure algorithm is included")
def test_every_file_has_a_secure_hash(json_page: Json) -> None:
    secure = hashlib.algorithms_guaranteed - {"md5", "sha1"}
    assert [entry["filename"] for entry in entries(json_page) if not secure & set(entry["hashes"])] == []


@must("PEP 691", "Project Detail", "requires-python exposes Requires-Python")
def test_requires_python_is_that_of_the_metadata(some_json_page: Json, seeds: Seeds) -> None:
    found = {entry["filename"]: entry.get("requires-python") for entry in entries(some_json_page)}
    if not any(found.values()):
        pytest.skip("no file says which Python it requires")
    if not seeds.taken:
        assert all(isinstance(told, str) for told in found.values() if told is not None)
    for artifact in seeds.taken:
        told = (found[artifact.filename] or "").replace(" ", "")
        assert told == (artifact.requires_python or "").replace(" ", ""), artifact.filename


@must("PEP 691", "Project Detail", "gpg-sig acts as a boolean")
def test_gpg_sig_is_a_boolean(some_json_page: Json) -> None:
    told = [entry["gpg-sig"] for entry in entries(some_json_page) if "gpg-sig" in entry]
    if not told:
        pytest.skip("no file tells of a signature")
    assert all(isinstance(value, bool) for value in told)


@must("PEP 691", "JSON Serialization", "what is not HTML specific in PEP 503 still applies")
def test_both_formats_list_the_same_files(json_files: list[Listed], html_page: HtmlPage) -> None:
    in_html = {file.filename: file.hashes for file in files_in_html(html_page)}
    assert set(in_html) == {file.filename for file in json_files}
    for file in json_files:
        common = set(file.hashes) & set(in_html[file.filename])
        assert {name: file.hashes[name] for name in common} == {name: in_html[file.filename][name] for name in common}


@should("PEP 691", "Versioning", "versions of all serializations are kept in sync")
def test_both_formats_are_of_one_version(json_page: Json, html_page: HtmlPage) -> None:
    # PEP 833 keeps HTML at 1.4
    told = min(api_version(json_page), (1, 4))
    assert html_page.repository_version == f"{told[0]}.{told[1]}"


@must("PEP 700", "Specification", "api-version is 1.1 or later")
def test_the_version_is_at_least_1_1(json_page: Json) -> None:
    assert api_version(json_page) >= (1, 1)


@must("PEP 700", "New top-level key", "versions: a list of version strings without duplicates")
def test_a_page_lists_the_versions(json_page: Json, seeds: Seeds) -> None:
    versions = json_page["versions"]
    assert all(isinstance(version, str) for version in versions)
    assert len(versions) == len(set(versions))
    assert {Version(artifact.version) for artifact in seeds.taken} <= {Version(version) for version in versions}


@must("PEP 700", "New top-level key", "each file belongs to one of the versions")
def test_every_file_is_of_a_listed_version(json_page: Json) -> None:
    versions = {str(Version(version)) for version in json_page["versions"] if _is_version(version)}
    named = {entry["filename"]: version_of(entry["filename"]) for entry in entries(json_page)}
    assert [name for name, version in named.items() if version is not None and version not in versions] == []


@should("PEP 700", "New top-level key", "versions are normalised where possible")
def test_versions_are_normalised(json_page: Json) -> None:
    assert [one for one in json_page["versions"] if _is_version(one) and str(Version(one)) != one] == []


@must("PEP 700", "New file information", "size is the file's size in bytes, an integer")
def test_every_file_has_its_size(json_page: Json, contents: dict[str, bytes]) -> None:
    for entry in entries(json_page):
        assert type(entry["size"]) is int, entry["filename"]
        if entry["filename"] in contents:
            assert entry["size"] == len(contents[entry["filename"]])


@must("PEP 700", "New file information", "upload-time is yyyy-mm-ddThh:mm:ss.ffffffZ")
def test_upload_times_are_in_utc(some_json_page: Json) -> None:
    told = [entry["upload-time"] for entry in entries(some_json_page) if "upload-time" in entry]
    if not told:
        pytest.skip("no file says when it was uploaded")
    assert [time for time in told if not isinstance(time, str) or not _TIME.fullmatch(time)] == []


@must("PEP 691", "Content-Types", "JSON is application/vnd.pypi.simple.v1+json")
def test_json_pages_have_the_exact_type(root_pages: Pages, project_pages: Pages) -> None:
    for answer in (root_pages.json_answer, project_pages.json_answer):
        assert answer.media_type == "application/vnd.pypi.simple.v1+json"


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True
