"""Names of projects and files: which an index should not take, and which look like others that it has.

Specifications: "Source distribution format" (PEP 625) and "Binary distribution format", sections on file names.
"""

from __future__ import annotations

import fnmatch
import sys
from collections.abc import Iterable

from packaging.utils import NormalizedName, canonicalize_name

from cpufit_wheelhouse.errors import InvalidWheelName, NameRefused
from cpufit_wheelhouse.filename import SdistFilename, WheelFilename
from cpufit_wheelhouse.lookalikes import lookalike
from cpufit_wheelhouse.metadata import MetadataFacts

from .rules import AdmissionRules, Notice

_STANDARD = frozenset(canonicalize_name(name) for name in sys.stdlib_module_names if not name.startswith("_"))


def check_sdist_name(filename: SdistFilename, facts: MetadataFacts, rules: AdmissionRules) -> None:
    """Check that a source distribution is called as PEP 625 says.

    One with metadata of version 1 was made before that rule, and every installer knows its kind of name.

    :raises InvalidWheelName: it is not
    """
    exact = f"{filename.name.replace('-', '_')}-{filename.version}.tar.gz"
    if rules.exact_sdist_names and not facts.metadata_version.startswith("1.") and filename.format() != exact:
        raise InvalidWheelName(
            f"a source distribution of this project and version is called {exact}",
            where=filename.format(),
            hint="a build tool of today names it so (PEP 625)",
            code="sdist-name-not-exact",
        )


def check_wheel_name(filename: WheelFilename, rules: AdmissionRules) -> None:
    """Check the spelling of a wheel's name and its platform tags.

    :raises InvalidWheelName: the project's part is not in normal form, where the rules ask for it
    :raises NameRefused: a platform tag is none of those that this index takes
    """
    exact = filename.name.replace("-", "_")
    if rules.exact_wheel_names and filename.raw_name != exact:
        raise InvalidWheelName(
            f"the name of a wheel of this project begins with {exact}-",
            where=filename.format(),
            hint="a build tool of today names it so",
            code="wheel-name-not-exact",
        )
    for tag in filename.platforms if rules.platform_tags else ():
        if tag != "any" and not any(fnmatch.fnmatchcase(tag, pattern) for pattern in rules.platform_tags):
            raise NameRefused(
                f"wheels for the platform {tag} are not taken here",
                where=filename.format(),
                hint=f"the setting CPUFIT_PLATFORM_TAGS names those that are: {', '.join(rules.platform_tags)}",
                code="platform-tag-not-allowed",
            )


def check_new_project(name: NormalizedName, rules: AdmissionRules) -> None:
    """Check the name of a project that an upload would make.

    :raises NameRefused: a module of the standard library is called so
    """
    if rules.refuse_standard_library_names and name in _STANDARD:
        raise NameRefused(
            f"{name} is the name of a module of the standard library",
            hint="give the project another name, or set CPUFIT_REFUSE_STANDARD_LIBRARY_NAMES=false",
            code="standard-library-name",
        )


def similar_names(name: NormalizedName, others: Iterable[str]) -> tuple[Notice, ...]:
    """Tell which projects a new one's name could be taken for.

    :param others: hosted projects, in normal form; those that do not look like the new one do not count
    """
    ours = lookalike(name)
    found = sorted(other for other in others if other != name and lookalike(other) == ours)
    return tuple(Notice("similar-project-name", f"{name} looks like {other}, which is here already") for other in found)
