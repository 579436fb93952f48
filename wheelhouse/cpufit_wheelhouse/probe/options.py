"""What an operator decides about probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """Limits and sources of a probe; every one has a default."""

    index_url: str | None = None
    """Where dependencies come from; with it, no other configuration of pip counts. None for pip's own configuration."""
    find_links: Path | None = None
    """A folder of wheels to take dependencies from, before the index."""
    interpreters: Mapping[str, Path] = field(default_factory=dict)
    """Pythons by tag (``cp311``), beside the running one and the ``pythonX.Y`` that are found by name."""
    smoke: str | None = None
    """Python to run after the import, as an operator or uploader wrote it."""
    time_limit: float = 300.0
    """Seconds for one run."""
    install_time_limit: float = 900.0
    """Seconds for fetching the dependencies."""
    install_bytes: int = 16 << 30
    """What the wheel and its dependencies may take on the disk, while one probe lasts."""
    memory_bytes: int = 16 << 30
    """The address space of each process of one run, and the memory of all of them together."""
    file_bytes: int = 256 << 20
    """The largest file that a run may write, and the most that its two folders in memory hold."""
    processes: int = 256
    """How many processes and threads a run may have, where this user's are counted."""
    max_probes: int = 3
    """How many CPUs are asked, besides the controls."""
    arm64_root: Path | None = None
    """The root of an arm64 Debian with its Python, for wheels of that architecture."""
    smoke_folder: Path | None = None
    """Files ``PROJECT.py`` with such Python for single projects, normalized names; before ``smoke``."""

    @property
    def longest(self) -> float:
        """How many seconds a whole probe can take: the dependencies, the controls and the CPUs."""
        return self.install_time_limit + (self.max_probes + 4) * self.time_limit

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        plain = asdict(self)
        for name in ("find_links", "arm64_root", "smoke_folder"):
            plain[name] = None if plain[name] is None else str(plain[name])
        return plain | {"interpreters": {tag: str(path) for tag, path in self.interpreters.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ProbeOptions:
        """Return it from its JSON form."""
        values = dict(data)
        for name in ("find_links", "arm64_root", "smoke_folder"):
            values[name] = None if values[name] is None else Path(values[name])
        values["interpreters"] = {tag: Path(path) for tag, path in values["interpreters"].items()}
        return cls(**values)
