"""What the installer was told: the credentials that stand in the index address which pip or uv was given.

pip and uv hand a build backend neither their options nor their settings. What can be seen of them is read here: on
Linux the command lines of the processes above this one, the variables that both pass on, and the files of their
settings. Of all that only an address of the index's own origin counts, and of it only user and password.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Iterable, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from .credentials import Credentials

VARIABLES = (
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_EXTRA_INDEX_URL",
)
"""Those in which pip and uv look for index addresses."""

_ANCESTORS = 6
"""Between pip and the backend stand a helper of pip's and, on an emulated CPU, the emulator's wrapper."""
_LONGEST = 1 << 20
"""Bytes read of a command line or a file of settings."""
_ADDRESS = re.compile(r"(?:\b([A-Za-z0-9][\w.-]*)=)?(https?://[^\s\"'<>]+)")
"""An index address, for uv with the name that it is given in front."""
_PORTS = {"http": 80, "https": 443}


def from_installer(base_url: str, environ: Mapping[str, str]) -> Credentials | None:
    """Return the credentials with which pip or uv was told to ask an index; None where nothing tells.

    :param base_url: the address of the index
    """
    for told in (command_lines(), variables(environ), settings(environ)):
        found = in_addresses(told, base_url, environ)
        if found is not None:
            return found
    return None


def in_addresses(texts: Iterable[str], base_url: str, environ: Mapping[str, str]) -> Credentials | None:
    """Return the user and password of the first address of the index's origin that has both.

    uv takes them for an index with a name, ``NAME=ADDRESS``, from ``UV_INDEX_NAME_USERNAME`` and ``…_PASSWORD``.
    """
    for text in texts:
        for name, address in _ADDRESS.findall(text):
            try:
                parts = urlsplit(address)
                same = _origin(address) == _origin(base_url)
            except ValueError:  # an address that is none
                continue
            if same and parts.username is not None and parts.password:
                return Credentials(unquote(parts.username), unquote(parts.password))
            variable = "UV_INDEX_" + re.sub("[^A-Z0-9]", "_", name.upper())
            secret = environ.get(f"{variable}_PASSWORD")
            if same and name and secret:
                return Credentials(environ.get(f"{variable}_USERNAME") or "", secret)
    return None


def variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what the variables say in which pip and uv look for index addresses."""
    return (environ[name] for name in VARIABLES if environ.get(name))


def command_lines(process: int | None = None) -> Iterator[str]:
    """Yield the words with which the processes above this one were started, the nearest first; Linux alone tells them.

    :param process: instead of this one
    """
    number = os.getppid() if process is None else process
    for _ in range(_ANCESTORS):
        folder = Path("/proc") / str(number)
        words = _text(folder / "cmdline").split("\0")
        yield from (word for word in words if "://" in word)
        # the name of a program may hold blanks and brackets: the parent stands second behind the last one
        after = _text(folder / "stat").rpartition(")")[2].split()
        if len(after) < 2 or after[1] in ("0", "1"):
            return
        number = int(after[1])


def settings(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the text of each file of pip's and uv's settings, those that count first."""
    for path in (*_pip_files(environ), *_uv_files(environ)):
        text = _text(path)
        if "://" in text:
            yield text


def _pip_files(environ: Mapping[str, str]) -> Iterator[Path]:
    named, home = environ.get("PIP_CONFIG_FILE"), environ.get("HOME") or environ.get("USERPROFILE")
    if named == os.devnull:
        return
    if named:
        yield Path(named)
    name = "pip.ini" if os.name == "nt" else "pip.conf"
    yield Path(sys.prefix) / name
    if environ.get("APPDATA"):
        yield Path(environ["APPDATA"]) / "pip" / name
    if home:
        own = environ.get("XDG_CONFIG_HOME") or str(Path(home) / ".config")
        yield from (Path(own) / "pip" / name, Path(home) / ".pip" / name)
        yield Path(home) / "Library" / "Application Support" / "pip" / name
    for folder in (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep):
        yield Path(folder) / "pip" / name
    yield from (Path("/etc") / name, Path("/Library/Application Support/pip") / name)


def _uv_files(environ: Mapping[str, str]) -> Iterator[Path]:
    if environ.get("UV_NO_CONFIG"):
        return
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"])
    own = environ.get("XDG_CONFIG_HOME") or environ.get("APPDATA")
    if own or environ.get("HOME"):
        yield Path(own or str(Path(environ["HOME"]) / ".config")) / "uv" / "uv.toml"
    yield Path("/etc/uv/uv.toml")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_LONGEST).decode("utf-8", "replace")
    except OSError:  # not there, not ours to read, or not Linux
        return ""


def _origin(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
