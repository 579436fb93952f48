"""Load from the other core: wrk where Debian has it, else the generator of this folder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from .processes import pinned
from .tools import system_program

CONNECTIONS = 16
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What a server did under load; times in milliseconds."""

    per_second: float
    p50: float
    p99: float
    errors: int = 0
    """Answers that are no 2xx or 3xx, and none at all."""

    def as_dict(self) -> dict[str, float]:
        """Return the figures, rounded to what they are worth."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How long each measurement takes, and with what it is made."""

    seconds: float
    wrk: Path | None

    @classmethod
    def found(cls, seconds: float) -> Load:
        """Return a load made by wrk where it can be had."""
        return cls(seconds=seconds, wrk=system_program("wrk", "wrk"))

    def rate(self, url: str, headers: Mapping[str, str], *, connections: int = CONNECTIONS) -> Rate:
        """Ask for one address over and over."""
        if self.wrk is None:
            return _own(url, headers, connections, self.seconds)
        told = [word for name, value in headers.items() for word in ("-H", f"{name}: {value}")]
        size = ["-t1", f"-c{connections}", f"-d{max(1, round(self.seconds))}s", "--latency", "--timeout", "60s"]
        ended = subprocess.run(
            pinned(1, [self.wrk, *size, *told, url]),
            capture_output=True,
            text=True,
            timeout=self.seconds + 120,
            check=True,
        )
        return parse_wrk(ended.stdout)


def parse_wrk(text: str) -> Rate:
    """Return the figures of wrk's report."""

    def figure(pattern: str, otherwise: str = "0") -> str:
        found = re.search(pattern, text)
        return otherwise if found is None else found[1]

    errors = [int(number) for number in re.findall(r"(?:connect|read|write|timeout) (\d+)", text)]
    return Rate(
        per_second=float(figure(r"Requests/sec:\s+([\d.]+)")),
        p50=_milliseconds(figure(r"50%\s+([\d.]+\w+)", "0ms")),
        p99=_milliseconds(figure(r"99%\s+([\d.]+\w+)", "0ms")),
        errors=sum(errors) + int(figure(r"Non-2xx or 3xx responses: (\d+)")),
    )


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    return 0.0 if found is None else float(found[1]) * _UNITS[found[2]]


def _own(url: str, headers: Mapping[str, str], connections: int, seconds: float) -> Rate:
    command: list[str | Path] = [
        sys.executable,
        Path(__file__).with_name("generator.py"),
        url,
        str(connections),
        str(seconds),
    ]
    ended = subprocess.run(
        pinned(1, [*command, json.dumps(dict(headers))]),
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=True,
    )
    return Rate(**json.loads(ended.stdout))


def rate_of(latencies: list[float], seconds: float, errors: int) -> dict[str, float]:
    """Return the figures of answers whose times, in seconds, are known, in a form that a process can print."""
    ordered = sorted(latencies) or [0.0]
    return {
        "per_second": len(latencies) / seconds,
        "p50": ordered[len(ordered) // 2] * 1000,
        "p99": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1000,
        "errors": errors,
    }
