"""Which form of the tables this cpufit knows."""

from __future__ import annotations

import re
from importlib import resources

_MIGRATION = re.compile(r"r(\d{4})_\w+\.py")


def newest_revision() -> str:
    """Return the revision of the tables that this cpufit knows: the number of its newest migration."""
    versions = resources.files(f"{__package__}.migrations.versions")
    return max(found[1] for entry in versions.iterdir() if (found := _MIGRATION.fullmatch(entry.name)))
