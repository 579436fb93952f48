from __future__ import annotations

import base64

import pytest

from cpufit_server.auth import token_of
from cpufit_server.errors import AuthenticationRequired


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        basic("__token__:cpufit-x"),
        basic("__token__: cpufit-x\n"),
        "Bearer cpufit-x",
        "bearer  cpufit-x",
        "token cpufit-x",
    ],
)
def test_a_token_is_read_in_each_way_that_tools_send_it(header: str) -> None:
    assert token_of(header) == "cpufit-x"


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic ???",
        basic("somebody:cpufit-x"),
        basic("__token__:"),
        "Basic /w==",
        "Digest a",
        "Bearer " + "x" * 2000,
    ],
)
def test_without_a_readable_token_the_hint_says_what_to_send(header: str | None) -> None:
    with pytest.raises(AuthenticationRequired, match="__token__"):
        token_of(header)
