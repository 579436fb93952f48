"""What pip and uv are set up to ask: the index that pip uses, and extra indexes that undo the choice of a wheel.

Sources: pip documentation, "Configuration"; uv documentation, "Configuration files" and "Package indexes".
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

DANGER = "at equal version an ordinary wheel from there beats the selector, and the crash is back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where settings can stand on this machine."""

    environ: Mapping[str, str]
    platform: str
    """As :data:`sys.platform`."""
    home: Path
    prefix: Path
    """As :data:`sys.prefix`: a virtual environment may have its own ``pip.conf``."""
    folder: Path
    """The folder that a command is run in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something that a person should know, with where it stands."""

    code: str
    message: str
    where: str

    def as_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"code": self.code, "message": self.message, "where": self.where}


def without_credentials(url: str) -> str:
    """Return a URL that may be shown: name and password are left out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(an address that cannot be read)"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def pip_config_paths(around: Surroundings) -> list[Path]:
    """Return where pip looks for settings, in the order in which later ones win."""
    environ, home = around.environ, around.home
    if around.platform == "win32":
        data, roaming = environ.get("PROGRAMDATA", "C:\\ProgramData"), environ.get("APPDATA")
        user = Path(roaming) if roaming else home / "AppData" / "Roaming"
        paths = [Path(data) / "pip" / "pip.ini", home / "pip" / "pip.ini", user / "pip" / "pip.ini"]
        paths.append(around.prefix / "pip.ini")
    else:
        settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        if around.platform == "darwin":
            library = Path("Library/Application Support/pip")
            paths = [Path("/") / library / "pip.conf", Path("/etc/pip.conf")]
            own = home / library if (home / library).is_dir() else settings / "pip"
        else:
            shared = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
            paths = [*(Path(folder) / "pip" / "pip.conf" for folder in shared if folder), Path("/etc/pip.conf")]
            own = settings / "pip"
        paths += [home / ".pip" / "pip.conf", own / "pip.conf", around.prefix / "pip.conf"]
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []  # pip's own way to read no settings at all
    return [*paths, Path(named)] if named else paths


def pip_user_file(around: Surroundings) -> Path | None:
    """Return the file of pip's settings that is the user's own, or the named one, which pip reads after it.

    None where pip is told to read none.
    """
    paths = pip_config_paths(around)
    if not paths:
        return None
    # the last is the virtual environment's, where nothing is named
    return paths[-1] if around.environ.get("PIP_CONFIG_FILE") else paths[-2]


def uv_user_file(around: Surroundings) -> Path | None:
    """Return the file of uv's settings that is the user's own, or the named one; None where uv reads none."""
    environ = around.environ
    if environ.get("UV_CONFIG_FILE"):
        return Path(environ["UV_CONFIG_FILE"])
    if environ.get("UV_NO_CONFIG"):
        return None
    if around.platform == "win32":
        folder = Path(environ.get("APPDATA") or around.home / "AppData" / "Roaming")
    else:
        folder = Path(environ.get("XDG_CONFIG_HOME") or around.home / ".config")
    return folder / "uv" / "uv.toml"


def uv_config_paths(around: Surroundings) -> list[Path]:
    """Return where uv looks for settings: the machine's, the user's and the project's files."""
    environ = around.environ
    if environ.get("UV_CONFIG_FILE"):
        return [Path(environ["UV_CONFIG_FILE"])]
    if environ.get("UV_NO_CONFIG"):
        return []
    if around.platform == "win32":
        folders = [Path(environ.get("PROGRAMDATA", "C:\\ProgramData"))]
        folders.append(Path(environ.get("APPDATA") or around.home / "AppData" / "Roaming"))
    else:
        folders = [Path(environ.get("XDG_CONFIG_HOME") or around.home / ".config"), Path("/etc/xdg"), Path("/etc")]
    project = next(
        (
            place
            for folder in (around.folder, *around.folder.parents)
            for place in (folder / "uv.toml", folder / "pyproject.toml")
            if place.is_file()
        ),
        None,
    )
    return [*(folder / "uv" / "uv.toml" for folder in folders), *([project] if project is not None else [])]


