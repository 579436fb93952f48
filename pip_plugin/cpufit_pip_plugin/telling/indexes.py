"""Which index is meant: the one that somebody names, else the one that pip or uv is set up to use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cpufit_pip_plugin.cpu_check.index import IndexAddress, InvalidIndexUrl
from cpufit_pip_plugin.cpu_check.installers import pip_index, uv_default_index

from .addresses import readable_address

Files = Sequence[tuple[str, str]]
"""Places and texts of settings, as ``read_existing`` gives them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenIndex:
    """An index, and who named it."""

    address: IndexAddress
    where: str
    named: str = ""
    """uv's name for it with ``=``, which the user's ``UV_INDEX_<NAME>_PASSWORD`` belongs to; mostly empty."""
    explicit: bool = False
    """Somebody named it to cpufit, not to an installer."""


def index_of_pip(given: str | None, environ: Mapping[str, str], files: Files) -> ChosenIndex | None:
    """Return the index that pip asks; None where that is nobody's word, or no web address.

    :param given: what ``--index-url`` says
    :raises InvalidIndexUrl: what was named to cpufit is no index URL
    """
    explicit = _explicit(given, environ)
    if explicit is not None:
        return explicit
    where = "PIP_INDEX_URL" if environ.get("PIP_INDEX_URL") else "pip's settings"
    return _first([(where, pip_index(environ, files) or "")])


def index_of_uv(given: str | None, environ: Mapping[str, str], uv_files: Files, pip_files: Files) -> ChosenIndex | None:
    """Return the index that uv asks, or pip's where uv is told none.

    :raises InvalidIndexUrl: what was named to cpufit is no index URL
    """
    explicit = _explicit(given, environ)
    if explicit is not None:
        return explicit
    variables = ("UV_DEFAULT_INDEX", "UV_INDEX_URL")
    own = [(name, environ.get(name, "")) for name in variables] + [("uv's settings", uv_default_index(uv_files) or "")]
    if any(url for _, url in own):
        return _first(own)
    return index_of_pip(None, environ, pip_files)


def _explicit(given: str | None, environ: Mapping[str, str]) -> ChosenIndex | None:
    for where, url in (("--index-url", given), ("CPUFIT_INDEX", environ.get("CPUFIT_INDEX"))):
        if url:
            try:
                return ChosenIndex(address=readable_address(url), where=where, explicit=True)
            except InvalidIndexUrl as error:
                error.where = where
                raise
    return None


def _first(candidates: Iterable[tuple[str, str]]) -> ChosenIndex | None:
    for where, word in candidates:
        name, url = split_named(word)
        if not url:
            continue
        try:
            return ChosenIndex(address=readable_address(url), where=where, named=name)
        except InvalidIndexUrl:  # a folder, for one: the installer's own business
            return None
    return None


def split_named(word: str) -> tuple[str, str]:
    """Return uv's ``name=`` of an index, or nothing, and the URL: a query may hold ``=`` as well."""
    name, equals, url = word.strip().partition("=")
    return (f"{name}=", url) if equals and "://" not in name else ("", word.strip())
