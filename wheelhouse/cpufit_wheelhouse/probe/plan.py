"""Which CPU to ask next: a search for the least one on which the import ends well. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from .models import Model

Result = Literal["ok", "died", "inconclusive"]
"""``died``: by this wheel's own doing; ``inconclusive``: by a dependency's, or it took too long."""


def next_model(
    ladder: Sequence[Model], need: frozenset[str], results: Mapping[str, Result], budget: int
) -> Model | None:
    """Return the model to ask next; None when nothing is left that could change the verdict.

    It begins with the least model that has all that the wheel is thought to need. Where the import ends well there, it
    goes down by what the need would lose; where it does not, it looks further up, halving what is left.

    :param need: the features that the static verdict asks for
    :param results: what came of the models asked so far, by name
    :param budget: how many may be asked in all
    """
    if len(results) >= budget:
        return None
    first = next((index for index, model in enumerate(ladder) if need <= model.features), len(ladder))
    fitting = first < len(ladder)
    asked = {index: results[model.name] for index, model in enumerate(ladder) if model.name in results}
    if not asked and fitting:
        return ladder[first]
    good = [index for index, result in asked.items() if result == "ok"]
    bad = [index for index, result in asked.items() if result != "ok"]
    low = max(bad, default=-1)
    high = min(good, default=len(ladder))
    if not good and fitting:
        return ladder[_upward(low, len(ladder))] if low + 1 < len(ladder) else None
    # Below a model that is good enough, only those count on which something of the need is missing, each once.
    below = range(low + 1, min(high, first))
    cuts = {ladder[index].features & need: index for index in below}
    choices = sorted(index for cut, index in cuts.items() if high == len(ladder) or cut != ladder[high].features & need)
    if not choices:
        return None
    # one step at a time: what a verdict asks for beyond the import is mostly one feature
    return ladder[choices[-1]]


def _upward(low: int, count: int) -> int:
    return (low + count) // 2 if low + 1 < count else count - 1
