r"""Code that nobody can read before it runs: files protected by PyArmor or SourceDefender.

They are told by what those tools write, not by words. PyArmor writes a call of its runtime with a bytes literal of
hundreds of characters (``__pyarmor__(__name__, __file__, b'PY000000\x00…')``), which is a bytes constant in bytecode,
and puts the runtime library into a folder of its name. SourceDefender writes files that are one block between a
``BEGIN PYE FILE`` and an ``END PYE FILE`` line. Text that names them, or shows the beginning of such a call, has none
of this. Somebody who hides it on purpose gets past, and archives inside an archive are not opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .errors import ObfuscatedCode
from .native import PREFIX_LENGTH, native_kind

_WINDOW = 1024
"""Bytes of a member that are looked at again with the next ones: more than any pattern below spans."""

_HEAD = 64
"""First bytes of a member that are kept."""

_PYARMOR_NAME = b"pyarmor"
_PYARMOR_CALL = re.compile(
    rb"(?<![\w.])(?:__pyarmor__|pyarmor)\([ \t]{0,4}__name__,[ \t]{0,4}(?:__file__,[ \t]{0,4})?"
    rb"b(?P<quote>['\"])(?:\\[^\n]|(?!(?P=quote))[^\\\n]){256}"
)
"""The call in source. An empty module makes a literal of 500 characters; what is quoted for people is far shorter."""

_PYARMOR_CONSTANT = re.compile(rb"[s\xf3].{3}\0PY(?:[0-9]{6}|ARMOR)\0", re.DOTALL)
"""Its argument in bytecode: a bytes object as :mod:`marshal` writes it, with PyArmor's own header."""

_PYARMOR_LIBRARY = re.compile(
    r"(?:^|/)(?:pyarmor_runtime(?:_\d+)?/pyarmor_runtime|pytransform(?:_\w+)?/_?pytransform)(?:\.[\w-]+)*\.(?:so|pyd|dll|dylib)$"
)
"""The runtime where PyArmor puts it; in the packages of PyArmor itself it lies elsewhere."""

_PYE_BEGIN = re.compile(rb"\s*-{3,5}BEGIN PYE FILE-{3,5}\r?\n")
_PYE_END = re.compile(rb"\n-{3,5}END PYE FILE-{3,5}\s*\Z")


def refuse_obfuscated(name: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on a member's bytes, and look at them on the way; memory stays constant.

    :param name: the member, as errors call it
    :raises ObfuscatedCode: it is protected by PyArmor or SourceDefender; at the latest behind its last piece
    """
    head = tail = b""
    bytecode = named = False
    for piece in pieces:
        if len(head) < _HEAD:
            head = (head + piece[:_HEAD])[:_HEAD]
        window = tail + piece
        if _PYARMOR_NAME in window:
            named = True
            if _PYARMOR_CALL.search(window):
                raise _refused("PyArmor", name)
        bytecode = bytecode or _PYARMOR_CONSTANT.search(window) is not None
        tail = window[-_WINDOW:]
        yield piece
    if (bytecode and named) or (_PYARMOR_LIBRARY.search(name) and native_kind(head[:PREFIX_LENGTH])):
        raise _refused("PyArmor", name)
    if _PYE_BEGIN.match(head) and _PYE_END.search(tail):
        raise _refused("SourceDefender", name)


def _refused(tool: str, name: str) -> ObfuscatedCode:
    return ObfuscatedCode(f"it is protected by {tool}", where=ascii(name))
