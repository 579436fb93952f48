"""From a CPU and the indexes to environment variables; values in, values out.

pip carries the profile in its User-Agent, so its index stays as it is. uv has no such place, so its index becomes the
profile URL, but only for what installs here and now: a profile URL in ``uv.lock`` would bind it to one machine.

The variable is ``UV_INDEX_URL`` unless the user has ``UV_DEFAULT_INDEX``: uv lets the latter win over an
``--index-url`` on its own command line, and a user's option has to count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from .addresses import names_a_cpu, plain_url, profile_url
from .indexes import ChosenIndex
from .user_data import VARIABLE, with_profile

_UV_INSTALLS = frozenset({"pip", "tool"})
_UV_LOCKS = frozenset({"lock", "sync", "add", "remove", "run", "export", "tree", "version", "build", "init", "venv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """What to set, for everything and for what installs into this machine alone."""

    everywhere: Mapping[str, str]
    installing: Mapping[str, str] = field(default_factory=dict)
    """Comes on top for ``uv pip``, ``uv tool``, ``uvx`` and pipx."""


def variables_for(token: str, environ: Mapping[str, str], pip: ChosenIndex | None, uv: ChosenIndex | None) -> Variables:
    """Return the variables that tell a CPU.

    :param pip: the index that pip asks
    :param uv: the index that uv asks, where it may be told the profile by URL; None leaves uv's index alone
    """
    everywhere = {VARIABLE: with_profile(environ.get(VARIABLE), token)}
    if pip is not None and (pip.explicit or names_a_cpu(pip.address)):
        # on a profile URL the address counts and the User-Agent does not
        everywhere["PIP_INDEX_URL"] = plain_url(pip.address)
    if uv is None:
        return Variables(everywhere=everywhere)
    name = "UV_DEFAULT_INDEX" if environ.get("UV_DEFAULT_INDEX") else "UV_INDEX_URL"
    everywhere[name] = uv.named + plain_url(uv.address)
    return Variables(everywhere=everywhere, installing={name: uv.named + profile_url(uv.address, token)})


def installs_here(command: Sequence[str]) -> bool:
    """Tell whether a command installs into this machine with uv and writes no lock.

    In doubt it does not: the plain URL is right everywhere, only slower where the selector has to choose.
    """
    program = _program(command[0])
    words = list(command[1:])
    if program.startswith(("python", "pypy")) and "-m" in words[:-1]:
        at = words.index("-m")
        program, words = words[at + 1], words[at + 2 :]
    if program == "uv":
        return _uv_installs(words)
    return program in ("uvx", "pipx")


def _program(path: str) -> str:
    # both kinds of separators: a Windows path may be written with either
    name = PurePath(path.replace("\\", "/")).name.lower()
    return name.removesuffix(".exe")


def _uv_installs(words: Sequence[str]) -> bool:
    """Follow the rule that the shell functions of :mod:`shells` follow."""
    for number, word in enumerate(words):
        if word in _UV_LOCKS:
            return False
        if word == "pip":
            following = [one for one in words[number + 1 :] if not one.startswith("-")]
            return following[:1] != ["compile"]  # its output is a lock by another name
        if word in _UV_INSTALLS:
            return True
    return False


def names_an_index(command: Sequence[str]) -> bool:
    """Tell whether a command says itself which index to ask."""
    options = ("--index-url", "--default-index", "-i")
    return any(word in options or word.startswith(tuple(f"{one}=" for one in options[:2])) for word in command[1:])
