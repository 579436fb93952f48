"""How long an upstream's page is good for without asking again (RFC 9111, sections 4.2 and 5.2.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping

_MAX_AGE = re.compile(r'(s-maxage|max-age)\s*=\s*"?(\d{1,10})"?')


def lifetime_of(headers: Mapping[str, str], *, usual: float, most: float) -> float:
    """Return for how many seconds a page is fresh.

    :param headers: of the answer, names in lower case
    :param usual: where the upstream says nothing of it
    :param most: the upper bound, whatever it says
    """
    told = headers.get("cache-control", "").lower()
    directives = {part.strip().partition("=")[0].strip() for part in told.split(",")}
    if directives & {"no-cache", "no-store"}:
        return 0.0
    ages = {match[1]: float(match[2]) for match in _MAX_AGE.finditer(told)}
    lifetime = ages.get("s-maxage", ages.get("max-age"))
    if lifetime is None:
        return min(usual, most)
    age = headers.get("age", "")
    return max(0.0, min(lifetime - (float(age) if age.isdecimal() and len(age) < 11 else 0.0), most))
