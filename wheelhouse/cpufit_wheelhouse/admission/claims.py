"""METADATA against the form: two tellings of one file that must not differ.

METADATA is what installers read, so it counts here; but tools and people look at the form, and whoever can make the two
differ can show one thing and ship another. A field that the form leaves out claims nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from cpufit_wheelhouse.errors import MetadataMismatch
from cpufit_wheelhouse.metadata import MetadataFacts, requirement_form, specifier_form

from .rules import Submission


def check_claims(submission: Submission, facts: MetadataFacts) -> None:
    """Check that what the form says of dependencies is what METADATA says.

    Order, spelling of names, quotes and repetition do not count.

    :raises MetadataMismatch: they differ, or the form's cannot be read; ``where`` names the field
    """
    if submission.requires_python is not None:
        _compare("requires_python", [_python(submission.requires_python)], [_python(facts.requires_python or "")])
    if submission.requires_dist:
        _compare(
            "requires_dist",
            map(_requirement, submission.requires_dist),
            map(requirement_form, facts.requirements),
        )
    if submission.provides_extra:
        _compare(
            "provides_extra",
            map(canonicalize_name, submission.provides_extra),
            map(canonicalize_name, facts.provides_extra),
        )


def _compare(field: str, form: Iterable[str], metadata: Iterable[str]) -> None:
    ours, theirs = set(form), set(metadata)
    if ours == theirs:
        return
    only = sorted(ours - theirs)
    said = f"only the form has {only[0][:200]!r}" if only else f"only METADATA has {min(theirs - ours)[:200]!r}"
    raise MetadataMismatch(f"the form and METADATA differ: {said}", where=field)


def _python(text: str) -> str:
    try:
        return specifier_form(SpecifierSet(text))
    except InvalidSpecifier as error:
        raise MetadataMismatch(f"{text[:200]!r} is no version specifier", where="requires_python") from error


def _requirement(text: str) -> str:
    try:
        return requirement_form(Requirement(text))
    except InvalidRequirement as error:
        raise MetadataMismatch(f"{text[:200]!r} is no requirement", where="requires_dist") from error
