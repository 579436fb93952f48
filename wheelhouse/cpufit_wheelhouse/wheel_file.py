"""``WHEEL``: the version of a wheel's format, and the tags that it was built for.

Specification: binary distribution format, section "The .dist-info directory".
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser

from .errors import InvalidMetadata, TagsMismatch
from .filename import WheelFilename


def read_wheel_file(data: bytes, where: str) -> Message:
    """Return the fields of a ``WHEEL`` file.

    :param where: what errors call the file
    :raises InvalidMetadata: it is of a version that is not known here
    """
    wheel = BytesParser().parsebytes(data, headersonly=True)
    major = str(wheel.get("Wheel-Version", "")).strip().partition(".")[0]
    if major != "1":
        raise InvalidMetadata(f"Wheel-Version {wheel.get('Wheel-Version')!r} is not understood", where=where)
    return wheel


def expanded_tag(tag: str) -> frozenset[str]:
    """Return every single tag that one ``Tag`` line stands for; some tools write a compressed set there.

    :raises InvalidMetadata: it has not three parts
    """
    parts = tag.strip().lower().split("-")
    if len(parts) != 3:
        raise InvalidMetadata(f"{tag!r} is not a tag", where="WHEEL")
    pythons, abis, platforms = (part.split(".") for part in parts)
    return frozenset(f"{p}-{a}-{f}" for p in pythons for a in abis for f in platforms)


def check_tags(wheel: Message, name: WheelFilename, where: str) -> None:
    """Check that a ``WHEEL`` file gives the tags of the file name, in any spelling of sets.

    :raises InvalidMetadata: one of its tags is none
    :raises TagsMismatch: they are others
    """
    inside = frozenset(tag for line in wheel.get_all("Tag", []) for tag in expanded_tag(str(line)))
    if inside != name.tags:
        only_inside, only_outside = sorted(inside - name.tags), sorted(name.tags - inside)
        raise TagsMismatch(
            f"only in WHEEL: {', '.join(only_inside) or 'none'}; only in the file name: "
            f"{', '.join(only_outside) or 'none'}",
            where=where,
        )
