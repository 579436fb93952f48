"""The profile in pip's User-Agent: what ``PIP_USER_AGENT_USER_DATA`` says, ours beside the user's own.

pip puts the variable's text into the JSON part of its User-Agent as ``user_data``. Ours reads ``cpufit=TOKEN`` in a
text, and the key ``cpufit`` where the text is a JSON object: appending to one would make it unreadable for whoever
the user wrote it for.
"""

from __future__ import annotations

import json
import re
from typing import Any

VARIABLE = "PIP_USER_AGENT_USER_DATA"

_TOKEN = re.compile(r"(?:^|[;,\s])\s*cpufit=([A-Za-z0-9_.+]+)")


def token_in(user_data: str) -> str | None:
    """Return the CPU token that a text tells, unread; None where it tells none."""
    told = _json_object(user_data)
    if told is not None and isinstance(told.get("cpufit"), str):
        return str(told["cpufit"])
    found = _TOKEN.search(user_data)
    return None if found is None else found.group(1)


def with_profile(user_data: str | None, token: str) -> str:
    """Return the text with this token in it, in place of a token that it told before; all else is kept."""
    own = (user_data or "").strip()
    told = _json_object(own)
    if told is not None:
        return json.dumps({**told, "cpufit": token}, ensure_ascii=False)
    others = _TOKEN.sub("", own).strip(" ;,\t\r\n")
    return f"{others}; cpufit={token}" if others else f"cpufit={token}"


def _json_object(text: str) -> dict[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
