"""The one door to what travels inside.

Relative imports, so that a ``cpufit_resolver`` or ``packaging`` which happens to be importable in the build environment
is never taken. In cpufit's own source tree nothing is vendored, and the same names come from where they are installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__ != "_cpufit_selector":
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    from cpufit_resolver import Candidate, CpufitError, CpuProfile, Need, Selection, select
    from cpufit_resolver.detection import DetectedCpu, profile_for
    from cpufit_resolver.need import missing_features
    from cpufit_resolver.refusals import NEEDS_FEATURES, NOT_INSPECTED, OTHER_PLATFORM, Refusal
    from cpufit_resolver.wanted import report_body
else:
    from ._vendor.cpufit_resolver import Candidate, CpufitError, CpuProfile, Need, Selection, select
    from ._vendor.cpufit_resolver.detection import DetectedCpu, profile_for
    from ._vendor.cpufit_resolver.need import missing_features
    from ._vendor.cpufit_resolver.refusals import NEEDS_FEATURES, NOT_INSPECTED, OTHER_PLATFORM, Refusal
    from ._vendor.cpufit_resolver.wanted import report_body
    from ._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
    from ._vendor.packaging.tags import sys_tags
    from ._vendor.packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
    from ._vendor.packaging.version import InvalidVersion, Version

__all__ = [
    "NEEDS_FEATURES",
    "NOT_INSPECTED",
    "OTHER_PLATFORM",
    "Candidate",
    "CpuProfile",
    "CpufitError",
    "DetectedCpu",
    "InvalidSpecifier",
    "InvalidVersion",
    "InvalidWheelFilename",
    "Need",
    "Refusal",
    "Selection",
    "SpecifierSet",
    "Version",
    "canonicalize_name",
    "missing_features",
    "parse_wheel_filename",
    "profile_for",
    "report_body",
    "select",
    "sys_tags",
]
