"""Names that a person could take for each other."""

from __future__ import annotations

import re

_LOOKALIKES = str.maketrans({"l": "1", "i": "1", "o": "0", "-": None})


def lookalike(name: str) -> str:
    """Return a text that is the same for two names which a person could take for each other.

    ``l``, ``1`` and ``i`` look alike, and ``o`` and ``0``; where the words of a name part, nobody remembers.
    """
    return re.sub(r"[-_.]+", "-", name).lower().translate(_LOOKALIKES)
