"""How much a wheel or a source distribution may hold; :mod:`.archive` and :mod:`.sdist` keep to it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What an archive may unpack to. The defaults leave room for the largest wheels there are (several GB)."""

    max_members: int = 200_000
    max_unpacked_bytes: int = 32 << 30
    """All members together, in bytes; for a source distribution the whole tar."""
    max_ratio: int = 50
    """Unpacked to packed size, for archives that unpack to more than 64 MiB; deflate can reach 1,032."""
    max_record_bytes: int = 32 << 20
    """RECORD, which is kept in memory."""
    max_text_bytes: int = 8 << 20
    """Each of the other files that are kept in memory: METADATA, WHEEL, variant.json, PKG-INFO."""
    max_directory_bytes: int = 64 << 20
    """The zip's own directory, which is kept in memory too."""


DEFAULT_LIMITS = ArchiveLimits()
