"""Who asks: from a User-Agent or a token in the address to the view that this client gets.

Nothing here fails. What cannot be parsed, or is longer than the settings allow, counts as not said, and whoever says
nothing gets what runs on every CPU.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from packaging.version import InvalidVersion, Version

from cpufit_pip_plugin.telling.user_data import token_in
from cpufit_resolver.errors import InvalidCpuToken
from cpufit_resolver.profile import CpuProfile

FIRST_UV_WITH_VARIANTS = Version("0.13.6")
"""The first uv that can read variant labels (with ``--preview-features wheel-variants``) and otherwise skips them."""

_UV = re.compile(r"uv/([0-9A-Za-z.+!-]+)(?= |$)")
_PYTHON = re.compile(r"(3\.\d{1,2})(?:\.|$)")
_SYSTEMS = {"Linux": "linux", "Darwin": "macosx", "Windows": "win"}


class View(Enum):
    """The ways to see a project's files."""

    PLAIN = "plain"
    VARIANT = "variant"
    PROFILE = "profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """What a request tells about its client; ``profile`` is there exactly in the profile view."""

    view: View
    profile: CpuProfile | None = None


NOBODY = Asker(view=View.PLAIN)
"""A client that tells nothing."""


def asker_of_user_agent(user_agent: str | None, *, max_length: int, max_token_length: int) -> Asker:
    """Return what a User-Agent tells: pip's profile, a uv that knows variants, or nothing.

    pip puts the environment variable ``PIP_USER_AGENT_USER_DATA`` into the JSON part as ``user_data``; ours reads
    ``cpufit=TOKEN``, or the key ``cpufit`` of a JSON object.

    :param max_length: longest User-Agent looked at, in characters
    :param max_token_length: longest CPU token looked at, in characters
    """
    if user_agent is None or len(user_agent) > max_length:
        return NOBODY
    told = token_in(_user_data(user_agent))
    if told is not None:
        return asker_of_token(told, max_token_length=max_token_length)
    match = _UV.match(user_agent)
    if match is not None:
        try:
            knows_variants = Version(match.group(1)) >= FIRST_UV_WITH_VARIANTS
        except InvalidVersion:
            knows_variants = False
        return Asker(view=View.VARIANT) if knows_variants else NOBODY
    return NOBODY


def asker_of_token(token: str, *, max_token_length: int) -> Asker:
    """Return what a CPU token tells: the profile view, or nothing if it cannot be read.

    A feature that our tables do not have yet is dropped; the machine still has all the others.
    """
    if len(token) > max_token_length:
        return NOBODY
    try:
        return Asker(view=View.PROFILE, profile=CpuProfile.parse(token, strict=False))
    except InvalidCpuToken:
        return NOBODY


def surroundings_of(user_agent: str | None, arch: str, *, max_length: int) -> tuple[str, str]:
    """Return the Python and the platform that pip and uv tell of: ``3.11``, ``linux_x86_64``; empty where not told.

    :param arch: of the CPU that the client told
    """
    if user_agent is None or len(user_agent) > max_length:
        return "", ""
    facts = _facts(user_agent)
    told = facts.get("system")
    system = _SYSTEMS.get(str(told.get("name") if isinstance(told, dict) else None))
    python = _PYTHON.match(str(facts.get("python", "")))
    return "" if python is None else python.group(1), "" if system is None else f"{system}_{arch}"


def _user_data(user_agent: str) -> str:
    told = _facts(user_agent).get("user_data")
    return told if isinstance(told, str) else ""


def _facts(user_agent: str) -> dict[str, Any]:
    """Return the JSON object in a User-Agent of pip or uv; empty where there is none."""
    start = user_agent.find("{")
    if start < 0:
        return {}
    try:
        facts: Any = json.loads(user_agent[start:])
    except (ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
