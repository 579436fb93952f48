"""The checks of one uploaded file, in their order, before its machine code is read."""

from __future__ import annotations

from cpufit_wheelhouse.archive import MemberWatch, WheelInfo
from cpufit_wheelhouse.obfuscation import refuse_obfuscated
from cpufit_wheelhouse.sdist import SdistInfo

from .claims import check_claims
from .descriptive import check_license_files, check_metadata
from .names import check_sdist_name, check_wheel_name
from .rules import Submission


def member_watch(submission: Submission) -> MemberWatch | None:
    """Return what looks at the members of an upload while they are read; None where the rules ask for nothing."""
    rules = submission.rules
    return refuse_obfuscated if rules is not None and rules.refuse_obfuscated else None


def check_wheel(info: WheelInfo, submission: Submission) -> None:
    """Hold a wheel to what its form says and to the rules of this index.

    :raises WheelError: one of its kinds, for the first rule that is broken
    """
    check_claims(submission, info.metadata)
    rules, where = submission.rules, f"{info.dist_info}/METADATA"
    if rules is None:
        return
    check_wheel_name(info.filename, rules)
    fields = check_metadata(info.metadata, rules, where=where)
    if rules.descriptive_metadata:
        check_license_files(fields, frozenset(info.members), f"{info.dist_info}/licenses/", where=where)


def check_sdist(info: SdistInfo, submission: Submission) -> None:
    """Hold a source distribution to what its form says and to the rules of this index.

    :raises WheelError: one of its kinds, for the first rule that is broken
    """
    check_claims(submission, info.metadata)
    rules = submission.rules
    if rules is None:
        return
    check_sdist_name(info.filename, info.metadata, rules)
    fields = check_metadata(info.metadata, rules, where="PKG-INFO")
    if rules.descriptive_metadata:
        check_license_files(fields, info.members, "", where="PKG-INFO")
