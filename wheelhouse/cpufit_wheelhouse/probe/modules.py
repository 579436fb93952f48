"""What there is to import in a wheel: its top-level modules, and the packages inside its namespace folders."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MODULE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\.py|\.(?:cpython|abi3|pypy)[^/]*\.so|\.so|\.pyd|\.[^/]*\.pyd)")
_NOT_FOR_IMPORT = frozenset({"test", "tests", "testing", "docs", "doc", "examples", "example", "benchmarks", "scripts"})
_MOVED = re.compile(r"^[^/]+\.data/(?:purelib|platlib)/")
MAX_MODULES = 8
"""The most modules of one wheel that are imported, shortest names first."""


def installed_members(members: Iterable[str]) -> dict[str, str]:
    """Return where each member of a wheel is installed, in its folder, and the member's name.

    Those in a wheel's ``.data`` folders for modules lie beside the others then.
    """
    return {_MOVED.sub("", member): member for member in sorted(members)}


def importable_modules(members: Iterable[str]) -> tuple[str, ...]:
    """Return the dotted names of what a wheel's members let one import.

    :param members: names of the members, with slashes
    """
    folders: dict[str, set[str]] = {}
    for member in members:
        head, _, name = member.rpartition("/")
        folders.setdefault(head, set()).add(name)
        while head:  # a folder without files of its own is one too
            head = head.rpartition("/")[0]
            folders.setdefault(head, set())
    found = _inside("", folders, depth=0)
    return tuple(sorted(dict.fromkeys(found), key=lambda name: (name.count("."), len(name), name))[:MAX_MODULES])


def extension_module(member: str) -> str | None:
    """Return the dotted name under which a native member can be imported; None where it is a plain library."""
    folder, _, name = member.rpartition("/")
    match = _MODULE.fullmatch(name)
    told = re.search(r"\.(cpython-|abi3\.|pypy)", name)  # a plain library has no such tag
    if match is None or told is None or not all(part.isidentifier() for part in folder.split("/") if part):
        return None
    return f"{folder.replace('/', '.')}.{match[1]}" if folder else match[1]


def neighbours(library: str, members: Iterable[str]) -> tuple[str, ...]:
    """Return what may be extension modules beside a plain library, shortest names first: one of them may load it.

    Bazel's have no tag: ``jaxlib/_jax.so`` is nothing but a door to ``jaxlib/libjax_common.so``.
    """
    folder = library.rpartition("/")[0]
    inside = (member for member in members if member.rpartition("/")[0] == folder)
    names = (member.rpartition("/")[2] for member in inside if member.endswith(".so"))
    found = (match[1] for name in names if not name.startswith("lib") and (match := _MODULE.fullmatch(name)))
    if not all(part.isidentifier() for part in folder.split("/") if part):
        return ()
    dotted = folder.replace("/", ".") + "." if folder else ""
    return tuple(sorted((dotted + name for name in found), key=lambda name: (len(name), name)))


def _inside(folder: str, folders: dict[str, set[str]], depth: int) -> list[str]:
    dotted = folder.replace("/", ".") + "." if folder else ""
    found = []
    for name in sorted(folders.get(folder, ())):
        match = _MODULE.fullmatch(name)
        if match and match[1] != "__init__" and match[1] not in _NOT_FOR_IMPORT:
            found.append(dotted + match[1])
    for child in sorted(folders):
        parent, _, name = child.rpartition("/")
        if parent != folder or not child or not name.isidentifier() or name in _NOT_FOR_IMPORT:
            continue
        if "__init__.py" in folders[child]:
            found.append(child.replace("/", "."))
        elif depth < 2:
            found += _inside(child, folders, depth + 1)
    return found
