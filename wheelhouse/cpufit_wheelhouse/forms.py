"""The labelled forms of a stored wheel, for the variant view; what they are derived from is its need."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from .archive import WheelInfo
from .blobs import BlobStore, StagedBlob
from .catalog import NeedChange, NewDerived, NewFile
from .labelled import make_labelled
from .variant import properties_for

Forms = list[tuple[StagedBlob, NewDerived]]
"""Each form's bytes, sealed, and its row."""


def labelled_forms(kept: ExitStack, blobs: BlobStore, path: Path, info: WheelInfo, file: NewFile) -> Forms:
    """Make the wheel's form for the variant view, one per platform tag: a label never stands on a compressed set.

    An ordinary wheel has none, since that view shows it as it is; nor has one whose need no label covers.

    :param kept: what the staged blobs live in
    :param path: the wheel that ``info`` was read from
    """
    if file.need is None or not (file.cpu_specific and file.has_native):
        return []
    forms = []
    for platform in dict.fromkeys(info.filename.platforms):
        variant = properties_for(file.need, platform)
        if variant is None:
            continue
        staged = kept.enter_context(blobs.stage())
        filename = make_labelled(path, info, variant.label, variant.properties, platform, staged)
        staged.seal()
        form = NewDerived(
            version=file.version,
            kind="labelled",
            filename=filename,
            sha256=staged.digests.sha256,
            size=staged.size,
            label=variant.label,
            properties=variant.properties,
            metadata_sha256=file.metadata_sha256,
        )
        forms.append((staged, form))
    return forms


def with_forms(
    kept: ExitStack, blobs: BlobStore, info: WheelInfo, change: NeedChange, *, over: bool = False
) -> NeedChange:
    """Return a change of need with the labelled forms that follow from the new one.

    :param kept: what the staged blobs live in
    :param info: what was read of the file's blob
    :param over: whether a form's bytes take the place of those that lie there under the same hash
    """
    file = replace(change.file, need=change.need)
    forms = labelled_forms(kept, blobs, blobs.path(file.sha256), info, file)

    def move_blobs_in() -> list[Path]:
        return [folder for staged, _ in forms for folder in blobs.move(staged, over=over)]

    return replace(change, derived=[form for _, form in forms], before_commit=move_blobs_in)
