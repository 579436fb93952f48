"""Held files: in no view and of no name until their verdict comes; then as if they were uploaded that instant."""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import pytest
from tests.attesting import attestation
from tests.wheelhouse.ingest_support import NAME, X86, put, state, wheel_bytes

from cpufit_resolver.need import parse_need
from cpufit_wheelhouse import holding as holding_module
from cpufit_wheelhouse.admission.rules import AdmissionRules
from cpufit_wheelhouse.archive import WheelInfo
from cpufit_wheelhouse.blobs import StagedBlob, fsync_folder
from cpufit_wheelhouse.catalog import HeldFile, engine
from cpufit_wheelhouse.errors import NotAWheel
from cpufit_wheelhouse.holding import Holding
from cpufit_wheelhouse.home import Home, open_home
from cpufit_wheelhouse.inspection.verdict import Verdict
from cpufit_wheelhouse.pooled import InspectionPending

V3 = Verdict(need=parse_need("x86_64_v3", X86), confidence="high")


class Slow:
    """An inspector that never ends in time."""

    def __init__(self) -> None:
        self.job: Future[Verdict] = Future()

    def inspect(self, path: Path, info: WheelInfo) -> Verdict:
        del path, info
        raise InspectionPending(self.job)


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def home(tmp_path: Path, slow: Slow) -> Iterator[Home]:
    with open_home(tmp_path / "home", inspector=slow) as opened:
        yield opened


@pytest.fixture
def holding(home: Home) -> Holding:
    return Holding(home.path, home.catalog, home.blobs, home.ingest)


def upload(home: Home, holding: Holding, data: bytes | None = None, declared: str | None = None) -> HeldFile:
    with home.blobs.stage() as staged:
        staged.write(wheel_bytes() if data is None else data)
        with pytest.raises(InspectionPending) as pending:
            home.ingest.wheel(staged, NAME, declared=declared)
        return holding.hold(
            staged, NAME, pending.value.job, declared=declared, provenance={"source": "upload", "filename": NAME}
        )


def now(home: Home, held: HeldFile) -> HeldFile:
    return home.catalog.inspections.held(held.id)[0]


def test_a_held_file_is_nowhere_until_its_verdict_comes(home: Home, holding: Holding, slow: Slow) -> None:
    empty = state(home)
    held = upload(home, holding)
    assert (held.state, held.project, held.filename) == ("waiting", "demo", NAME)
    assert state(home) == empty

    slow.job.set_result(V3)

    assert now(home, held).state == "accepted"
    (file,) = home.catalog.files("demo")
    assert (file.sha256, file.need_key, file.provenance["source"]) == (held.sha256, "x86_64_v3", "upload")
    assert home.blobs.exists(file.sha256)
    assert list((home.path / "held").iterdir()) == []


def test_the_rules_of_names_are_applied_when_the_verdict_comes(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding)
    put(home, wheel_bytes(content="quicker"), verdict=V3)
    slow.job.set_result(V3)
    refused = now(home, held)
    assert refused.state == "refused"
    assert refused.error is not None
    assert refused.error["code"] == "file-already-exists"
    assert len(home.catalog.files("demo")) == 1
    assert list((home.path / "held").iterdir()) == []


def test_a_declaration_below_the_late_verdict_is_refused_then(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding, declared="x86_64_v2")
    slow.job.set_result(V3)
    refused = now(home, held)
    assert refused.error is not None
    assert (refused.state, refused.error["code"]) == ("refused", "need-below-verdict")
    assert home.catalog.files("demo") == ()


def test_a_wheel_that_cannot_be_inspected_is_refused(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding)
    slow.job.set_exception(NotAWheel("cut off"))
    assert now(home, held).state == "refused"


def test_the_same_upload_twice_waits_once(home: Home, holding: Holding, slow: Slow) -> None:
    assert upload(home, holding).id == upload(home, holding).id
    slow.job.set_result(V3)
    assert [file.state for file in home.catalog.inspections.held()] == ["accepted"]
    assert len(home.catalog.files("demo")) == 1


def test_what_waited_when_the_server_stopped_is_taken_up_by_the_next(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding)
    slow.job.cancel()
    assert now(home, held).state == "waiting"
    asked: list[tuple[bytes, str]] = []

    def submit(path: Path, filename: str) -> Future[Verdict]:
        asked.append((path.read_bytes(), filename))
        done: Future[Verdict] = Future()
        done.set_result(V3)
        return done

    assert Holding(home.path, home.catalog, home.blobs, home.ingest).resume(submit) == 1
    assert asked == [(wheel_bytes(), NAME)]
    assert now(home, held).state == "accepted"


