"""The judgement: what a wheel needs, from whichever source tells it; and the port for reading machine code.

In this order: what the uploader declares, the wheel's own ``variant.json``, the absence of machine code, an inspector.
A wheel about which none of them knows is *unknown*, which is ``None``: it is in no view unless policy lets it in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from cpufit_resolver.need import BASELINE_NEED, Need, parse_need

from .archive import WheelInfo
from .errors import NeedRefused
from .variant import need_from_variant_json


class Inspector(Protocol):
    """Reads the machine code of a wheel's native members. Here a real inspection is plugged in."""

    def inspect(self, path: Path, info: WheelInfo) -> Need | None:
        """Return what the machine code needs, per architecture; None if it cannot be told.

        Called once for a wheel that has native members and about which nobody said anything.
        """


class NoInspector:
    """Reads nothing: every wheel with machine code and without a declared need stays unknown."""

    def inspect(self, path: Path, info: WheelInfo) -> Need | None:  # noqa: ARG002  # the port's arguments
        """Return None: not inspected."""
        return None


def judge(info: WheelInfo, path: Path, declared: str | None, inspector: Inspector) -> Need | None:
    """Return the need of a wheel, or None while it is unknown.

    A declaration may raise what the wheel's own ``variant.json`` states, never lower it. A declaration for a wheel
    without machine code is honoured: it is somebody's word.

    :param path: the wheel that ``info`` was read from
    :param declared: the need as the uploader wrote it (:func:`cpufit_resolver.need.parse_need`)
    :raises InvalidCpuToken: the declaration cannot be read
    :raises InvalidVariantMetadata: the wheel's ``variant.json`` breaks a rule, or cannot be judged
    :raises NeedRefused: the declaration is below ``variant.json``, or says nothing of one of the architectures
    """
    architectures = info.filename.architectures()
    own = None
    if info.variant_json is not None:
        own = need_from_variant_json(info.variant_json, info.filename.label, architectures)
    stated = own
    if declared:
        stated = parse_need(declared, architectures)
        if own is not None and own != stated:
            stated = _raised(stated, own)
    if stated is not None:
        _check_complete(stated, info, architectures)
        return stated
    return inspector.inspect(path, info) if info.native else BASELINE_NEED


def _raised(declared: Need, own: Need) -> Need:
    for arch, part in own.by_arch:
        over = declared.on(arch)
        if over is None or not (part.at_import <= over.at_import and part.features <= over.features):
            raise NeedRefused(
                f"the declared need is {declared.key}, the wheel's variant.json says {own.key}",
                hint="a declaration may add to what the wheel says itself, not take away",
            )
    return Need(by_arch=declared.by_arch, source=declared.source, evidence=declared.evidence + own.evidence)


def _check_complete(need: Need, info: WheelInfo, architectures: frozenset[str]) -> None:
    # a need that names no architecture says "nothing beyond the baseline" of all of them
    open_ones = sorted(architectures - {arch for arch, _ in need.by_arch}) if need.by_arch else []
    if info.native and open_ones:
        raise NeedRefused(
            f"the need {need.key} says nothing of {', '.join(open_ones)}, for which the wheel has machine code too",
            hint="write a token for each architecture: x86_64_v3,aarch64_8_2a",
        )
