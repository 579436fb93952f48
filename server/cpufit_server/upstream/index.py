"""Which index is the upstream, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from cpufit_server.environment import PREFIX
from cpufit_server.errors import InvalidSetting
from cpufit_server.settings import PIP_UPSTREAM
from cpufit_server.sources.errors import PipSettingsUnreadable
from cpufit_server.sources.pip_settings import read_pip_settings

if TYPE_CHECKING:
    from cpufit_server.settings import Settings

_WHERE = f"{PREFIX}UPSTREAM"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamIndex:
    """The index to pass names on to, and how it is reached."""

    url: str
    """Without a slash at its end; may hold a user name and a password: not for printing."""
    certificate: str | None = None
    """A file or folder of the authorities to trust; None for the usual ones."""
    proxy: str | None = None


def upstream_index(settings: Settings) -> UpstreamIndex | None:
    """Return the upstream index, or None where there is none.

    :raises InvalidSetting: pip does not tell which one it uses, it is this server itself, or wheels would be held for
        inspections that nobody makes
    """
    if settings.upstream is None:
        return None
    if settings.upstream_unknown == "hold" and not (settings.upstream_inspect and settings.inspect):
        raise InvalidSetting(
            "upstream wheels are held until they are inspected, and nothing inspects them",
            where=f"{PREFIX}UPSTREAM_UNKNOWN",
            hint="set CPUFIT_UPSTREAM_INSPECT=true, and leave CPUFIT_INSPECT on",
        )
    index = _index_of_pip() if settings.upstream == PIP_UPSTREAM else UpstreamIndex(url=settings.upstream)
    shown = without_userinfo(index.url)
    if f"{shown}/".startswith(f"{settings.base_url}/"):
        raise InvalidSetting(
            f"the upstream {shown} is this server itself",
            where=_WHERE,
            hint="name another index; 'pip' takes the one that pip is configured to use on this machine",
        )
    return index


def _index_of_pip() -> UpstreamIndex:
    try:
        told = read_pip_settings()
    except PipSettingsUnreadable as error:
        raise InvalidSetting(
            error.message, where=_WHERE, hint="give the address of the index instead of 'pip'"
        ) from error
    return UpstreamIndex(url=told.index_url.rstrip("/"), certificate=told.certificate, proxy=told.proxy)


def without_userinfo(url: str) -> str:
    """Return an address without the user name and password that may stand before its host."""
    if "@" not in url:  # as on most of the many addresses of a page
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