def test_bytes_that_somebody_removed_are_said_to_be_lost(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding)
    (home.path / "held" / held.sha256).unlink()
    assert holding.resume(lambda _path, _filename: slow.job) == 1
    lost = now(home, held)
    assert lost.error is not None
    assert (lost.state, lost.error["code"]) == ("refused", "held-file-lost")


def test_what_was_decided_long_ago_is_forgotten(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding)
    slow.job.set_result(V3)
    table = home.catalog.inspections
    assert table.forget_held(datetime.now(timezone.utc) - timedelta(minutes=1)) == 0
    assert table.forget_held(datetime.now(timezone.utc) + timedelta(minutes=1)) == 1
    assert table.held(held.id) == ()


def test_each_need_that_is_declared_of_the_same_bytes_is_heard(home: Home, holding: Holding, slow: Slow) -> None:
    silent = upload(home, holding)
    low, high = upload(home, holding, declared="x86_64_v2"), upload(home, holding, declared="x86_64_v4")
    assert len({silent.id, low.id, high.id}) == 3
    slow.job.set_result(V3)
    assert [now(home, one).state for one in (silent, low, high)] == ["accepted", "refused", "accepted"]
    assert [file.need_key for file in home.catalog.files("demo")] == ["x86_64_v4"]
    assert list((home.path / "held").iterdir()) == []


def test_a_kill_between_letting_in_and_saying_so_is_mended(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding, declared="x86_64_v3")
    put(home, declared="x86_64_v3", verdict=V3)
    assert holding.resume(lambda _path, _filename: slow.job) == 1
    slow.job.set_result(V3)
    assert now(home, held).state == "accepted"
    assert len(home.catalog.files("demo")) == 1


