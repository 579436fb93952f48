"""What an index is told of a CPU that gets nothing."""

from __future__ import annotations

from cpufit_resolver import CpuProfile, parse_need
from cpufit_resolver.refusals import needs_features, not_inspected, other_platform
from cpufit_resolver.wanted import least_missing, report_body, told_cpu

PROFILE = CpuProfile.parse("x86_64_v2+aes+avx+rdrand+sha_ni")


def test_of_a_cpu_nothing_is_counted_that_no_build_could_use() -> None:
    assert told_cpu(PROFILE, frozenset({"aes"})) == "x86_64_v2+aes+avx"


def test_the_least_demanding_wheel_is_the_one_that_lacks_least() -> None:
    assert least_missing([("avx2", "fma"), ("f16c",), ("avx2",)]) == ("avx2",)
    assert least_missing([]) == ()


def test_a_report_has_what_the_least_demanding_wheel_lacks_and_what_the_wheels_ask_for() -> None:
    refusals = [
        other_platform("a.whl"),
        not_inspected("b.whl"),
        needs_features("c.whl", frozenset({"fma", "avx2"})),
        needs_features("d.whl", frozenset({"avx2"})),
    ]
    needs = [parse_need("x86_64_v3+aes", frozenset({"x86_64"}))]
    told = report_body("demo", "1.0", PROFILE, refusals, needs, best_tag="cp311-cp311-linux_x86_64", python="3.11.7")
    assert told == {
        "project": "demo",
        "version": "1.0",
        "cpu": "x86_64_v2+aes+avx",
        "missing": ["avx2"],
        "python": "3.11",
        "platform": "linux_x86_64",
    }
