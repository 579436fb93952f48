"""Figures as a table that a person reads: each index beside this one."""

from __future__ import annotations

from typing import Any

OURS = "cpufit"
ByIndex = dict[str, dict[str, dict[str, Any]]]


def lines(phase: str, found: ByIndex) -> list[str]:
    """Return the tables of one phase, one for each measure; the ratio is how many times as much this server does."""
    measures = list(dict.fromkeys(measure for figures in found.values() for measure in figures))
    told = [f"== {phase}"]
    for measure in measures:
        told += ["", measure]
        ours = found.get(OURS, {}).get(measure)
        for name, figures in found.items():
            told.append(f"  {name:26}{_row(figures[measure], ours) if measure in figures else '-'}")
    return told


def _row(figures: dict[str, Any], ours: dict[str, Any] | None) -> str:
    if "resident" in figures:
        return f"{figures['resident'] / 1e6:10.0f} MB{_ratio(figures, ours, 'resident', less=True)}"
    if "seconds" in figures:
        return f"{figures['seconds']:10.3f} s {_ratio(figures, ours, 'seconds', less=True)}"
    apart = f"   {figures['errors']:.0f} errors" if figures.get("errors") else ""
    if "cpu_ms" in figures:
        apart += f"   CPU {figures['cpu_ms']:.2f} ms each   {figures['shared']:.1f} in a commit"
    return (
        f"{figures['per_second']:10.1f}/s   p50 {figures['p50']:9.2f} ms   p99 {figures['p99']:9.2f} ms"
        f"{_ratio(figures, ours, 'per_second', less=False)}{apart}"
    )


def _ratio(figures: dict[str, Any], ours: dict[str, Any] | None, key: str, *, less: bool) -> str:
    if ours is None or ours is figures or not figures.get(key) or not ours.get(key):
        return ""
    ratio = figures[key] / ours[key] if less else ours[key] / figures[key]
    return f"   {OURS} x {ratio:.2f}"
