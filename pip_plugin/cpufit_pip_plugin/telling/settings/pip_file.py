"""pip's settings as text: ``index-url`` set, every other line as it was.

pip reads the file with ``configparser.RawConfigParser``; a name may be written with ``_``, and a section for one
command counts before ``[global]``.
"""

from __future__ import annotations

import configparser
import re

from cpufit_pip_plugin.cpu_check.installers import without_credentials

from .errors import NotEditable

_HEADER = re.compile(r"\[([^]]+)\]")
_OPTION = re.compile(r"([^\s:=#;\[][^:=]*?)\s*[:=]")


def with_index(text: str, url: str) -> str:
    """Return the settings with this index, in ``[global]`` and wherever else one is set.

    :raises NotEditable: pip itself cannot read them, or the change would change more
    """
    wanted = _settings(text)
    _set_everywhere(wanted, url)
    changed = _edited(text, url)
    if _settings(changed) != wanted:
        by_hand = f"write it by hand: index-url = {without_credentials(url)}"
        raise NotEditable("the file cannot be changed line by line", hint=by_hand)
    return changed


def _settings(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text.removeprefix("\ufeff"))
    except configparser.Error as error:
        reason = str(error).splitlines()[0]
        raise NotEditable(f"pip cannot read the file: {reason}", hint="mend it first") from error
    return {section: {_name(key): value for key, value in parser.items(section)} for section in parser.sections()}


def _set_everywhere(settings: dict[str, dict[str, str]], url: str) -> None:
    settings.setdefault("global", {})["index-url"] = url
    for options in settings.values():
        if "index-url" in options:
            options["index-url"] = url


def _name(key: str) -> str:
    return key.strip().lower().replace("_", "-").removeprefix("--")


def _edited(text: str, url: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    setting = f"index-url = {url}{newline}"
    lines: list[str] = []
    section, replacing, header_at, global_has = "", False, None, False
    for line in re.findall(r"[^\n]*\n|[^\n]+$", text):
        bare = line.removeprefix("\ufeff").rstrip()
        if replacing and bare and bare[0] in " \t" and bare.lstrip()[0] not in "#;":
            continue  # what is left of the old value
        replacing = replacing and (not bare or bare.lstrip()[0] in "#;")
        header, option = _HEADER.match(bare), _OPTION.match(bare)
        if header is not None:
            section = header[1]
            header_at = len(lines) if section == "global" else header_at
        elif option is not None and section and _name(option[1]) == "index-url":
            replacing, global_has = True, global_has or section == "global"
            line = setting  # noqa: PLW2901  # the line that stands in its place
        lines.append(line)
    if global_has:
        return "".join(lines)
    at = len(lines) if header_at is None else header_at + 1
    if at == len(lines) and lines and not lines[-1].endswith("\n"):
        lines[-1] += newline
    added = setting if header_at is not None else f"[global]{newline}{setting}"
    return "".join([*lines[:at], added, *lines[at:]])
