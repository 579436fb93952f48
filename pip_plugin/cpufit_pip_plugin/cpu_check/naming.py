"""The CPU's name for a person, by py-cpuinfo where nothing faster tells it, as on most arm64 systems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cpufit_resolver.detection import DetectedCpu, detect
from cpufit_resolver.detection.decide import EMULATOR


def brand_by_py_cpuinfo() -> str | None:
    """Return the name that py-cpuinfo finds by ``lscpu``, the registry and more; takes a second."""
    try:
        from cpuinfo import get_cpu_info  # noqa: PLC0415  # 20 ms that most machines do without

        told = get_cpu_info().get("brand_raw")
    except Exception:  # noqa: BLE001  # it starts programs and reads files of every kind of system
        return None
    return str(told).strip() or None if told else None


def detect_named() -> DetectedCpu:
    """Return this CPU with a name, if it can be had."""
    return named(detect(brand=True), brand_by_py_cpuinfo)


def named(found: DetectedCpu, ask: Callable[[], str | None]) -> DetectedCpu:
    """Return a CPU with the name that ``ask`` knows, where it has none; an emulator's host is not asked for its own."""
    if found.brand is not None or any(hidden.by == EMULATOR for hidden in found.hidden):
        return found
    return replace(found, brand=ask())
