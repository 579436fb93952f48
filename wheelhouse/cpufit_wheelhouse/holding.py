"""Held files: uploads whose verdict takes longer than their uploader waits.

A held file is in no view, and nobody may rely on its name: the rules of identity are applied when the verdict comes, as
if it were uploaded then. It lies in ``held/`` of the home until that is done, so a server that was stopped meanwhile
inspects it anew when it starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from cpufit_resolver.errors import CpufitError

from .blobs import BlobStore, StagedBlob
from .catalog import Catalog, HeldFile, NewHeld
from .filename import parse_wheel_filename
from .ingest import Ingest
from .inspection.verdict import Verdict

KEPT_FOR = timedelta(days=30)
"""How long the record of a held file that was decided is kept."""

Submit = Callable[[Path, str], "Future[Verdict]"]
"""Begins the inspection of a wheel at a path, under a file name."""


class Holding:
    """The held files of a home."""

    def __init__(self, home: Path, catalog: Catalog, blobs: BlobStore, ingest: Ingest) -> None:
        self._folder = home / "held"
        self._catalog = catalog
        self._blobs = blobs
        self._ingest = ingest

    def hold(
        self,
        staged: StagedBlob,
        filename: str,
        job: Future[Verdict],
        *,
        declared: str | None,
        provenance: dict[str, object],
    ) -> HeldFile:
        """Keep an upload that passed its own checks until its job ends, and let it in or refuse it then.

        :param staged: its bytes; they stay the caller's to discard
        :param declared: the need that its uploader declares
        """
        staged.seal()
        sha256 = staged.digests.sha256
        self._folder.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            _link(staged.path, self._folder / sha256)
        held = self._catalog.inspections.hold(
            NewHeld(
                project=canonicalize_name(parse_wheel_filename(filename).name),
                filename=filename,
                sha256=sha256,
                size=staged.size,
                declared=declared,
                provenance=provenance,
            )
        )
        job.add_done_callback(partial(self._ended, held))
        return held

    def resume(self, submit: Submit) -> int:
        """Inspect what was waiting when the last server stopped; returns how many files wait.

        The bytes may be gone, if somebody removed them: such a file is refused.
        """
        self._catalog.inspections.forget_held(datetime.now(timezone.utc) - KEPT_FOR)
        waiting = self._catalog.inspections.held(state="waiting")
        for held in waiting:
            path = self._folder / held.sha256
            if path.is_file():
                submit(path, held.filename).add_done_callback(partial(self._ended, held))
            else:
                error = {"code": "held-file-lost", "message": "its bytes are gone; upload it again"}
                self._catalog.inspections.decide_held(held.id, "refused", error)
        return len(waiting)

    def _ended(self, held: HeldFile, job: Future[Verdict]) -> None:
        try:
            verdict = job.result()
        except (CancelledError, RuntimeError):
            return  # the server stops: the next one begins anew
        except CpufitError as error:
            self._refuse(held, error)
            return
        self.settle(held, verdict)

    def settle(self, held: HeldFile, verdict: Verdict) -> None:
        """Let a held file in, or refuse it, now that its verdict is there."""
        try:
            with self._blobs.stage() as staged:
                with (self._folder / held.sha256).open("rb") as file:
                    shutil.copyfileobj(file, staged, 1 << 20)
                self._ingest.wheel(
                    staged, held.filename, declared=held.declared, provenance=held.provenance, verdict=verdict
                )
        except (CpufitError, FileNotFoundError) as error:
            self._refuse(held, error)
            return
        self._catalog.inspections.decide_held(held.id, "accepted")
        self._forget(held)

    def _refuse(self, held: HeldFile, error: CpufitError | FileNotFoundError) -> None:
        told = (
            {key: str(value) for key, value in error.as_dict().items()}
            if isinstance(error, CpufitError)
            else {"code": "held-file-lost", "message": "its bytes are gone; upload it again"}
        )
        self._catalog.inspections.decide_held(held.id, "refused", told)
        self._forget(held)

    def _forget(self, held: HeldFile) -> None:
        waiting = self._catalog.inspections.held(state="waiting")
        if not any(other.sha256 == held.sha256 for other in waiting):
            (self._folder / held.sha256).unlink(missing_ok=True)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(source, target)
