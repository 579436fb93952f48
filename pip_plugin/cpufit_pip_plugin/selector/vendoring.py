"""What travels inside a selector: the backend, the resolver's own modules, and a copy of the installed packaging."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata, resources
from typing import TYPE_CHECKING

from packaging.version import Version

from .contents import InvalidSelector

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable  # Python 3.11; before it the module has another name

TOP = "_cpufit_selector"
"""The import name under which the backend travels."""

FIRST_UNFIT_PACKAGING = "26.4"
"""The first release of packaging that does not run on Python 3.8, with its aliases quoted or without.

``pyproject.toml`` asks for an older one; whoever installs past that gets a sentence and no selector that crashes.
"""

PACKAGING_ROOTS = ("__init__", "specifiers", "tags", "utils", "version")
"""The modules of packaging that the backend imports; what these import comes along."""

_ALIAS_BASES = frozenset(
    {
        "Callable",
        "Iterable",
        "Iterator",
        "Mapping",
        "Optional",
        "Sequence",
        "Union",
        "dict",
        "frozenset",
        "list",
        "tuple",
    }
)


@lru_cache(maxsize=1)
def travelling_files() -> tuple[tuple[str, bytes], ...]:
    """Return path and content of everything that is the same in all selectors, sorted by path.

    :raises InvalidSelector: the installed ``packaging`` does not run on Python 3.8, or has no licence files, so it may
        not be copied
    """
    backend = resources.files(__package__) / "backend"
    files = {f"{TOP}/{path}": data for path, data in _tree(backend)}
    for path, data in _tree(resources.files("cpufit_resolver")):
        files[f"{TOP}/_vendor/cpufit_resolver/{path}"] = data
    for path, data in _packaging():
        files[f"{TOP}/_vendor/packaging/{path}"] = data
    files[f"{TOP}/_vendor/__init__.py"] = b'"""What travels inside the selector; imported from nowhere else."""\n'
    return tuple(sorted(files.items()))


def _tree(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the Python modules and data files below a folder of an installed package."""
    for item in folder.iterdir():
        path = prefix + item.name
        if item.is_dir():
            if item.name != "__pycache__":
                yield from _tree(item, f"{path}/")
        elif path.endswith((".py", ".json")) and not path.endswith(".schema.json"):
            yield path, item.read_bytes()


def check_packaging(version: str) -> None:
    """Refuse a release of packaging that would crash on the least Python of a selector.

    :raises InvalidSelector: it does not run there
    """
    if Version(version) >= Version(FIRST_UNFIT_PACKAGING):
        raise InvalidSelector(
            f"the installed packaging {version} does not run on Python 3.8, and a selector takes part of it along",
            hint=f"pip install 'packaging<{FIRST_UNFIT_PACKAGING}' beside cpufit",
        )


def _packaging() -> Iterator[tuple[str, bytes]]:
    check_packaging(metadata.version("packaging"))
    package = resources.files("packaging")
    waiting, seen = list(PACKAGING_ROOTS), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        source = (package / f"{name}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        waiting.extend(module for module in _siblings(tree) if (package / f"{module}.py").is_file())
        travelling = quote_aliases(source, tree)
        _check_syntax(name, travelling)
        yield f"{name}.py", travelling.encode()
    yield from _licences()


def _check_syntax(name: str, source: str) -> None:
    """Refuse what an unknown build of packaging has and Python 3.8 cannot read, whatever its version says."""
    try:
        ast.parse(source, feature_version=(3, 8))
    except SyntaxError as error:
        raise InvalidSelector(
            f"the installed packaging is not Python 3.8: {error.msg}", where=f"packaging/{name}.py:{error.lineno}"
        ) from error


def _licences() -> Iterator[tuple[str, bytes]]:
    found = False
    for entry in metadata.files("packaging") or ():
        if entry.name.startswith("LICENSE"):
            found = True
            yield entry.name, entry.read_binary()
    if not found:
        raise InvalidSelector("the installed packaging has no licence files, and must not be copied without them")


def _siblings(tree: ast.Module) -> set[str]:
    """Return the modules of the same package that a module imports when it runs, wherever the import stands."""
    names: set[str] = set()
    for node in _running(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            names.update([node.module] if node.module else (alias.name for alias in node.names))
    return names


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """Yield every node below one, but for what stands under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from _running(other)
            continue
        yield child
        yield from _running(child)


def quote_aliases(source: str, tree: ast.Module) -> str:
    """Return the module with its top-level type aliases as strings.

    ``Pair = tuple[int, int]`` is the only thing that keeps packaging 26 from running on Python 3.8, where such types
    cannot be subscripted; nothing evaluates these names at run time.
    """
    lines = source.splitlines(keepends=True)
    for node in reversed(tree.body):
        if not (isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript)):
            continue
        target, base = node.targets[0], node.value.value
        if isinstance(target, ast.Name) and isinstance(base, ast.Name) and base.id in _ALIAS_BASES:
            quoted = f"{target.id} = {ast.unparse(node.value)!r}  # quoted by cpufit, for Python 3.8\n"
            lines[node.lineno - 1 : node.end_lineno] = [quoted]
    return "".join(lines)
