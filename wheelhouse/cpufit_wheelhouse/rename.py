"""A wheel under another project's name: ``polars-lts-cpu`` as a variant of ``polars``.

What changes: the file name, ``Name`` and requirements on itself (extras) in METADATA, the ``.dist-info`` and ``.data``
folders, RECORD. Where the wheel came from is written into ``.dist-info/cpufit-provenance.json``. Every other member's
bytes stay as they are, and the same wheel gives the same bytes, everywhere.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name

from .archive import find_dist_info, is_folder_of, open_archive
from .errors import InvalidMetadata
from .filename import WheelFilename, parse_wheel_filename
from .framing import CHUNK
from .record import UNLISTED, RecordRow, format_record, own_row, parse_record, record_row
from .rewrite import Changes, Writable, rewrite_zip

PROVENANCE = "cpufit-provenance.json"
"""The member of ``.dist-info`` that tells the wheel's first name."""

_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_NAME_LINE = re.compile(rb"^(Name[ \t]*:[ \t]*)([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_REQUIREMENT = re.compile(rb"^(Requires-Dist[ \t]*:[ \t]*)([A-Za-z0-9._-]+)", re.IGNORECASE | re.MULTILINE)


def rename_wheel(source: Path, filename: str, new_name: str, target: Writable, *, url: str | None = None) -> str:
    """Write a wheel under another project's name and return its new file name.

    A wheel that already has the name is copied as it is. Only what has to be read is checked; check the result with
    :func:`.archive.open_wheel`.

    :param filename: the name under which the wheel was offered
    :param new_name: the project, as METADATA is to write it
    :param url: where the wheel was taken from, for the provenance
    :raises InvalidWheelName: a name that follows no grammar
    :raises WheelError: one of its kinds; the wheel cannot be read
    """
    name = parse_wheel_filename(filename)
    renamed = name.with_project(new_name)
    if renamed.name == name.name:
        with source.open("rb") as file:
            shutil.copyfileobj(file, target, CHUNK)
        return filename
    with open_archive(source, filename) as archive:
        dist_info = find_dist_info(archive.files, name)
        metadata = archive.text(f"{dist_info}/METADATA")
        rows = parse_record(archive.text(f"{dist_info}/RECORD"), where=f"{dist_info}/RECORD")
    move = _mover(name, renamed)
    folder = move(f"{dist_info}/").rstrip("/")
    contents = {
        f"{folder}/METADATA": renamed_metadata(metadata, name.name, new_name),
        f"{folder}/{PROVENANCE}": _provenance(source, name, url),
    }
    contents[f"{folder}/RECORD"] = _renamed_record(rows, move, contents, f"{folder}/RECORD")
    signatures = frozenset(f"{dist_info}/{unlisted}" for unlisted in UNLISTED)
    changes = Changes(contents=contents, last=f"{folder}/RECORD", rename=move, dropped=signatures)
    rewrite_zip(source, target, changes)
    return renamed.format()


def _mover(old: WheelFilename, new: WheelFilename) -> Callable[[str], str]:
    """Return the function from a member's name in the old wheel to its name in the new one."""

    def move(member: str) -> str:
        top, slash, rest = member.partition("/")
        for suffix in (".dist-info", ".data"):
            if is_folder_of(top, suffix, old):
                version = top.removesuffix(suffix).rpartition("-")[2]
                return f"{new.raw_name}-{version}{suffix}{slash}{rest}"
        return member

    return move


def _renamed_record(
    rows: tuple[RecordRow, ...], move: Callable[[str], str], contents: dict[str, bytes], record_name: str
) -> bytes:
    moved = [RecordRow(move(row.name), row.hash, row.size) for row in rows]
    kept = [row for row in moved if row.name not in contents and row.name != record_name]
    new = [record_row(name, data) for name, data in sorted(contents.items())]
    return format_record([*kept, *new, own_row(record_name)])


def renamed_metadata(metadata: bytes, old: NormalizedName, new_name: str) -> bytes:
    """Return METADATA with another ``Name``, and requirements on the old name turned to the new one.

    A wheel requires itself where one extra takes in another: ``polars-lts-cpu[numpy]`` becomes ``polars[numpy]``.
    The description, which stands behind the headers, and every other byte stay.

    :raises InvalidMetadata: there is not exactly one ``Name``
    """
    end = _END_OF_HEADERS.search(metadata)
    split = len(metadata) if end is None else end.start()
    head, body = metadata[:split], metadata[split:]
    new = new_name.encode("ascii")
    head, count = _NAME_LINE.subn(lambda match: match[1] + new, head)
    if count != 1:
        raise InvalidMetadata(f"{count} Name fields, not one", where="METADATA")

    def turned(match: re.Match[bytes]) -> bytes:
        return match[1] + (new if canonicalize_name(match[2].decode("ascii")) == old else match[2])

    return _REQUIREMENT.sub(turned, head) + body


def _provenance(source: Path, name: WheelFilename, url: str | None) -> bytes:
    hasher = hashlib.sha256()
    with source.open("rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    facts = {"name": name.name, "filename": name.format(), "sha256": hasher.hexdigest()}
    if url is not None:
        facts["url"] = url
    return (json.dumps(facts, sort_keys=True, indent=1) + "\n").encode()
