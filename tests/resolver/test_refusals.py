"""Refusals: the value and the sentence."""

from __future__ import annotations

from cpufit_resolver import CpufitError, Refusal, refusals


def test_refusal_names_the_missing_features_in_order() -> None:
    refusal = refusals.needs_features("a.whl", frozenset({"f16c", "avx"}), ("declared: avx f16c", "more"))
    assert refusal.missing == ("avx", "f16c")
    assert refusal.sentence == "needs avx, f16c, which this CPU does not have (declared: avx f16c)"
    assert refusal.as_dict() == {
        "code": "wheel-needs-cpu-features",
        "filename": "a.whl",
        "message": refusal.sentence,
        "missing_features": ["avx", "f16c"],
    }


def test_the_evidence_told_is_about_what_is_missing() -> None:
    found = ("needs avx avx2: a.so, vpaddd in f (spread)", "needs fma: b.so", "declared: x86_64_v4")
    assert refusals.needs_features("a.whl", frozenset({"fma"}), found).evidence == found[1]
    assert refusals.needs_features("a.whl", frozenset({"avx512f"}), found).evidence == found[2]
    assert refusals.needs_features("a.whl", frozenset({"movbe"}), found[:2]).evidence == found[0]
    assert refusals.needs_features("a.whl", frozenset({"avx"})).evidence == ""


def test_wheel_that_nobody_judged_is_called_not_inspected() -> None:
    assert refusals.not_inspected("a.whl").sentence.startswith("not inspected")


def test_summary_prefers_reasons_about_the_cpu() -> None:
    other, cpu = refusals.other_platform("a.whl"), refusals.needs_features("b.whl", frozenset({"avx"}))
    assert refusals.summary([other, cpu]) == [cpu]
    assert refusals.summary([other, refusals.no_wheels("1")]) == [other]
    assert refusals.summary([]) == []


def test_other_reasons_name_what_they_are_about() -> None:
    assert ">=3.12" in refusals.other_python("a.whl", ">=3.12").sentence
    assert refusals.no_wheels("1.0") == Refusal("release-has-no-wheels", "", "release 1.0 has no wheel, only source")


def test_error_is_one_line_for_people_and_four_fields_for_machines() -> None:
    error = CpufitError("it broke", where="line 3", hint="mend it", code="it-broke")
    assert str(error) == "line 3: it broke (mend it)"
    assert error.as_dict() == {"code": "it-broke", "message": "it broke", "where": "line 3", "hint": "mend it"}
    assert CpufitError("plain").as_dict() == {"code": "cpufit-error", "message": "plain"}
