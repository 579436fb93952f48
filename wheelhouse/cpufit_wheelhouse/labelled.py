"""The labelled form of a wheel, which only the variant view hands out.

Specification: PEP 825, sections "Variant wheel file names" and "Variant metadata". A label never stands on a
compressed set of platform tags: pip up to 22.2 reads ``A.B-label`` as the platforms ``A`` and ``B-label``, and installs
the wheel on any CPU. So there is one labelled file for each platform tag.
"""

from __future__ import annotations

import re
from pathlib import Path

from .archive import WheelInfo, open_archive
from .record import UNLISTED, format_record, own_row, parse_record, record_row
from .rewrite import Changes, Writable, rewrite_zip
from .variant import Properties, variant_json
from .wheel_file import expanded_tag


def labelled_filename(info: WheelInfo, label: str, platform: str) -> str:
    """Return the name of a wheel's labelled form for one of its platform tags.

    :raises InvalidWheelName: the label does not follow the grammar
    :raises ValueError: the wheel has no such platform tag, or the tag is a compressed set
    """
    if platform not in info.filename.platforms:
        raise ValueError(f"{platform!r} is none of the wheel's platform tags, {info.filename.platforms}")
    return info.filename.ordinary().with_platform(platform).with_label(label).format()


def make_labelled(
    source: Path, info: WheelInfo, label: str, properties: Properties, platform: str, target: Writable
) -> str:
    """Write the labelled form of a wheel and return its file name.

    The same wheel, label, properties and platform give the same bytes, everywhere. A ``variant.json`` that the wheel
    has is replaced; signatures of RECORD, which no longer hold, are left out.

    :param info: what :func:`.archive.open_wheel` found in the source
    :raises InvalidWheelName: the label does not follow the grammar
    :raises ValueError: the wheel has no such platform tag
    """
    filename = labelled_filename(info, label, platform)
    record_name = f"{info.dist_info}/RECORD"
    with open_archive(source, info.filename.format()) as archive:
        wheel = archive.text(f"{info.dist_info}/WHEEL")
        rows = parse_record(archive.text(record_name), where=record_name)
    contents = {
        f"{info.dist_info}/WHEEL": for_platform(wheel, platform),
        f"{info.dist_info}/variant.json": variant_json(label, properties),
    }
    left_out = contents.keys() | {record_name}
    kept = [row for row in rows if row.name not in left_out]
    contents[record_name] = format_record(
        [*kept, *(record_row(name, data) for name, data in sorted(contents.items())), own_row(record_name)]
    )
    signatures = frozenset(f"{info.dist_info}/{name}" for name in UNLISTED)
    rewrite_zip(source, target, Changes(contents=contents, last=record_name, dropped=signatures))
    return filename


def for_platform(wheel: bytes, platform: str) -> bytes:
    """Return a ``WHEEL`` file whose ``Tag`` lines are those of one platform, one line for each single tag."""
    # bytes that are no UTF-8 stand in no Tag line that passed the checks, and are kept as they are
    lines = re.split("\r\n|\r|\n", wheel.decode("utf-8", "surrogateescape"))
    if not lines[-1]:
        lines.pop()  # what stands behind the last line's end is no line
    tags: dict[str, None] = {}
    others: list[str] = []
    first = len(lines)
    for line in lines:
        field, _, value = line.partition(":")
        if field.lower() != "tag":
            others.append(line)
            continue
        first = min(first, len(others))
        tags.update(dict.fromkeys(tag for tag in sorted(expanded_tag(value)) if tag.endswith(f"-{platform}")))
    return ("\n".join([*others[:first], *(f"Tag: {tag}" for tag in tags), *others[first:]]) + "\n").encode(
        "utf-8", "surrogateescape"
    )
