"""What lies in a selector: its files, its static metadata, the same bytes every time."""

from __future__ import annotations

import ast
import io
import json
import re
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from cpufit_pip_plugin.selector import (
    InvalidSelector,
    SelectorCandidate,
    SelectorContents,
    SourceCandidate,
    pack,
    selector_filename,
)
from cpufit_pip_plugin.selector.pkg_info import pkg_info
from cpufit_pip_plugin.selector.vendoring import FIRST_UNFIT_PACKAGING, check_packaging, quote_aliases
from cpufit_resolver import Need, parse_need

METADATA = """\
Metadata-Version: 2.1
Name: My.Project
Version: 1.0
Summary: Ünusual things
License: Permission is hereby granted
 to everybody
Classifier: Programming Language :: Python
Classifier: Typing :: Typed
Requires-Python: >=3.8
Requires-Dist: numpy >=1.20
Requires-Dist: extra-thing ; extra == 'more'
Provides-Extra: more
License-File: LICENSE
Dynamic: License-File
Description-Content-Type: text/markdown

Requires-Dist: not-a-field
""".encode()

NEED = parse_need("x86_64_v3", frozenset({"x86_64"}))


def candidate(build: str = "a", need: Need | None = NEED) -> SelectorCandidate:
    name = "my_project-1.0-cp39-abi3-manylinux_2_17_x86_64.whl"
    return SelectorCandidate(
        filename=name,
        url=f"https://index.example/files/{build * 64}/{name}",
        sha256=build * 64,
        size=10,
        need=need,
        metadata_sha256="c" * 64,
    )


CONTENTS = SelectorContents(
    project="My.Project",
    version="1.0",
    metadata=METADATA,
    candidates=(candidate("a"), candidate("b", parse_need("x86_64_v2", frozenset()))),
    api_url="https://index.example/",
)


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def content(data: bytes, path: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        stream = archive.extractfile(path)
        assert stream is not None
        return stream.read()


def test_the_file_name_is_normalised() -> None:
    assert selector_filename("My.Project", "1.0.0RC1") == "my_project-1.0.0rc1.tar.gz"


def test_the_same_contents_give_the_same_bytes_in_whatever_order_the_candidates_come() -> None:
    backwards = replace(CONTENTS, candidates=tuple(reversed(CONTENTS.candidates)))
    assert pack(CONTENTS) == pack(backwards)
    assert pack(CONTENTS) != pack(replace(CONTENTS, api_url="https://other.example"))


def test_nothing_in_the_archive_tells_of_the_machine_that_made_it() -> None:
    data = pack(CONTENTS)
    assert data[4:8] == bytes(4), "gzip's own time stamp"
    facts = {(each.mtime, each.uid, each.gid, each.mode, each.uname, each.isfile()) for each in members(data).values()}
    assert facts == {(0, 0, 0, 0o644, "", True)}
    assert list(members(data)) == sorted(members(data))


def test_the_archive_is_whole_records_in_one_gzip_member() -> None:
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    archive = reader.decompress(pack(CONTENTS))
    assert reader.eof
    assert reader.unused_data == b""
    assert len(archive) % tarfile.RECORDSIZE == 0
    assert archive.endswith(bytes(2 * tarfile.BLOCKSIZE))


def test_a_project_with_a_long_name_is_packed_as_well() -> None:
    name = "m" * 150
    wheels = tuple(replace(each, filename=each.filename.replace("my_project", name)) for each in CONTENTS.candidates)
    data = pack(replace(CONTENTS, project=name, candidates=wheels))
    assert f"{name}-1.0/_cpufit_selector/backend.py" in members(data)


def test_one_folder_holds_the_metadata_the_backend_and_all_that_it_imports() -> None:
    names = members(pack(CONTENTS)).keys()
    inside = "my_project-1.0/_cpufit_selector"
    assert {
        "my_project-1.0/PKG-INFO",
        "my_project-1.0/pyproject.toml",
        "my_project-1.0/candidates.json",
        f"{inside}/backend.py",
        f"{inside}/_vendor/cpufit_resolver/selection.py",
        f"{inside}/_vendor/cpufit_resolver/detection/probe.py",
        f"{inside}/_vendor/cpufit_resolver/data/levels.json",
        f"{inside}/_vendor/packaging/tags.py",
        f"{inside}/_vendor/packaging/_manylinux.py",
        f"{inside}/_vendor/packaging/LICENSE.APACHE",
    } <= names
    assert not [name for name in names if "__pycache__" in name or not name.startswith("my_project-1.0/")]


def test_the_travelling_modules_are_python_3_8() -> None:
    data = pack(CONTENTS)
    for name in (name for name in members(data) if name.endswith(".py")):
        ast.parse(content(data, name), filename=name, feature_version=(3, 8))


def test_only_the_long_description_and_what_is_not_static_is_left_out_of_pkg_info() -> None:
    assert pkg_info(METADATA, "My.Project", "1.0").decode() == (
        "Metadata-Version: 2.2\n"
        "Name: My.Project\n"
        "Version: 1.0\n"
        "Summary: Ünusual things\n"
        "Classifier: Programming Language :: Python\n"
        "Classifier: Typing :: Typed\n"
        "Requires-Python: >=3.8\n"
        "Requires-Dist: numpy >=1.20\n"
        "Requires-Dist: extra-thing ; extra == 'more'\n"
        "Provides-Extra: more\n"
    )


@pytest.mark.parametrize(("own", "written"), [("1.2", "2.2"), ("2.4", "2.4"), ("10.0", "10.0"), ("rubbish", "2.2")])
def test_the_metadata_version_is_2_2_at_least(own: str, written: str) -> None:
    text = pkg_info(f"Metadata-Version: {own}\nName: a\nVersion: 1\n".encode(), "a", "1").decode()
    assert text.startswith(f"Metadata-Version: {written}\n")


def test_a_candidate_travels_with_url_hash_size_and_need() -> None:
    source = SourceCandidate(
        filename="my_project-1.0.tar.gz", url="https://index.example/files/s", sha256="d" * 64, size=3
    )
    document = json.loads(content(pack(replace(CONTENTS, source=source)), "my_project-1.0/candidates.json"))
    assert document["api_url"] == "https://index.example"
    assert document["source"] == source.as_dict()
    first = document["candidates"][0]
    assert first["need"] == {"x86_64": {"import": "x86_64_v3", "use": "x86_64_v3"}}
    assert (first["sha256"], first["size"], first["need_source"]) == ("a" * 64, 10, "declared")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"candidates": ()}, "without candidates"),
        ({"api_url": "/relative"}, "absolute"),
        ({"api_url": "https://user:secret@index.example"}, "no credentials"),
        ({"candidates": (replace(candidate(), url="ftp://index.example/a.whl"),)}, "http or https"),
        ({"candidates": (replace(candidate(), sha256="A" * 64),)}, "SHA-256"),
        ({"candidates": (replace(candidate(), metadata_sha256=""),)}, "SHA-256"),
        ({"candidates": (replace(candidate(), size=0),)}, "0 bytes"),
        ({"candidates": (replace(candidate(), filename="other-1.0-py3-none-any.whl"),)}, "no wheel of My.Project"),
        ({"candidates": (replace(candidate(), filename="my_project-1.1-py3-none-any.whl"),)}, "no wheel of My.Project"),
        ({"candidates": (replace(candidate(), filename="../my_project-1.0-py3-none-any.whl"),)}, "not a file name"),
        ({"candidates": (replace(candidate(), need=None),)}, "unknown"),
    ],
)
def test_what_would_break_on_somebodys_machine_is_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidSelector, match=words) as caught:
        pack(replace(CONTENTS, **change))  # type: ignore[arg-type]  # one field of any type at a time
    assert "secret" not in str(caught.value)


