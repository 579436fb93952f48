"""Inspecting anew: needs follow the rules, and nobody's recorded word is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.wheelhouse.ingest_support import X86, put, wheel_bytes

from cpufit_resolver.need import Need, parse_need
from cpufit_wheelhouse.archive import WheelInfo
from cpufit_wheelhouse.catalog import PolicyChange, StoredFile
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.inspection.verdict import RULES_VERSION, Verdict
from cpufit_wheelhouse.reinspection import Reinspected, Reinspection


def found(text: str | None, rules: int = RULES_VERSION) -> Verdict:
    need = None if text is None else replace(parse_need(text, X86), source="inspected", evidence=(f"needs {text}",))
    return Verdict(need=need, rules_version=rules, undetermined=() if need else ("demo.so: cut off",))


@dataclass
class Reader:
    answer: Verdict

    def inspect(self, path: Path, info: WheelInfo) -> Verdict:
        assert path.is_file()
        assert info.native
        return self.answer


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as opened:
        yield opened


def again(home: Home, answer: Verdict, *, everything: bool = True) -> list[Reinspected]:
    use_case = Reinspection(catalog=home.catalog, blobs=home.blobs, inspector=Reader(answer))
    return [use_case.run(file) for file in tuple(use_case.outdated("demo", everything=everything))]


def stored(home: Home) -> StoredFile:
    (file,) = home.catalog.files("demo")
    return file


def test_a_wheel_from_before_inspection_gets_its_need_and_its_label(home: Home) -> None:
    put(home)
    assert stored(home).need is None
    (done,) = again(home, found("x86_64_v3"), everything=False)
    assert (done.outcome, done.before, stored(home).need_key) == ("changed", None, "x86_64_v3")
    assert [form.label for form in home.catalog.derived("demo")] == ["x86_64_v3"]
    assert home.blobs.exists(home.catalog.derived("demo")[0].sha256)
    assert again(home, found("x86_64_v2"), everything=False) == []


def test_new_rules_may_raise_and_lower_what_rested_on_old_ones(home: Home) -> None:
    put(home, verdict=found("x86_64_v2", rules=0))
    assert [done.outcome for done in again(home, found("x86_64_v3"), everything=False)] == ["changed"]
    assert stored(home).need_key == "x86_64_v3"
    assert [done.outcome for done in again(home, found("x86_64_v2"))] == ["changed"]
    assert stored(home).need_key == "x86_64_v2"
    assert [done.outcome for done in again(home, found("x86_64_v2"))] == ["unchanged"]


def test_a_declared_need_is_raised_to_a_verdict_and_never_lowered_by_one(home: Home) -> None:
    put(home, declared="x86_64_v2")
    again(home, found("x86_64_v1"))
    assert (stored(home).need_key, stored(home).need_source) == ("x86_64_v2", "declared")
    again(home, found("x86_64_v3"))
    assert stored(home).need_key == "x86_64_v3"
    again(home, found("x86_64_v1"))
    assert stored(home).need_key == "x86_64_v3"
    need = stored(home).need
    assert need is not None
    assert need.evidence.count("declared: x86_64_v2") == 1


def test_a_known_need_is_kept_where_the_new_verdict_is_undetermined(home: Home) -> None:
    put(home, verdict=found("x86_64_v3", rules=0))
    (done,) = again(home, found(None))
    assert (done.outcome, done.told, stored(home).need_key) == ("kept", "demo.so: cut off", "x86_64_v3")


def test_two_files_of_one_name_never_get_one_need(home: Home) -> None:
    put(home, wheel_bytes(content="one"), declared="x86_64_v2")
    put(home, wheel_bytes(content="two"), declared="x86_64_v3")
    outcomes = sorted(done.outcome for done in again(home, found("x86_64_v3")))
    assert outcomes == ["conflict", "unchanged"]
    assert sorted(file.need_key for file in home.catalog.files("demo")) == ["x86_64_v2", "x86_64_v3"]
    # the one that stays below its verdict is offered to nobody
    (hiding,) = home.catalog.hidings.of("demo")
    (below,) = (file for file in home.catalog.files("demo") if file.need_key == "x86_64_v2")
    assert (hiding.sha256, hiding.who) == (below.sha256, "cpufit-server reinspect")


def test_an_override_stands_above_the_verdict_until_it_ends(home: Home) -> None:
    put(home, verdict=found("x86_64_v3"))
    sha256 = stored(home).sha256
    home.catalog.inspections.set_override(sha256, parse_need("x86_64_v2", X86), who="ops", why="guarded in Python")
    (done,) = again(home, found("x86_64_v3"))
    need = stored(home).need
    assert (done.outcome, stored(home).need_key) == ("changed", "x86_64_v2")
    assert isinstance(need, Need)
    assert need.evidence == ("override by ops: guarded in Python",)
    assert put(home).status == "same"
    assert home.catalog.inspections.end_override(sha256)
    again(home, found("x86_64_v3"))
    assert stored(home).need_key == "x86_64_v3"
    assert home.catalog.inspections.overrides() == ()


def override(home: Home, need: str | None) -> Reinspected:
    """Record an override, or end the one in force, and apply what counts then."""
    file, table = stored(home), home.catalog.inspections
    if need is None:
        assert table.end_override(file.sha256)
    else:
        table.set_override(file.sha256, parse_need(need, X86), who="ops", why="guarded")
    use_case = Reinspection(catalog=home.catalog, blobs=home.blobs, inspector=Reader(found(None)))
    return use_case.apply(file, table.verdict(file.sha256))


def test_what_was_declared_counts_again_when_an_override_ends(home: Home) -> None:
    put(home, declared="x86_64_v3", verdict=found("x86_64_v2"))
    assert override(home, "x86_64_v1").file.need_key == "x86_64_v1"
    assert again(home, found("x86_64_v2"))[0].outcome == "unchanged"
    assert override(home, None).file.need_key == "x86_64_v3"
    need = stored(home).need
    assert need is not None
    assert "declared: x86_64_v3" in need.evidence
    assert not any(text.startswith("override") for text in need.evidence)


@pytest.mark.parametrize("verdict", [found(None), None])
def test_a_wheel_of_which_nobody_else_knows_is_unknown_again_when_its_override_ends(
    home: Home, verdict: Verdict | None
) -> None:
    put(home, verdict=verdict)
    assert override(home, "x86_64_v3").file.need_key == "x86_64_v3"
    assert [form.label for form in home.catalog.derived("demo")] == ["x86_64_v3"]
    assert override(home, None).outcome == "changed"
    assert stored(home).need is None
    assert home.catalog.derived("demo") == ()


def test_two_wheels_of_one_name_do_not_both_become_unknown(home: Home) -> None:
    home.catalog.ensure_project("demo", PolicyChange(variants=True))
    put(home)
    override(home, "x86_64_v3")
    second = put(home, wheel_bytes(content="two")).file
    assert second.need is None
    first = home.catalog.files("demo")[0]
    home.catalog.inspections.end_override(first.sha256)
    use_case = Reinspection(catalog=home.catalog, blobs=home.blobs, inspector=Reader(found(None)))
    assert use_case.apply(first, None).outcome == "conflict"


def test_a_wheel_without_machine_code_needs_nothing_again_when_its_override_ends(home: Home) -> None:
    put(home, wheel_bytes(native=False))
    override(home, "x86_64_v3")
    assert override(home, None).file.need_key == "any"


def test_an_override_that_says_what_is_known_anyway_is_on_record_with_the_file(home: Home) -> None:
    put(home, verdict=found("x86_64_v3"))
    assert override(home, "x86_64_v3").outcome == "changed"
    need = stored(home).need
    assert need is not None
    assert need.evidence == ("override by ops: guarded",)
    assert again(home, found("x86_64_v3"))[0].outcome == "unchanged"
    override(home, None)
    assert stored(home).need_source == "inspected"


def test_an_undetermined_verdict_is_tried_again_and_a_known_one_is_not(home: Home) -> None:
    put(home, verdict=found(None))
    assert again(home, found("x86_64_v3"), everything=False)[0].outcome == "changed"
    assert again(home, found("x86_64_v2"), everything=False) == []


def test_a_file_that_cannot_be_read_keeps_no_other_from_being_read(home: Home) -> None:
    put(home, wheel_bytes(content="one"), declared="x86_64_v2")
    put(home, wheel_bytes(content="two"), declared="x86_64_v3")
    home.blobs.path(home.catalog.files("demo")[0].sha256).unlink()
    assert [done.outcome for done in again(home, found("x86_64_v1"))] == ["failed", "unchanged"]
