"""Whether an index is a cpufit server: one light question to its JSON API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from cpufit_pip_plugin.cpu_check.index import IndexAddress, IndexCannotAnswer, ask

SECONDS = 5
"""How long an answer is waited for: a shell that starts waits with it."""

_ASKED_FOR = "cpufit"
"""Any project's name: hosted or not, only a cpufit server answers with this API's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is known of an index."""

    kind: Literal["cpufit", "other", "unknown"]
    reason: str = ""
    """Why nothing is known."""


NOT_ASKED = Checked(kind="unknown", reason="it was not asked")


def check(address: IndexAddress, environ: Mapping[str, str], *, seconds: float = SECONDS) -> Checked:
    """Ask an index whether it is one of ours; what stands between (no network, credentials wanted) tells nothing."""
    try:
        status, body = ask(
            f"{address.base}/api/v1/projects/{_ASKED_FOR}", environ, seconds=seconds, follow_redirects=True
        )
    except IndexCannotAnswer as error:
        return Checked(kind="unknown", reason=error.message)
    if status == 200 and isinstance(body.get("releases"), list):
        return Checked(kind="cpufit")
    if status == 404 and body.get("code") == "no-such-project":
        return Checked(kind="cpufit")
    if status in (200, 404, 405, 410):
        return Checked(kind="other", reason=f"HTTP {status}")
    return Checked(kind="unknown", reason=f"it answers HTTP {status}")
