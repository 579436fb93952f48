"""What CPUs have, what wheels need, and which wheel a machine gets.

The flow, in the order of the modules::

    probe ─► parse ─► decide ─► CpuProfile ─┐
    (detection)                             ├─► select ─► Selection: wheels that fit, best first, and refusals
    features, baseline ─► Need ─► Candidate ┘

Everything but :mod:`cpufit_resolver.detection.probe` takes values and returns values. Standard library alone, Python
3.8: these modules travel inside the selector that a plain installer runs.
"""

from __future__ import annotations

from .baseline import platform_baseline, shared_baseline
from .errors import CpufitError, DetectionFailed, InvalidCpuToken, UnknownCpuFeature
from .need import BASELINE_NEED, ArchNeed, Need, is_ordinary, missing_features, parse_need
from .profile import CpuProfile, format_token, parse_token
from .refusals import Refusal
from .selection import Candidate, Selection, select

__all__ = [
    "BASELINE_NEED",
    "ArchNeed",
    "Candidate",
    "CpuProfile",
    "CpufitError",
    "DetectionFailed",
    "InvalidCpuToken",
    "Need",
    "Refusal",
    "Selection",
    "UnknownCpuFeature",
    "format_token",
    "is_ordinary",
    "missing_features",
    "parse_need",
    "parse_token",
    "platform_baseline",
    "select",
    "shared_baseline",
]
