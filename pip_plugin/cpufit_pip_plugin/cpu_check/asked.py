"""The CPU that a question is about: named, wished for in the working folder's ``cpufit.toml``, or this one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cpufit_resolver.detection import DetectedCpu, detect, profile_for


def asked_cpu(
    token: str | None, project: str | None = None, detector: Callable[[], DetectedCpu] = detect
) -> DetectedCpu:
    """Return the CPU that is meant.

    :param token: what ``--cpu`` says
    :param project: what is to be installed; a wish for it counts
    :raises InvalidCpuToken: the token cannot be read
    :raises InvalidConfig: a ``cpufit.toml`` cannot be understood
    :raises MoreThanTheCpuHas: it asks for more than the CPU has
    """
    return profile_for(token, os.environ, detector, project=project, folder=_working_folder())


def _working_folder() -> Path | None:
    try:
        return Path.cwd()
    except OSError:  # somebody removed it
        return None