def test_what_a_killed_server_left_is_removed_once_it_is_old(
    home: Home, holding: Holding, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = upload(home, holding)
    folder = home.path / "held"
    for name in ("0" * 64, "torn.part"):
        (folder / name).write_bytes(b"nobody waits for it")
    holding.resume(lambda _path, _filename: slow.job)
    assert len(list(folder.iterdir())) == 3
    monkeypatch.setattr("cpufit_wheelhouse.holding.STALE_AFTER", timedelta(0))
    holding.resume(lambda _path, _filename: slow.job)
    assert [path.name for path in folder.iterdir()] == [held.sha256]


def test_an_error_of_the_servers_own_is_told_and_nothing_is_left_waiting(
    home: Home, holding: Holding, slow: Slow, caplog: pytest.LogCaptureFixture
) -> None:
    held = upload(home, holding)
    slow.job.set_exception(RuntimeError("nobody thought of this"))
    refused = now(home, held)
    assert refused.error is not None
    assert (refused.state, refused.error["code"]) == ("refused", "internal-error")
    assert "nobody thought of this" in caplog.text
    assert list((home.path / "held").iterdir()) == []


def test_a_full_disk_is_no_fault_of_the_file_which_is_decided_later(
    home: Home, holding: Holding, slow: Slow, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    held = upload(home, holding)

    def full() -> StagedBlob:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(home.blobs, "stage", full)
        slow.job.set_result(V3)
    assert now(home, held).state == "waiting"
    assert (home.path / "held" / held.sha256).is_file()
    assert "is decided later: there is no room left" in caplog.text
    assert holding.retry(lambda _path, _filename: slow.job) == 1
    assert now(home, held).state == "accepted"
    assert holding.retry(lambda _path, _filename: slow.job) == 0


def test_a_locked_catalog_is_no_fault_of_the_file_either(
    home: Home, holding: Holding, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MS", 50)
    with open_home(home.path, inspector=slow) as impatient:
        own = Holding(impatient.path, impatient.catalog, impatient.blobs, impatient.ingest)
        held = upload(impatient, own)
        with closing(sqlite3.connect(home.path / "catalog.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            slow.job.set_exception(NotAWheel("it is cut off"))  # nor can it be refused then
            assert now(home, held).state == "waiting"
            other.execute("ROLLBACK")
        own.retry(lambda _path, _filename: slow.job)
    assert now(home, held).state == "refused"


def test_an_inspection_for_which_there_is_no_room_is_made_later(home: Home, holding: Holding, slow: Slow) -> None:
    held = upload(home, holding)
    full = OSError(errno.ENOSPC, "no space left on device")
    slow.job.set_exception(full)
    assert now(home, held).state == "waiting"

    def refused(_path: Path, _filename: str) -> Future[Verdict]:
        raise full

    assert holding.retry(refused) == 1
    assert now(home, held).state == "waiting"
    again: Future[Verdict] = Future()
    again.set_result(V3)
    assert holding.retry(lambda _path, _filename: again) == 1
    assert now(home, held).state == "accepted"


def test_one_that_cannot_be_tried_again_keeps_no_other_from_its_turn(home: Home, holding: Holding, slow: Slow) -> None:
    """Somebody who makes room by hand removes the folder of the inspections."""
    held = [upload(home, holding, declared=declared) for declared in ("x86_64_v3", "x86_64_v4")]
    slow.job.set_exception(OSError(errno.ENOSPC, "no space left on device"))

    def gone(_path: Path, _filename: str) -> Future[Verdict]:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    assert holding.retry(gone) == 2
    again: Future[Verdict] = Future()
    again.set_result(V3)
    assert holding.retry(lambda _path, _filename: again) == 2
    assert {now(home, one).state for one in held} == {"accepted"}


def test_where_inspection_was_turned_off_what_waits_is_what_was_declared(
    tmp_path: Path, home: Home, holding: Holding
) -> None:
    held = upload(home, holding, declared="x86_64_v2")
    with open_home(tmp_path / "home") as plain:
        assert Holding(plain.path, plain.catalog, plain.blobs, plain.ingest).resume(None) == 1
    assert now(home, held).state == "accepted"
    assert [file.need_key for file in home.catalog.files("demo")] == ["x86_64_v2"]


def test_bytes_are_kept_where_the_file_system_has_no_links(
    home: Home, holding: Holding, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_source: Path, _target: Path) -> None:
        raise OSError("no links here")

    monkeypatch.setattr("os.link", refused)
    held = upload(home, holding)
    assert upload(home, holding).id == held.id
    assert [path.read_bytes() for path in (home.path / "held").iterdir()] == [wheel_bytes()]
    slow.job.set_result(V3)
    assert now(home, held).state == "accepted"


def test_a_copy_for_which_there_is_no_room_leaves_nothing(
    home: Home, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"PK")
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("os.link", full)
    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(OSError, match="no space left"):
        upload(home, holding)
    assert list((home.path / "held").iterdir()) == []
    assert home.catalog.inspections.held() == ()


@pytest.mark.parametrize("waits_already", [False, True])
def test_bytes_whose_row_could_not_be_written_are_removed_unless_they_wait_already(
    home: Home, holding: Holding, monkeypatch: pytest.MonkeyPatch, waits_already: bool
) -> None:
    def failing(_folder: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    if waits_already:
        upload(home, holding)
    with monkeypatch.context() as patched:
        patched.setattr(holding_module, "fsync_folder", failing)
        with pytest.raises(OSError, match="Input/output error"):
            upload(home, holding, declared="x86_64_v3")
    assert [path.read_bytes() for path in (home.path / "held").iterdir()] == [wheel_bytes()] * waits_already
    assert len(home.catalog.inspections.held()) == waits_already


def test_a_held_file_keeps_its_attestations_until_it_is_let_in(home: Home, holding: Holding, slow: Slow) -> None:
    data = wheel_bytes()
    text = json.dumps([attestation(NAME, data)])
    with home.blobs.stage() as staged:
        staged.write(data)
        held = holding.hold(staged, NAME, slow.job, declared=None, provenance={"source": "test"}, attestations=text)
    slow.job.set_result(V3)
    assert now(home, held).state == "accepted"
    (file,) = home.catalog.files("demo")
    assert file.provenance == {"source": "test"}
    assert file.attestations_sha256 is not None
    assert b'"kind":"upload-token"' in home.blobs.path(file.attestations_sha256).read_bytes()


def test_a_held_file_is_held_to_the_rules_of_uploads(home: Home, slow: Slow) -> None:
    rules = AdmissionRules(platform_tags=("win*",))
    strict = Holding(home.path, home.catalog, home.blobs, home.ingest, rules)
    held = upload(home, strict)
    slow.job.set_result(V3)
    assert (now(home, held).state, home.catalog.projects()) == ("refused", ())
    assert (now(home, held).error or {})["code"] == "platform-tag-not-allowed"


def test_bytes_that_come_again_are_not_removed_with_the_earlier_ones(
    home: Home, holding: Holding, slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process decides a held file in the moment in which the same bytes come to be held here."""
    earlier = upload(home, holding)
    home.catalog.inspections.decide_held(earlier.id, "refused", {})
    with open_home(home.path, sweep=False) as elsewhere:
        other = Holding(elsewhere.path, elsewhere.catalog, elsewhere.blobs, elsewhere.ingest)
        forgetting = Thread(target=other._forget, args=(earlier,))

        def overtaken(folder: Path) -> None:
            forgetting.start()
            forgetting.join(0.5)  # it ends, or waits for the transaction that is open here
            fsync_folder(folder)

        monkeypatch.setattr(holding_module, "fsync_folder", overtaken)
        again = upload(home, holding)
        forgetting.join()
    assert again.id != earlier.id
    slow.job.set_result(V3)
    assert now(home, again).state == "accepted"
