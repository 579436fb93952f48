"""What pip is set up with on this machine: its index, and how it reaches it.

Pip is asked rather than its files read: it alone knows where they are, which of them wins, and what its own default
is. ``pip config list`` names what is configured; the help of ``pip download`` names the index that pip takes where
nothing is. The order within is pip's (user guide, section "Precedence / Override Order"): a command's own section
beats ``[global]``, an environment variable beats both.
"""

from __future__ import annotations

import ast
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import PipSettingsUnreadable

_SECTIONS = (":env:", "download", "global")
_TIMEOUT = 60.0
_CERTIFICATE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class PipSettings:
    """The settings of pip that matter for fetching what pip would fetch."""

    index_url: str
    """May hold a user name and a password: not for printing."""
    certificate: str | None = None
    """A file or folder of the authorities to trust; None for the usual ones."""
    proxy: str | None = None


def read_pip_settings(environ: Mapping[str, str] | None = None, python: str | Path | None = None) -> PipSettings:
    """Ask pip what it uses.

    :param environ: the environment in which pip is asked; by default this process's
    :param python: the Python whose pip is asked; by default the one that runs this
    :raises PipSettingsUnreadable: there is no pip, or it does not answer
    """
    environment = dict(os.environ if environ is None else environ)
    command = [str(python or sys.executable), "-m", "pip"]
    configured = parse_config_list(_ask([*command, "config", "list"], environment))
    index_url = effective(configured, "index-url")
    if index_url is None:
        # wide columns, or pip breaks the line within the address
        index_url = parse_default_index(_ask([*command, "download", "--help"], {**environment, "COLUMNS": "1000"}))
    certificate = effective(configured, "cert") or next(
        (environment[name] for name in _CERTIFICATE_VARIABLES if environment.get(name)), None
    )
    return PipSettings(index_url=index_url, certificate=certificate, proxy=effective(configured, "proxy"))


def parse_config_list(text: str) -> dict[tuple[str, str], str]:
    """Return what ``pip config list`` says, by section and name; a line that is no setting is skipped."""
    settings = {}
    for line in text.splitlines():
        match = re.fullmatch(r"([^.=]+)\.([^=]+)=(.+)", line.strip())
        if match is None:
            continue
        try:
            value = ast.literal_eval(match.group(3))
        except (ValueError, SyntaxError):
            continue
        settings[match.group(1), match.group(2).replace("_", "-")] = str(value)
    return settings


def effective(settings: Mapping[tuple[str, str], str], name: str) -> str | None:
    """Return the value that ``pip download`` goes by; None where nothing is set."""
    for section in _SECTIONS:
        value = settings.get((section, name), "").strip()
        if value:
            return value
    return None


def parse_default_index(text: str) -> str:
    """Return the index that pip's help names as the default of ``--index-url``.

    :raises PipSettingsUnreadable: it names none
    """
    match = re.search(r"--index-url\b.*?\(default:?\s+(\S+?)\)", text, re.DOTALL)
    if match is None:
        raise PipSettingsUnreadable(
            "pip's help does not name its default index", hint="give the index: --from URL, or set PIP_INDEX_URL"
        )
    return match.group(1)


def tls_context(certificate: str | None) -> ssl.SSLContext | None:
    """Return a TLS context that trusts a file or folder of authorities; None for the usual ones.

    :raises PipSettingsUnreadable: the file or folder cannot be read
    """
    if certificate is None:
        return None
    path = Path(certificate).expanduser()
    try:
        if path.is_dir():
            return ssl.create_default_context(capath=str(path))
        return ssl.create_default_context(cafile=str(path))
    except OSError as error:
        raise PipSettingsUnreadable(
            f"the certificates in {certificate} cannot be read: {error}", hint="correct PIP_CERT or pip's setting cert"
        ) from error


def _ask(command: list[str], environment: Mapping[str, str]) -> str:
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed question to pip
            command, check=True, capture_output=True, text=True, env=dict(environment), timeout=_TIMEOUT
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PipSettingsUnreadable(
            "pip does not tell which index it uses", hint="install pip beside cpufit, or give the index: --from URL"
        ) from error
    return answer.stdout
