"""Who asks for the files of a private index: the environment, netrc, and after a 401 the ``keyring`` command.

What pip or uv was told comes between the first two; see :mod:`.installer`.

Credentials are values of the request alone: no message and no progress line ever holds one.
"""

from __future__ import annotations

import base64
import netrc
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import Mapping

TOKEN_USER = "__token__"  # noqa: S105  # the user name that goes with a token, as package indexes have it


@dataclass(frozen=True)
class Credentials:
    """A user and a secret, for HTTP Basic authentication."""

    user: str
    secret: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the ``Authorization`` header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode("ascii")


def from_environment(environ: Mapping[str, str]) -> Credentials | None:
    """Return ``CPUFIT_TOKEN``, or ``CPUFIT_USERNAME`` with ``CPUFIT_PASSWORD``; None where neither is set."""
    if environ.get("CPUFIT_TOKEN"):
        return Credentials(TOKEN_USER, environ["CPUFIT_TOKEN"])
    if environ.get("CPUFIT_USERNAME") and "CPUFIT_PASSWORD" in environ:
        return Credentials(environ["CPUFIT_USERNAME"], environ["CPUFIT_PASSWORD"])
    return None


def from_netrc(host: str, environ: Mapping[str, str]) -> Credentials | None:
    """Return what ``NETRC``, ``~/.netrc`` or ``~/_netrc`` has for a host; None where it has nothing."""
    places = [environ["NETRC"]] if environ.get("NETRC") else ["~/.netrc", "~/_netrc"]
    for place in map(os.path.expanduser, places):
        try:
            found = netrc.netrc(place).authenticators(host)
        except (OSError, netrc.NetrcParseError, UnicodeDecodeError):
            continue
        if found is not None and found[2] is not None:
            return Credentials(found[0] or "", found[2])
    return None


def from_keyring(base_url: str, host: str, environ: Mapping[str, str]) -> Credentials | None:
    """Return what the ``keyring`` command has for the index, by its URL and then by its host.

    The user is ``CPUFIT_USERNAME``, else ``__token__``.
    """
    command = shutil.which("keyring", path=environ.get("PATH"))
    user = environ.get("CPUFIT_USERNAME") or TOKEN_USER
    for service in (base_url, host) if command is not None else ():
        secret = _ask_keyring([str(command), "get", service, user], environ)
        if secret:
            return Credentials(user, secret)
    return None


def _ask_keyring(command: list[str], environ: Mapping[str, str]) -> str | None:
    # the build environment's PYTHONPATH hides what the keyring command itself imports
    clean = {name: value for name, value in environ.items() if name != "PYTHONPATH"}
    clean["PYTHONIOENCODING"] = "utf-8"
    try:
        answer = subprocess.run(  # noqa: S603  # found on PATH on purpose; its arguments are ours
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=30, env=clean, check=False, encoding="utf-8",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
