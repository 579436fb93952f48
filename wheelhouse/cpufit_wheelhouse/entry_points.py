"""``entry_points.txt``: a script's name becomes a file's name on every machine that installs the wheel.

Specification: "Entry points", section "File format".
"""

from __future__ import annotations

import configparser
import re

from .errors import InvalidMetadata

SCRIPT_GROUPS = ("console_scripts", "gui_scripts")
"""The groups of which an installer makes programs."""

_NAME = re.compile(r"[\w.-]+")
_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*\s*:\s*[^\W\d]\w*(\.[^\W\d]\w*)*\s*(\[[^\[\]]*\])?")
_CODE = "invalid-entry-points"


def check_entry_points(data: bytes, where: str) -> None:
    """Check that the file can be read, and that every script is called as a file may be and refers to an object.

    :raises InvalidMetadata: it is not UTF-8, no such file, or a script's name or reference is none
    """
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
    # names are told apart by case
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # as its own documentation does
    try:
        parser.read_string(data.decode("utf-8"))
    except (UnicodeDecodeError, configparser.Error) as error:
        raise InvalidMetadata(f"cannot be read: {error}".replace("\n", " ")[:300], where=where, code=_CODE) from error
    for group in parser.sections():
        for name, reference in parser.items(group) if group in SCRIPT_GROUPS else ():
            if not _NAME.fullmatch(name) or name.strip(".") == "":
                raise InvalidMetadata(f"{name[:100]!a} is no name of a script", where=where, code=_CODE)
            if not _REFERENCE.fullmatch(reference.strip()):
                raise InvalidMetadata(f"{name[:100]} refers to {reference[:100]!a}", where=where, code=_CODE)
