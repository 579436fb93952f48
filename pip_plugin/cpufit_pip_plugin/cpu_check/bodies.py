"""The JSON forms that several reports share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cpufit_resolver.detection import DetectedCpu

    from .installers import Warned


def cpu_body(cpu: DetectedCpu, warnings: Sequence[Warned]) -> dict[str, Any]:
    """Return the JSON object that describes a CPU."""
    return {
        "profile": cpu.profile.token,
        "features": sorted(cpu.profile.features),
        "level": cpu.profile.level,
        "arch": cpu.profile.arch,
        "brand": cpu.brand,
        "source": cpu.source,
        "hidden": [
            {"by": hidden.by, "features": sorted(hidden.features), "sentence": hidden.sentence} for hidden in cpu.hidden
        ],
        "warnings": [warning.as_dict() for warning in warnings],
    }
