from __future__ import annotations

import inspect
import re

import pytest

from cpufit_resolver.errors import CpufitError
from cpufit_wheelhouse import errors

CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, CpufitError) and found.__module__ == errors.__name__ and not found.__name__.startswith("_")
]


@pytest.mark.parametrize("found", CLASSES)
def test_every_error_has_a_code_of_its_own_and_says_what_to_do(found: type[CpufitError]) -> None:
    body = found("broken", where="there").as_dict()
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", body["code"])
    assert [other for other in CLASSES if other.code == body["code"]] == [found]
    assert len(body["hint"]) > 15
    assert found("broken", hint="do this").hint == "do this"
    assert found.__name__ in (errors.__doc__ or ""), "the tree in the module's docstring"