def read_existing(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Return the place and the text of each of these files that is there and can be read."""
    texts = ((str(path), _text_of(path)) for path in dict.fromkeys(paths))
    return [(place, text) for place, text in texts if text is not None]


def _text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def _pip_settings(text: str) -> Iterator[tuple[str, str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return
    for section in parser.sections():
        for key, value in parser.items(section):
            yield section, key.replace("_", "-"), value


def pip_index(environ: Mapping[str, str], files: Iterable[tuple[str, str]]) -> str | None:
    """Return the index that pip is told to use, or None where it is told nothing.

    :param files: places and texts of pip's settings, in pip's order: later ones win, ``[install]`` before ``[global]``
    """
    if environ.get("PIP_INDEX_URL"):
        return environ["PIP_INDEX_URL"].strip()
    found: dict[str, str] = {}
    for _, text in files:
        found.update({section: value for section, key, value in _pip_settings(text) if key == "index-url"})
    return found.get("install") or found.get("global")


def _pip_extras(environ: Mapping[str, str], files: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for url in environ.get("PIP_EXTRA_INDEX_URL", "").split():
        yield "PIP_EXTRA_INDEX_URL", url
    for place, text in files:
        for section, key, value in _pip_settings(text):
            if key == "extra-index-url" and section in ("global", "install", "download", "wheel"):
                yield from ((f"{place} [{section}]", url) for url in value.split())


def _uv_extras(environ: Mapping[str, str], files: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for variable in ("UV_EXTRA_INDEX_URL", "UV_INDEX"):
        for word in environ.get(variable, "").split():
            yield variable, _unnamed(word)
    for place, text in files:
        yield from ((place, url) for url in _uv_file_extras(place, text))


def _unnamed(word: str) -> str:
    # uv: "name=https://…"; a query may hold "=" as well, so only what stands before the scheme is a name
    name, equals, url = word.partition("=")
    return url if equals and "://" not in name else word


def _uv_table(place: str, text: str) -> dict[str, Any]:
    if "index" not in text:
        return {}  # most projects' files; reading TOML costs milliseconds
    try:
        import tomllib  # noqa: PLC0415  # as above
    except ModuleNotFoundError:  # Python 3.10 reads no TOML; the environment variables are still looked at
        return {}
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    table = data.get("tool", {}).get("uv", {}) if Path(place).name == "pyproject.toml" else data
    return table if isinstance(table, dict) else {}


def uv_default_index(files: Iterable[tuple[str, str]]) -> str | None:
    """Return the index that uv's settings make the default, or None.

    :param files: places and texts, in the order of :func:`uv_config_paths`: the project's file, which wins, is last
    """
    ordered = sorted(files, key=lambda file: Path(file[0]).parent.name == "uv")
    for place, text in ordered:
        table = _uv_table(place, text)
        rows = [row for row in table.get("index", []) if isinstance(row, dict) and row.get("default")]
        for url in (*(row.get("url") for row in rows), table.get("index-url"), table.get("pip", {}).get("index-url")):
            if isinstance(url, str):
                return url
    return None


def _uv_file_extras(place: str, text: str) -> Iterator[str]:
    table = _uv_table(place, text)
    for holder in (table, table.get("pip", {})):
        yield from (url for url in holder.get("extra-index-url", []) if isinstance(url, str))
    for row in table.get("index", []):
        if (
            isinstance(row, dict)
            and isinstance(row.get("url"), str)
            and not (row.get("default") or row.get("explicit"))
        ):
            yield row["url"]


def extra_index_warnings(
    environ: Mapping[str, str],
    pip_files: Iterable[tuple[str, str]],
    uv_files: Iterable[tuple[str, str]],
    own: str | None = None,
) -> list[Warned]:
    """Return a warning for every extra index that pip or uv is told to ask.

    :param own: the cpufit index itself: uv may have it as one index among its own
    """
    found = [*_pip_extras(environ, pip_files), *_uv_extras(environ, uv_files)]
    return [
        Warned(
            code="extra-index-configured",
            message=f"{where} adds the index {without_credentials(url)}: {DANGER}",
            where=where,
        )
        for where, url in dict.fromkeys(found)
        if own is None or url.rstrip("/") != own.rstrip("/")
    ]
