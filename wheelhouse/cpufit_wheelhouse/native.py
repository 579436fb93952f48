"""Which members hold machine code, told by their first bytes and not by their names.

Magic numbers: ELF from the System V gABI ("ELF Header"), PE from Microsoft's "PE Format" (an MS-DOS stub begins every
image), Mach-O and universal binaries from Apple's ``mach-o/loader.h`` and ``mach-o/fat.h``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NativeKind = Literal["elf", "pe", "macho"]

PREFIX_LENGTH = 8
"""How many first bytes :func:`native_kind` wants to see."""

_MACHO_THIN = (b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
_MACHO_FAT = {b"\xca\xfe\xba\xbe": "big", b"\xca\xfe\xba\xbf": "big", b"\xbe\xba\xfe\xca": "little"}
_MOST_FAT_ARCHITECTURES = 43
"""A Java class file begins as a universal binary does; its next four bytes hold its version, at least 45."""


@dataclass(frozen=True, slots=True)
class NativeMember:
    """A member of a wheel that holds machine code."""

    name: str
    kind: NativeKind


def native_kind(prefix: bytes) -> NativeKind | None:
    """Return what kind of machine code a file holds, by its first :data:`PREFIX_LENGTH` bytes; None for none.

    A doubtful file counts as machine code: that makes a wheel unknown, never wrongly safe.
    """
    if prefix.startswith(b"\x7fELF"):
        return "elf"
    if prefix.startswith(b"MZ"):
        return "pe"
    if prefix.startswith(_MACHO_THIN):
        return "macho"
    order = _MACHO_FAT.get(prefix[:4])
    if order is None:
        return None
    count = int.from_bytes(prefix[4:8], "big" if order == "big" else "little")
    return "macho" if 0 < count <= _MOST_FAT_ARCHITECTURES else None
