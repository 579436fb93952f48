"""The two addresses of a cpufit index: the plain one, and the one that names a CPU."""

from __future__ import annotations

from cpufit_pip_plugin.cpu_check.index import IndexAddress, InvalidIndexUrl, read_address
from cpufit_resolver import CpufitError, CpuProfile


def readable_address(url: str) -> IndexAddress:
    """Return the index behind a URL.

    :raises InvalidIndexUrl: it is not an absolute http or https URL, or holds blanks or control characters, which
        the reader of URLs would drop in silence
    """
    if any(not character.isprintable() or character.isspace() for character in url.strip()):
        raise InvalidIndexUrl(
            "the index URL holds a blank or a control character", hint="for example http://localhost:8000/simple/"
        )
    return read_address(url)


def plain_url(address: IndexAddress) -> str:
    """Return the address for whoever must not be bound to one CPU: lock files, other tools."""
    return f"{address.base}/simple/"


def profile_url(address: IndexAddress, token: str) -> str:
    """Return the address that names a CPU; one that named another is replaced, not nested."""
    return f"{address.base}/cpu/{token}/simple/"


def names_a_cpu(address: IndexAddress) -> bool:
    """Tell whether an address is a profile URL, and not that of somebody's folder ``/cpu/…/``."""
    if address.token is None:
        return False
    try:
        CpuProfile.parse(address.token, strict=False)
    except CpufitError:
        return False
    return True
