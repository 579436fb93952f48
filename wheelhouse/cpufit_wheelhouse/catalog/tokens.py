"""Tokens: made, checked, listed and revoked.

A secret is 32 random bytes, so its plain SHA-256 can be kept: nobody guesses the input, and no salt or slow hash is
needed, as they would be for a password. Finding the row by that hash leaks no timing about the secret.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from packaging.utils import canonicalize_name
from sqlalchemy import Engine, Row, bindparam, insert, select, update

from . import schema
from .bookkeeping import USUAL_SCOPES, TokenGrant, TokenScope
from .engine import for_writing

PREFIX = "cpufit-"
"""What every secret begins with, so that people and secret scanners know it when they see it."""

# made once: it is part of each request with a token
_VALID = select(schema.tokens).where(
    schema.tokens.c.secret_sha256 == bindparam("digest"), schema.tokens.c.revoked_at.is_(None)
)


class TokenTable:
    """The tokens of one catalog."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = for_writing(engine)

    def create(
        self,
        projects: tuple[str, ...] | None,
        description: str,
        *,
        scopes: frozenset[TokenScope] = USUAL_SCOPES,
        expires_at: datetime | None = None,
    ) -> str:
        """Make a token and return its secret, which nobody can be told again.

        :param projects: what it is for, in any spelling; None for every project
        :param scopes: what may be done with it there
        :param expires_at: when it ends by itself, as an aware date; None for never
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        names = None if projects is None else sorted({canonicalize_name(name) for name in projects})
        row = {
            "secret_sha256": _digest(secret),
            "projects": names,
            "description": description,
            "created_at": datetime.now(timezone.utc),
            "scopes": sorted(scopes),
            "expires_at": expires_at,
        }
        with self._writer.begin() as connection:
            connection.execute(insert(schema.tokens), row)
        return secret

    def check(self, secret: str) -> TokenGrant | None:
        """Return what a secret allows; None for an unknown or revoked one. Whether it has expired is in the grant."""
        with self._engine.begin() as connection:
            row = connection.execute(_VALID, {"digest": _digest(secret)}).one_or_none()
        return None if row is None else _grant(row)

    def all(self) -> tuple[TokenGrant, ...]:
        """Return every token, revoked ones too, oldest first."""
        with self._engine.begin() as connection:
            return tuple(map(_grant, connection.execute(select(schema.tokens).order_by(schema.tokens.c.id))))

    def note_uses(self, uses: Mapping[int, datetime]) -> None:
        """Write down when tokens were used last, in one transaction.

        :param uses: by the tokens' ids
        """
        tokens = schema.tokens
        with self._writer.begin() as connection:
            for token_id, at in uses.items():
                connection.execute(update(tokens).where(tokens.c.id == token_id).values(last_used_at=at))

    def revoke(self, token_id: int) -> bool:
        """End a token; False where there is none of this id that is valid still."""
        tokens = schema.tokens
        change = (
            update(tokens)
            .where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
            .values(revoked_at=datetime.now(timezone.utc))
        )
        with self._writer.begin() as connection:
            return connection.execute(change).rowcount == 1


def _digest(secret: str) -> str:
    # a header may carry lone surrogates; they must not become an error
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _grant(row: Row[Any]) -> TokenGrant:
    return TokenGrant(
        id=row.id,
        projects=None if row.projects is None else tuple(row.projects),
        description=row.description,
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        scopes=frozenset(row.scopes),
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
