"""How a route tells the front that what it answers may be kept, and until when.

The front hands a slot down in the request's scope; a route that knows its answer to depend on one project alone fills
it. The serial is read before the answer is made: an answer that is older than its serial would be kept too long.

What passes through from upstream is kept under the name of a project that is not hosted: as soon as it is, the answer
is another one. Its page depends on what is in memory besides, which it is asked for each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request

    from cpufit_server.negotiation import Form
    from cpufit_server.pages import RenderedPage

SLOT = "cpufit.slot"
"""The key in a request's scope."""

LOOK = "cpufit.look"
"""The key in a request's scope of what tells serials at once, on the thread that serves."""

NOT_HOSTED = -1
"""Stands for the serial of a project that is not hosted; those that are count from nought."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPage:
    """A project's page, good for every request of the same wish."""

    name: str
    serial: int
    page: RenderedPage
    form: Form
    shared: bool
    """As :func:`cpufit_server.page_response.page_response` takes it."""
    on_hit: Callable[[Request], None] | None = None
    """To be called for each request that is answered with it."""
    still: Callable[[], bool] | None = None
    """Tells in no time whether it is the answer still; None where the serial tells all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A whole file, good for every request of the same path."""

    name: str
    """The project through which it is here."""
    serial: int
    path: Path
    size: int
    """Bytes."""
    headers: Mapping[str, str]
    on_hit: Callable[[Request], None] | None = None
    """To be called for each request that is answered with it."""


@dataclass(slots=True)
class ReadyFigures:
    """How many answers went out ready."""

    hits: int = 0


@dataclass(slots=True)
class Slot:
    """What a route leaves for the front."""

    kept: KeptPage | KeptFile | None = None


def is_elsewhere(scope: MutableMapping[str, Any], name: str) -> bool:
    """Tell whether a project is surely not hosted now; where no front can tell at once, False.

    For routes that are coroutines: the look is made on the thread that serves. It costs microseconds, where asking the
    catalog in a thread of its own costs most of a millisecond.
    """
    look: Callable[[str], int | None] | None = scope.get(LOOK)
    return look is not None and look(name) == NOT_HOSTED


def may_keep(scope: MutableMapping[str, Any]) -> bool:
    """Tell whether a front is there that would keep an answer: what it costs to say so need not be spent otherwise."""
    return isinstance(scope.get(SLOT), Slot)


def keep(scope: MutableMapping[str, Any], answer: KeptPage | KeptFile) -> None:
    """Tell the front, if there is one, that an answer may be kept."""
    slot = scope.get(SLOT)
    if isinstance(slot, Slot):
        slot.kept = answer
