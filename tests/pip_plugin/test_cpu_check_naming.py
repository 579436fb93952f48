from __future__ import annotations

from dataclasses import replace

from cpufit_pip_plugin.cpu_check.naming import brand_by_py_cpuinfo, named
from cpufit_resolver.detection import detect
from cpufit_resolver.detection.decide import EMULATOR, HiddenFeatures

NAMELESS = replace(detect(), brand=None, hidden=())


def test_py_cpuinfo_has_a_name_for_this_machine() -> None:
    assert brand_by_py_cpuinfo()


def test_it_is_asked_for_a_name_that_nothing_else_tells() -> None:
    assert named(NAMELESS, lambda: "Neoverse-N1").brand == "Neoverse-N1"


def test_it_is_not_asked_for_the_name_of_an_emulators_host() -> None:
    hidden = HiddenFeatures(by=EMULATOR, features=frozenset({"avx"}), sentence="it is emulated")
    assert named(replace(NAMELESS, hidden=(hidden,)), lambda: "the host").brand is None


def test_it_is_not_asked_where_the_name_is_known() -> None:
    assert named(replace(NAMELESS, brand="Known"), lambda: "other").brand == "Known"
