"""Who may do what: the token in a request, and what it allows.

Tools send it as ``Basic`` with the user name ``__token__`` (pip, uv, twine), or as ``Bearer``. Only a token's hash is
stored, and the catalog compares it. No token at all is 401, with which pip and uv look for their credentials; a token
that does not do is 403, which no other credentials of theirs would change.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from cpufit_wheelhouse.storage_failures import logged

from .errors import AuthenticationRequired, NotAllowed, TokenExpired, TokenLacksScope

if TYPE_CHECKING:
    from collections.abc import Callable

    from cpufit_wheelhouse.catalog import Catalog, TokenGrant, TokenScope

_log = logging.getLogger(__name__)

TOKEN_USER = "__token__"  # noqa: S105  # the user name that stands for "the password is a token"

USES_WRITTEN_EVERY = 60.0
"""Seconds between two times that it is written down which tokens were used; a kill loses what came since."""

_HINT = "user __token__, password the token that 'cpufit-server token create --project NAME' printed"
_MAX_HEADER_LENGTH = 1024


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Tokens:
    """The tokens of one server, and which of them were used since that was last written; safe for many threads.

    A use is remembered in memory and written with all others later: no request waits for it.
    """

    def __init__(self, catalog: Catalog, *, now: Callable[[], datetime] = _now) -> None:
        self._catalog = catalog
        self._now = now
        self._lock = threading.Lock()
        self._used: dict[int, datetime] = {}

    def grant(self, authorization: str | None) -> TokenGrant:
        """Return what the token of a request allows.

        :param authorization: the value of the header
        :raises AuthenticationRequired: there is no token
        :raises NotAllowed: nobody issued it, or it was revoked
        :raises TokenExpired: its time is over
        """
        grant = self._catalog.check_token(token_of(authorization))
        if grant is None:
            raise NotAllowed("this token was never issued here, or was revoked", where="Authorization", hint=_HINT)
        now = self._now()
        if grant.expired(now):
            raise TokenExpired(f"this token ended on {grant.expires_at:%Y-%m-%d %H:%M} UTC", where="Authorization")
        with self._lock:
            self._used[grant.id] = now
        return grant

    def flush(self) -> None:
        """Write down which tokens were used; what cannot be written now waits for the next time."""
        with self._lock:
            taken, self._used = self._used, {}
        if not taken:
            return
        try:
            self._catalog.note_token_uses(taken)
        except SQLAlchemyError as error:
            _log.warning("the use of tokens is written later: %s", logged(error))
            with self._lock:
                self._used = taken | self._used

    async def keep_flushing(self, seconds: float = USES_WRITTEN_EVERY) -> None:
        """Write every so many seconds, until it is cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await run_in_threadpool(self.flush)


def token_of(authorization: str | None) -> str:
    """Return the token in an ``Authorization`` header.

    :raises AuthenticationRequired: there is none, or it is written in a way that nobody here reads
    """
    scheme, _, rest = (authorization or "").strip().partition(" ")
    if len(rest) > _MAX_HEADER_LENGTH:
        rest = ""
    token = ""
    if scheme.lower() in ("bearer", "token"):
        token = rest.strip()
    elif scheme.lower() == "basic":
        token = _password(rest)
    if not token:
        raise AuthenticationRequired("this needs a token", where="Authorization", hint=_HINT)
    return token


def require_scope(grant: TokenGrant, scope: TokenScope) -> None:
    """Make sure that a token is good for something, in whichever projects.

    :raises TokenLacksScope: it is not
    """
    if not grant.includes(scope):
        raise TokenLacksScope(
            f"this token is for {' and '.join(sorted(grant.scopes)) or 'nothing'}, this needs one for {scope}",
            where="Authorization",
            hint=f"cpufit-server token create --project NAME --scope {scope}",
        )


def require(grant: TokenGrant, project: str | None, scope: TokenScope) -> None:
    """Make sure that a token is good for something in a project.

    :param project: a normalised name; None for every project
    :raises TokenLacksScope: it is not for this, wherever
    :raises NotAllowed: it is for other projects
    """
    require_scope(grant, scope)
    if project is None and grant.projects is not None:
        raise NotAllowed(
            "this is for tokens of all projects",
            where="Authorization",
            hint=f"cpufit-server token create --all-projects --scope {scope}",
            code="token-not-for-project",
        )
    if project is not None and not grant.allows(project):
        raise NotAllowed(
            f"this token is not for the project {project[:80]}",
            where="Authorization",
            hint=f"cpufit-server token create --project {project[:80]} --scope {scope}",
            code="token-not-for-project",
        )


def _password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    user, _, password = text.partition(":")
    return password.strip() if user == TOKEN_USER else ""
