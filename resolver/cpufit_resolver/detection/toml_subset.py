"""The part of TOML that ``cpufit.toml`` is written in: one table in brackets, keys, and strings on one line.

Python has a reader of the whole language from 3.11 on, and the selector runs on 3.8. So that one file means the same on
each of them, this reader is used on all; what it takes, every TOML reader takes, and what it does not, it refuses.
"""

# ruff: noqa: TID252  # inside the selector this package has another name, so its parent must be relative
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping

from ..errors import CpufitError

_NOTHING = re.compile(r"[ \t]*(?:#.*)?")
_TABLE = re.compile(r"[ \t]*\[[ \t]*([A-Za-z0-9_-]+)[ \t]*\][ \t]*(?:#.*)?")
_PAIR = re.compile(
    r"""[ \t]*(?:([A-Za-z0-9_-]+)|"([^"\\]*)"|'([^']*)')[ \t]*=[ \t]*(?:"([^"\\]*)"|'([^']*)')[ \t]*(?:\#.*)?"""
)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class InvalidConfig(CpufitError):
    """A ``cpufit.toml`` that cannot be read, or that says what nobody understands."""

    code = "invalid-cpufit-toml"


@dataclass(frozen=True)
class Value:
    """A string, and where it stands: ``cpufit.toml:3``."""

    text: str
    where: str


def read_tables(text: str, name: str) -> dict[str, dict[str, Value]]:
    """Return the values by table and key; what stands before the first table is in the table ``""``.

    :param name: how messages call the file
    :raises InvalidConfig: a line is not of these forms, or something is said twice
    """
    tables: dict[str, dict[str, Value]] = {"": {}}
    current = ""
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        where = f"{name}:{number}"
        if _CONTROL.search(line):
            raise InvalidConfig("a control character", where=where)
        if _NOTHING.fullmatch(line):
            continue
        header = _TABLE.fullmatch(line)
        if header is not None:
            current = header.group(1)
            if current in tables:
                raise InvalidConfig(f"[{current}] stands here twice", where=where)
            tables[current] = {}
            continue
        key, value = _pair(line, where)
        if key in tables[current]:
            raise InvalidConfig(f"{key!r} is said twice", where=where)
        tables[current][key] = value
    return tables


def _pair(line: str, where: str) -> tuple[str, Value]:
    pair = _PAIR.fullmatch(line)
    if pair is None:
        raise InvalidConfig(
            f"not understood: {line.strip()[:80]!r}",
            where=where,
            hint='a line is a comment, [packages], or KEY = "TEXT"; a key with a dot stands in quotes',
        )
    bare, *quoted = pair.groups()
    key = bare if bare is not None else next(part for part in quoted[:2] if part is not None)
    return key, Value(next(part for part in quoted[2:] if part is not None), where)


def refuse_others(table: Mapping[str, Value], known: tuple[str, ...]) -> None:
    """Refuse keys that nobody reads: a wish that goes unheard is worse than an error.

    :raises InvalidConfig: there is one
    """
    for key, value in table.items():
        if key not in known:
            raise InvalidConfig(f"unknown key {key!r}", where=value.where, hint=f"known: {', '.join(known)}")
