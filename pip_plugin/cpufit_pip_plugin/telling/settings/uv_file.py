"""uv's settings as text: two lines set, every other line as it was.

``[pip] index-url`` counts for ``uv pip`` alone, so the profile URL stands there; the plain one stands at the top, for
what uv locks. A default in ``[[index]]`` counts before both, so such a file is not for us to change.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .errors import NotEditable

_HEADER = re.compile(r"\s*\[{1,2}\s*([^\]]+?)\s*\]{1,2}\s*(?:#.*)?$")
_TOP = re.compile(r"\s*index-url\s*=")
_DOTTED = re.compile(r"\s*pip\s*\.\s*index-url\s*=")
_ANY_DOTTED = re.compile(r"^\s*pip\s*\.", re.MULTILINE)
_BY_HAND = "write it by hand: index-url at the top, and index-url in [pip] with the profile URL of cpu-check --token"


def with_indexes(text: str, plain: str, profile: str) -> str:
    """Return the settings with the plain index for what uv locks and the profile URL for ``uv pip``.

    :raises NotEditable: uv itself cannot read them, the change would change more, or it would not count
    """
    before = _settings(text)
    changed = _edited(text, _string(plain), _string(profile))
    if before is None:
        return changed
    if any(isinstance(row, dict) and row.get("default") for row in before.get("index", [])):
        raise NotEditable(
            "a default index in [[index]] counts before [pip] index-url",
            hint='write it as index-url = "…" at the top of the file instead',
        )
    wanted = {**before, "index-url": plain, "pip": {**before.get("pip", {}), "index-url": profile}}
    try:
        done = _settings(changed)
    except NotEditable:
        done = None
    if done != wanted:
        raise NotEditable("the file cannot be changed line by line", hint=_BY_HAND)
    return changed


def _string(url: str) -> str:
    # what JSON writes for printable text is a basic string of TOML
    return json.dumps(url, ensure_ascii=False)


def _settings(text: str) -> dict[str, Any] | None:
    """Return what the file says; None where this Python cannot read TOML and the file is plain enough without."""
    try:
        import tomllib  # noqa: PLC0415  # from Python 3.11 on
    except ModuleNotFoundError:  # pragma: no cover  # Python 3.10
        if re.search(r'"""|\'\'\'|^\s*(pip\s*=|default\s*=|index\s*=)', text, re.MULTILINE):
            raise NotEditable("Python 3.10 cannot tell what this file says", hint=_BY_HAND) from None
        return None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotEditable(f"uv cannot read the file: {error}", hint="mend it first") from error


def _edited(text: str, plain: str, profile: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = re.findall(r"[^\n]*\n|[^\n]+$", text)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    headers = [at for at, line in enumerate(lines) if _HEADER.match(line)]
    top_end = headers[0] if headers else len(lines)
    setting = f"index-url = {plain}{newline}"
    of_pip = f"index-url = {profile}{newline}"
    table = next((at for at in headers if re.match(r"\s*\[\s*pip\s*\]", lines[at])), None)
    # from the end to the beginning, so that no place moves before it is used
    if table is not None:
        end = next((at for at in headers if at > table), len(lines))
        _put(lines, _TOP, table + 1, end, of_pip)
    elif _ANY_DOTTED.search("".join(lines[:top_end])):
        top_end += _put(lines, _DOTTED, 0, top_end, f"pip.{of_pip}")
    else:
        lines += [f"[pip]{newline}", of_pip]
    _put(lines, _TOP, 0, top_end, setting)
    return "".join(lines)


def _put(lines: list[str], pattern: re.Pattern[str], start: int, end: int, line: str) -> int:
    """Put a line in the place of the one that matches, else at the start; return by how many lines there are more."""
    for at in range(start, end):
        if pattern.match(lines[at]):
            lines[at] = line
            return 0
    lines.insert(start, line)
    return 1
