"""The selector: a small source distribution that hands a plain installer the best wheel for its CPU.

The flow::

    SelectorContents ─► pack ─► {name}-{version}.tar.gz ─► pip or uv unpacks it and calls its PEP 517 hooks
    (the server)        pkg_info, vendoring, pack           backend/, which travels as ``_cpufit_selector``

``pack`` takes values and returns bytes; nothing here touches the network. What runs on the client is ``backend``:
Python 3.8, the standard library, and what travels inside.
"""

from __future__ import annotations

from .contents import InvalidSelector, SelectorCandidate, SelectorContents, SourceCandidate
from .pack import pack, selector_filename
from .vendoring import travelling_files

__all__ = [
    "InvalidSelector",
    "SelectorCandidate",
    "SelectorContents",
    "SourceCandidate",
    "pack",
    "selector_filename",
    "travelling_files",
]
