"""Who may upload: the token in a request, and what it allows.

Tools send it as ``Basic`` with the user name ``__token__`` (twine, uv publish), or as ``Bearer``. Only a token's hash
is stored, and the catalog compares it.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from .errors import AuthenticationRequired, NotAllowed

if TYPE_CHECKING:
    from cpufit_wheelhouse.catalog import Catalog, TokenGrant

TOKEN_USER = "__token__"  # noqa: S105  # the user name that stands for "the password is a token"

_HINT = "user __token__, password the token that 'cpufit-server token create --project NAME' printed"
_MAX_HEADER_LENGTH = 1024


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
        raise AuthenticationRequired("an upload needs a token", where="Authorization", hint=_HINT)
    return token


def grant_of(catalog: Catalog, authorization: str | None) -> TokenGrant:
    """Return what the token of a request allows.

    :raises AuthenticationRequired: there is no token
    :raises NotAllowed: nobody issued it, or it was revoked
    """
    grant = catalog.check_token(token_of(authorization))
    if grant is None:
        raise NotAllowed("this token was never issued here, or was revoked", where="Authorization", hint=_HINT)
    return grant


def require(grant: TokenGrant, project: str) -> None:
    """Make sure that a token is good for a project (a normalised name).

    :raises NotAllowed: it is for others
    """
    if not grant.allows(project):
        raise NotAllowed(
            f"this token is not for the project {project}",
            where="Authorization",
            hint=f"cpufit-server token create --project {project}",
            code="token-not-for-project",
        )


def _password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
    user, _, password = text.partition(":")
    return password.strip() if user == TOKEN_USER else ""
