from __future__ import annotations

from pathlib import Path

from cpufit_resolver.need import parse_need
from cpufit_wheelhouse.catalog import Catalog, PolicyChange
from cpufit_wheelhouse.inspection.verdict import Verdict

NEED = parse_need("x86_64_v3", frozenset({"x86_64"}))
WHEEL = "a-1.0-cp311-cp311-manylinux_2_17_x86_64.whl"


def test_what_is_found_out_about_a_file_adds_up(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}") as catalog:
        table, sha256 = catalog.upstream, "ab" * 32
        table.record("a", WHEEL, sha256, metadata_sha256="cd" * 32)
        (found,) = table.files("a")
        assert (found.metadata_sha256, found.verdict, found.need) == ("cd" * 32, None, None)
        table.record("a", WHEEL, sha256, verdict=Verdict(need=NEED))
        (found,) = table.files("a")
        assert (found.metadata_sha256, found.need) == ("cd" * 32, NEED)
        assert catalog.inspections.verdict(sha256) is not None
        assert table.files("b") == ()


def test_an_operators_word_stands_above_the_verdict(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}") as catalog:
        catalog.upstream.record("a", WHEEL, "ab" * 32, verdict=Verdict(need=NEED))
        floor = parse_need("x86_64_v1", frozenset({"x86_64"}))
        catalog.inspections.set_override("ab" * 32, floor, who="mara", why="it asks the CPU")
        assert [file.need for file in catalog.upstream.files("a")] == [floor]
        catalog.inspections.end_override("ab" * 32)
        assert [file.need for file in catalog.upstream.files("a")] == [NEED]


def test_a_project_goes_upstream_only_where_it_is_told_to(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'c.sqlite3'}") as catalog:
        assert catalog.ensure_project("a").upstream == "never"
        assert catalog.set_policy("a", PolicyChange(upstream="merge")).upstream == "merge"
        assert catalog.set_policy("a", PolicyChange(variants=True)).upstream == "merge"