def test_an_unknown_need_travels_where_the_project_lets_it_pass() -> None:
    data = pack(replace(CONTENTS, candidates=(candidate(need=None),), allow_unknown=True))
    document = json.loads(content(data, "my_project-1.0/candidates.json"))
    assert (document["allow_unknown"], document["candidates"][0]["need"]) == (True, None)


def test_type_aliases_are_quoted_and_nothing_else_is_touched() -> None:
    source = "Pair = tuple[\n    int,\n    int,\n]\nFIRST = [1][0]\nTABLE = names['a']\n\ndef f() -> Pair: ...\n"
    assert quote_aliases(source, ast.parse(source)) == (
        "Pair = 'tuple[int, int]'  # quoted by cpufit, for Python 3.8\n"
        "FIRST = [1][0]\nTABLE = names['a']\n\ndef f() -> Pair: ...\n"
    )


@pytest.mark.parametrize("version", ["26.4", "27.0"])
def test_a_packaging_that_does_not_run_on_python_3_8_makes_no_selector(version: str) -> None:
    with pytest.raises(InvalidSelector, match=re.escape(f"packaging {version} does not run on Python 3.8")) as caught:
        check_packaging(version)
    assert "pip install 'packaging<26.4'" in str(caught.value.hint)


def test_the_range_in_the_project_file_is_the_one_that_the_packer_takes() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    (specifier,) = (SpecifierSet(found) for found in re.findall(r'^    "packaging([^"]*)",$', text, re.MULTILINE))
    assert FIRST_UNFIT_PACKAGING not in specifier
    for version in ("24.2", "25.0", "26.3"):
        assert version in specifier
        check_packaging(version)
