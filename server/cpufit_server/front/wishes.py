"""From the headers of a request to what decides which page it gets.

The same headers come again and again, so what was read out of them is remembered, by the bytes as they came.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cpufit_server.client import NOBODY, Asker, asker_of_user_agent
from cpufit_server.errors import NotAcceptable
from cpufit_server.negotiation import Form, form_wanted

if TYPE_CHECKING:
    from cpufit_server.settings import Settings

_REMEMBERED = 4096
_LONGEST = 8192
"""Characters of headers that are remembered; what no installer sends must not fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wish:
    """What decides a page, besides its path; there is one object for each, so comparing them is comparing addresses."""

    form: Form
    asker: Asker
    """Who asks, as the User-Agent tells; nobody where the path alone counts."""


class Wishes:
    """Reads wishes out of headers; belongs to one thread."""

    def __init__(self, settings: Settings) -> None:
        """Take what bounds the reading."""
        self._settings = settings
        self._read: dict[Hashable, Wish | None] = {}
        self._known: dict[Hashable, Wish] = {}

    def of(self, accept: bytes | None, accept_encoding: bytes | None, user_agent: bytes | None) -> Wish | None:
        """Return a request's wish; None for one that nothing here can please.

        :param user_agent: None where it does not count
        """
        key = (accept, accept_encoding, user_agent)
        try:
            return self._read[key]
        except KeyError:
            pass
        if len(self._read) >= _REMEMBERED:
            # wishes stay the same objects; reading them again costs microseconds
            self._read.clear()
        wish = self._parsed(_text(accept), _text(accept_encoding), _text(user_agent))
        if sum(len(header) for header in key if header is not None) <= _LONGEST:
            self._read[key] = wish
        return wish

    def __len__(self) -> int:
        """Return how many combinations of headers are remembered."""
        return len(self._read)

    def _parsed(self, accept: str | None, accept_encoding: str | None, user_agent: str | None) -> Wish | None:
        try:
            form = form_wanted(accept, accept_encoding)
        except NotAcceptable:
            return None
        asker = NOBODY
        if user_agent is not None:
            limits = self._settings
            asker = asker_of_user_agent(
                user_agent, max_length=limits.max_user_agent_length, max_token_length=limits.max_token_length
            )
        key = (form, asker)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        return self._known.setdefault(key, Wish(form=form, asker=asker))


def _text(header: bytes | None) -> str | None:
    # as the framework reads headers
    return None if header is None else header.decode("latin-1")
