"""Held files: uploads whose verdict takes longer than their uploader waits.

A held file is in no view, and nobody may rely on its name: the rules of identity are applied when the verdict comes, as
if it were uploaded then. It lies in ``held/`` of the home until that is done, so a server that was stopped or killed
meanwhile inspects it anew when it starts. Of several processes with one home, the one that waits for a file's verdict
has its lock, which goes with the process: whoever starts next takes up what nobody waits for. The bytes are on disk
before the row is committed, and go after it is decided: a kill leaves a file that no row waits for, which the next
start removes.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from packaging.utils import canonicalize_name

from cpufit_resolver.errors import CpufitError

from .admission.rules import AdmissionRules, Submission
from .attestations import parse_attestations
from .blobs import STALE_AFTER, BlobStore, StagedBlob, fsync_folder
from .catalog import Catalog, HeldFile, NewHeld
from .errors import StorageFailed
from .filename import parse_wheel_filename
from .ingest import Ingest
from .inspection.verdict import Verdict
from .pooled import PoolClosed
from .process_locks import ProcessLocks
from .storage_failures import logged, storage_failure, storage_failures_told

_log = logging.getLogger(__name__)

KEPT_FOR = timedelta(days=30)
"""How long the record of a held file that was decided is kept."""

_ATTESTATIONS = "attestations"
"""Under this key they wait in the provenance of a held file, and nowhere else."""
_RESTORING = "restoring"
"""Likewise that its uploader may let a deleted file come back."""

Submit = Callable[[Path, str], "Future[Verdict]"]
"""Begins the inspection of a wheel at a path, under a file name."""


class Holding:
    """The held files of a home."""

    def __init__(
        self, home: Path, catalog: Catalog, blobs: BlobStore, ingest: Ingest, rules: AdmissionRules | None = None
    ) -> None:
        """Take what is needed.

        :param rules: those that uploads are held to
        """
        self._rules = rules
        self._folder = home / "held"
        self._catalog = catalog
        self._blobs = blobs
        self._ingest = ingest
        self._locks = ProcessLocks(home / "held.lock")
        self._postponed: deque[HeldFile] = deque()
        """Those that could not be decided for a reason that passes; its methods are safe for many threads."""

    def hold(
        self,
        staged: StagedBlob,
        filename: str,
        job: Future[Verdict],
        *,
        declared: str | None,
        provenance: dict[str, object],
        attestations: str | None = None,
        restoring: bool = False,
    ) -> HeldFile:
        """Keep an upload that passed its own checks until its job ends, and let it in or refuse it then.

        :param staged: its bytes; they stay the caller's to discard
        :param declared: the need that its uploader declares
        :param attestations: those that came with it, as they came and after their form was checked
        :param restoring: whether its uploader may let a deleted file come back
        """
        staged.seal()
        kept = {} if attestations is None else {_ATTESTATIONS: attestations}
        if restoring:
            kept[_RESTORING] = "yes"
        new = NewHeld(
            project=canonicalize_name(parse_wheel_filename(filename).name),
            filename=filename,
            sha256=staged.digests.sha256,
            size=staged.size,
            declared=declared,
            provenance={**provenance, **kept},
        )
        part = self._linked(staged.path)
        # before there is a row that another process could take up
        taken = self._locks.take(_lock_of(new))
        try:
            held = self._catalog.inspections.hold(new, before_commit=lambda: self._move(part, new.sha256))
        except BaseException:
            if not part.exists():  # it was moved, and the commit failed: on a full disk it takes room
                with suppress(Exception):  # what was raised first is told; the next start removes it
                    self._remove(new.sha256)
            if taken:
                self._locks.release(_lock_of(new))
            raise
        finally:
            part.unlink(missing_ok=True)  # a rename of one link of a file onto another one does nothing
        self._await(held, job, locked=taken)
        return held

    def _await(self, held: HeldFile, job: Future[Verdict], *, locked: bool) -> None:
        """Decide a file when its job ends, and let go of its lock then."""
        job.add_done_callback(partial(self._ended, held))
        if locked:
            job.add_done_callback(lambda _: self._locks.release(_lock_of(held)))

    def resume(self, submit: Submit | None) -> int:
        """Take up what was waiting when the last server stopped; returns how many files this is.

        What another process with the same home waits for is left to it.

        The bytes may be gone, if somebody removed them: such a file is refused.

        :param submit: None where wheels are no longer inspected; what waits is then what its uploader declared, or
            unknown, as an upload would be
        """
        try:
            with storage_failures_told():
                self._catalog.inspections.forget_held(datetime.now(timezone.utc) - KEPT_FOR)
        except StorageFailed as error:  # whoever can only read is served all the same
            _log.warning("old records of held files stay until the next start: %s", error.in_full)
        waiting = self._catalog.inspections.held(state="waiting")
        self._sweep({held.sha256 for held in waiting})
        free = [held for held in waiting if self._locks.take(_lock_of(held))]
        for held in free:
            self._take_up(held, submit)
        return len(free)

    def retry(self, submit: Submit | None) -> int:
        """Take up again what could not be decided, for a full disk or a locked catalog; returns how many files this is.

        :param submit: as for :meth:`resume`
        :raises PoolClosed: the server stops
        """
        postponed = [self._postponed.popleft() for _ in range(len(self._postponed))]
        free = [held for held in postponed if self._locks.take(_lock_of(held))]
        for held in free:
            try:
                self._take_up(held, submit)
            except PoolClosed:  # noqa: PERF203  # each file takes milliseconds at least
                raise
            except Exception as error:  # noqa: BLE001  # the others, and the next minute, are to have their turn
                self._postpone(held, error)
        return len(free)

    def _take_up(self, held: HeldFile, submit: Submit | None) -> None:
        """Have a file inspected and decided, or decide it; its lock is taken, and goes when that is done."""
        path = self._folder / held.sha256
        job = None
        try:
            # another process may have decided it since it was listed
            waits = any(now.state == "waiting" for now in self._catalog.inspections.held(held.id))
            if waits and submit is not None and path.is_file():
                job = submit(path, held.filename)
            elif waits:
                self.settle(held, None)
        except Exception as error:
            if not _will_pass(error):
                raise
            self._postpone(held, error)
        finally:
            if job is None:
                self._locks.release(_lock_of(held))
        if job is not None:
            self._await(held, job, locked=True)

    def _postpone(self, held: HeldFile, error: Exception) -> None:
        _log.error("the held file %s (%s) is decided later: %s", held.id, held.filename, logged(error))
        self._postponed.append(held)

    def _ended(self, held: HeldFile, job: Future[Verdict]) -> None:
        try:
            verdict = job.result()
        except (CancelledError, PoolClosed):
            return  # the server stops: the next one begins anew
        except Exception as error:  # noqa: BLE001  # nobody else sees it, and the uploader waits for an answer
            self._decide(held, partial(self._refuse, held, error))
            return
        self.settle(held, verdict)

    def settle(self, held: HeldFile, verdict: Verdict | None) -> None:
        """Let a held file in, or refuse it, now that its verdict is there; later, where it cannot be written down now.

        :param verdict: None where nothing inspects wheels
        """
        self._decide(held, partial(self._settle, held, verdict))

    def _decide(self, held: HeldFile, decision: Callable[[], None]) -> None:
        try:
            decision()
        except Exception as error:
            if not _will_pass(error):
                raise
            self._postpone(held, error)

    def _settle(self, held: HeldFile, verdict: Verdict | None) -> None:
        try:
            with self._blobs.stage() as staged:
                with (self._folder / held.sha256).open("rb") as file:
                    shutil.copyfileobj(file, staged, 1 << 20)
                provenance = dict(held.provenance)
                attestations = provenance.pop(_ATTESTATIONS, None)
                ingest = self._ingest.restoring() if provenance.pop(_RESTORING, None) else self._ingest
                known = () if attestations is None else parse_attestations(str(attestations))
                ingest.wheel(
                    staged,
                    held.filename,
                    declared=held.declared,
                    provenance=provenance,
                    verdict=verdict,
                    submission=Submission(attestations=known, rules=self._rules),
                )
        except Exception as error:  # noqa: BLE001  # as above
            self._refuse(held, error)
            return
        self._catalog.inspections.decide_held(held.id, "accepted")
        self._forget(held)

    def _refuse(self, held: HeldFile, error: Exception) -> None:
        """Refuse a file for what is wrong with it.

        :raises Exception: the error, where it is not about the file and will pass
        """
        if _will_pass(error):
            raise error
        if isinstance(error, CpufitError):
            told = {key: str(value) for key, value in error.as_dict().items()}
        elif isinstance(error, FileNotFoundError):
            told = {"code": "held-file-lost", "message": "its bytes are gone; upload it again"}
        else:
            _log.error("the held file %s (%s) could not be decided", held.id, held.filename, exc_info=error)
            told = {"code": "internal-error", "message": "the server met an error of its own; upload it again"}
        self._catalog.inspections.decide_held(held.id, "refused", told)
        self._forget(held)

    def _linked(self, source: Path) -> Path:
        """Bring the bytes into the folder, under a name of their own; they are on disk."""
        self._folder.mkdir(exist_ok=True)
        part = self._folder / f"{secrets.token_hex(16)}.part"
        try:
            os.link(source, part)
        except OSError:  # a file system without links
            try:
                shutil.copyfile(source, part)
                with part.open("rb+") as stream:
                    os.fsync(stream.fileno())
            except BaseException:  # on a full disk what has come of it takes room
                part.unlink(missing_ok=True)
                raise
        return part

    def _move(self, part: Path, sha256: str) -> None:
        part.replace(self._folder / sha256)
        fsync_folder(self._folder)

    def _forget(self, held: HeldFile) -> None:
        """Remove the bytes, unless they came again: to this process, or to another one with the same home."""
        self._remove(held.sha256)

    def _remove(self, sha256: str) -> None:
        place = self._folder / sha256
        self._catalog.inspections.while_not_waiting(sha256, lambda: place.unlink(missing_ok=True))

    def _sweep(self, waiting: set[str]) -> None:
        """Remove what killed servers left; what is fresh may be another server's that is about to write its row."""
        border = time.time() - STALE_AFTER.total_seconds()
        for path in self._folder.iterdir() if self._folder.is_dir() else ():
            with suppress(OSError):  # gone by now, or on a disk that became read-only, where it stays
                # the time of the last change of its links: it was written earlier
                if path.name not in waiting and path.stat().st_ctime <= border:
                    path.unlink()


def _lock_of(held: NewHeld | HeldFile) -> str:
    """Return the name of a file's lock; the same where they wait as one."""
    return "\n".join((held.sha256, held.filename, "" if held.declared is None else f"={held.declared}"))


def _will_pass(error: Exception) -> bool:
    """Tell whether the store failed and not the file: a full disk, a catalog that is locked."""
    if isinstance(error, OSError):
        return not isinstance(error, FileNotFoundError)
    return storage_failure(error) is not None
