"""What was written of a file is kept, and is never what would not be written anew."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timezone

import pytest

from cpufit_resolver.need import parse_need
from cpufit_server.client import NOBODY, Asker, View, asker_of_token
from cpufit_server.upstream.known import Known
from cpufit_server.upstream.listing import Policy, listed, listed_as_json
from cpufit_wheelhouse.simple_page import PageFile, ProjectPage, render_json

LINUX = "cp311-cp311-manylinux_2_17_x86_64"
ROOTS = ("../../", "../../../../")


def file(number: int, filename: str, **entry: object) -> PageFile:
    whole = PageFile(
        filename=filename,
        url=f"https://files.example/{filename}",
        hashes={"sha256": f"{number:064x}"},
        requires_python=">=3.10",
        size=number,
        upload_time=datetime(2026, 11, 2, 10, 0, 0, number, tzinfo=timezone.utc),
    )
    return dataclasses.replace(whole, **entry)  # type: ignore[arg-type]


PAGE = ProjectPage(
    name="other",
    files=(
        file(1, f"other-1.0-{LINUX}.whl"),
        file(2, "other-1.0-py3-none-any.whl", core_metadata="ab" * 32, yanked='not "good"'),
        file(3, "other-1.0.tar.gz"),
        file(4, f"other-1.0-{LINUX}-x86_64_v3.whl"),
        file(5, "other 1.0+ä.zip", provenance="https://index.example/p"),
        file(6, "no-hash-1.0.tar.gz", hashes={}),
        file(7, "of/a/folder.zip"),
        file(8, f"other-2.0-{LINUX}.whl"),
    ),
    versions=("1.0", "2.0"),
)
NOTHING = Known(revision=0, metadata={}, needs={}, verdicts={})
SOMETHING = Known(
    revision=1,
    metadata={f"{1:064x}": "cd" * 32},
    needs={
        f"{8:064x}": parse_need("x86_64_v3", frozenset({"x86_64"})),
        f"{1:064x}": parse_need("x86_64_v1", frozenset({"x86_64"})),
    },
    verdicts={},
)
OFFLINE = Policy(hold_unknown=False, cached=lambda sha256: int(sha256, 16) < 4)
ASKERS = (NOBODY, Asker(view=View.VARIANT), asker_of_token("x86_64_v2", max_token_length=99))
POLICIES = (Policy(hold_unknown=False, cached=None), Policy(hold_unknown=True, cached=None), OFFLINE)


@pytest.mark.parametrize("root", ROOTS)
def test_a_page_of_kept_entries_is_the_page_that_is_written_anew(root: str) -> None:
    kept: list[str | None] = [None] * len(PAGE.files)
    pages = set()
    for known in (NOTHING, SOMETHING, NOTHING):
        for policy in POLICIES:
            for asker in ASKERS:
                page = listed_as_json(PAGE, known, asker, policy, root, kept)
                assert page == render_json(listed(PAGE, known, asker, policy, root))
                pages.add(page)
    assert len(pages) > 6, "the views differ"
    assert any(kept)


def test_what_was_found_out_is_on_the_next_page() -> None:
    kept: list[str | None] = [None] * len(PAGE.files)
    before, after = (
        json.loads(listed_as_json(PAGE, known, NOBODY, POLICIES[0], ROOTS[0], kept))["files"]
        for known in (NOTHING, SOMETHING)
    )
    assert [entry["filename"] for entry in after] == [entry["filename"] for entry in before][:-1], "2.0 needs AVX2"
    assert "core-metadata" not in before[0]
    assert after[0]["core-metadata"] == {"sha256": "cd" * 32}
    assert after[0]["_cpufit_need"]
    assert after[1:] == before[1:-1]
