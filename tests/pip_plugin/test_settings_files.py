"""Settings files of pip and uv: edited by lines, restored byte for byte, or left as they are with a reason."""

from __future__ import annotations

import configparser
import json
from pathlib import Path, PurePosixPath

import pytest

from cpufit_pip_plugin.telling.settings.errors import BackupDamaged, ChangedSince, NotAccessible, NotEditable
from cpufit_pip_plugin.telling.settings.file_systems import is_network, kind_by_mount, kind_by_mountinfo
from cpufit_pip_plugin.telling.settings.pip_file import with_index
from cpufit_pip_plugin.telling.settings.restoring import SettingsFile, edited
from cpufit_pip_plugin.telling.settings.uv_file import with_indexes

URL = "https://h.example/cpu/x86_64_v2/simple/"
PLAIN = "https://h.example/simple/"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestPipsFile:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", f"[global]\nindex-url = {URL}\n"),
            ("[global]\n", f"[global]\nindex-url = {URL}\n"),
            ("[global]\n# why\ntimeout = 5", f"[global]\nindex-url = {URL}\n# why\ntimeout = 5"),
            ("# mine\n[install]\nno-color=1", f"# mine\n[install]\nno-color=1\n[global]\nindex-url = {URL}\n"),
            ("[global]\nindex_url:https://o\nx = 1\n", f"[global]\nindex-url = {URL}\nx = 1\n"),
            ("[global]\nindex-url =\n    https://o\n    b\nx = 1\n", f"[global]\nindex-url = {URL}\nx = 1\n"),
            ("[install]\r\nINDEX-URL = o\r\n", f"[install]\r\nindex-url = {URL}\r\n[global]\r\nindex-url = {URL}\r\n"),
            ("[global]\nextra-index-url =\n  a\n  b\n", f"[global]\nindex-url = {URL}\nextra-index-url =\n  a\n  b\n"),
            ("[global]\n#index-url = o\n", f"[global]\nindex-url = {URL}\n#index-url = o\n"),
        ],
    )
    def test_one_line_is_set_and_the_others_stay(self, before: str, after: str) -> None:
        assert with_index(before, URL) == after

    def test_a_percent_sign_is_kept(self) -> None:
        url = "https://me:p%40ss@h.example/simple/"
        parser = configparser.RawConfigParser()
        parser.read_string(with_index("", url))
        assert parser.get("global", "index-url") == url

    @pytest.mark.parametrize("before", ["index-url = o\n", "[a]\n[a]\n", "[global]\nindex-url=1\nindex-url=2\n"])
    def test_what_pip_cannot_read_is_not_changed(self, before: str) -> None:
        with pytest.raises(NotEditable):
            with_index(before, URL)

    def test_a_value_that_only_looks_like_a_setting_is_not_changed(self) -> None:
        before = "[global]\nfind-links =\n    index-url = o\n"
        assert with_index(before, URL) == f"[global]\nindex-url = {URL}\nfind-links =\n    index-url = o\n"


class TestUvsFile:
    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("", f'index-url = "{PLAIN}"\n[pip]\nindex-url = "{URL}"\n'),
            ("# mine\nx = true", f'index-url = "{PLAIN}"\n# mine\nx = true\n[pip]\nindex-url = "{URL}"\n'),
            (
                'index-url = "o"\n\n[pip]\nstrict = true\n[[index]]\nurl = "e"\n',
                f'index-url = "{PLAIN}"\n\n[pip]\nindex-url = "{URL}"\nstrict = true\n[[index]]\nurl = "e"\n',
            ),
            ('[pip]\r\nindex-url = "o" # c\r\n', f'index-url = "{PLAIN}"\r\n[pip]\r\nindex-url = "{URL}"\r\n'),
            ("pip.strict = true\n", f'index-url = "{PLAIN}"\npip.index-url = "{URL}"\npip.strict = true\n'),
            ('pip.index-url = "o"\n', f'index-url = "{PLAIN}"\npip.index-url = "{URL}"\n'),
            ('x = [\n  "a",\n]\n', f'index-url = "{PLAIN}"\nx = [\n  "a",\n]\n[pip]\nindex-url = "{URL}"\n'),
        ],
    )  # fmt: skip
    def test_two_lines_are_set_and_the_others_stay(self, before: str, after: str) -> None:
        assert with_indexes(before, PLAIN, URL) == after

    @pytest.mark.parametrize(
        "before",
        [
            '[[index]]\nurl = "o"\ndefault = true\n',
            "pip = { strict = true }\n",
            'x = """\nindex-url = "o"\n"""\n',
            "index-url = [\n",
        ],
    )
    def test_what_lines_cannot_say_is_left_with_a_reason(self, before: str) -> None:
        pytest.importorskip("tomllib")
        with pytest.raises(NotEditable) as caught:
            with_indexes(before, PLAIN, URL)
        assert caught.value.hint


class TestOneFile:
    def write(self, file: SettingsFile, content: bytes = b"new", *, secret: bool = False) -> None:
        file.write(content, index="https://h.example", cpu="x86_64_v2", secret=secret)

    @pytest.mark.parametrize("before", [b"", b"\xff\xfe\r\n no end", b"[global]\nindex-url = a\n"])
    def test_undo_brings_the_exact_bytes_and_the_mode_back(self, before: bytes, tmp_path: Path) -> None:
        path = tmp_path / "pip.conf"
        path.write_bytes(before)
        path.chmod(0o640)
        file = SettingsFile(path)
        self.write(file)
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"new", 0o640)
        assert file.backup.read_bytes() == before
        assert file.backup.stat().st_mode & 0o077 == 0
        assert file.undo()
        assert (path.read_bytes(), path.stat().st_mode & 0o777) == (before, 0o640)
        assert names(tmp_path) == ["pip.conf"]
        assert not file.undo()

    def test_two_writes_in_a_row_are_undone_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "pip.conf"
        path.write_bytes(b"old")
        for content in (b"one", b"two", b"two"):
            self.write(SettingsFile(path), content)
            assert SettingsFile(path).original() == b"old"
        assert SettingsFile(path).undo()
        assert path.read_bytes() == b"old"

    def test_a_file_that_was_not_there_is_removed_with_the_folders_made_for_it(self, tmp_path: Path) -> None:
        file = SettingsFile(tmp_path / "a" / "b" / "uv.toml")
        self.write(file, secret=True)
        self.write(file, b"newer", secret=True)
        assert file.path.stat().st_mode & 0o777 == 0o600
        assert file.undo()
        assert names(tmp_path) == []

    def test_a_folder_that_somebody_else_uses_stays(self, tmp_path: Path) -> None:
        file = SettingsFile(tmp_path / "a" / "uv.toml")
        self.write(file)
        (tmp_path / "a" / "other").touch()
        assert file.undo()
        assert names(tmp_path / "a") == ["other"]

    def test_a_link_is_followed_and_stays_a_link(self, tmp_path: Path) -> None:
        real = tmp_path / "dotfiles" / "pip.conf"
        real.parent.mkdir()
        real.write_bytes(b"old")
        link = tmp_path / "pip.conf"
        link.symlink_to(real)
        self.write(SettingsFile(link))
        assert (link.is_symlink(), real.read_bytes()) == (True, b"new")
        assert names(real.parent) == ["pip.conf"]
        assert SettingsFile(link).undo()
        assert (link.is_symlink(), real.read_bytes()) == (True, b"old")

    def test_what_somebody_else_changed_since_is_neither_overwritten_nor_restored(self, tmp_path: Path) -> None:
        file = SettingsFile(tmp_path / "pip.conf")
        file.path.write_bytes(b"old")
        self.write(file)
        file.path.write_bytes(b"new and more")
        assert file.state() == "changed"
        for action in (file.undo, file.original, lambda: self.write(file)):
            with pytest.raises(ChangedSince) as caught:
                action()
            assert "--force" in str(caught.value)
        assert file.path.read_bytes() == b"new and more"
        assert file.undo(force=True)
        assert file.path.read_bytes() == b"old"

    def test_a_killed_write_leaves_something_that_can_be_undone(self, tmp_path: Path) -> None:
        file = SettingsFile(tmp_path / "pip.conf")
        file.path.write_bytes(b"old")
        self.write(file, b"one")
        # as if the second had been killed before the file changed, and the third had come after it
        record = file.path.with_name("pip.conf.cpufit-record").read_text()
        self.write(file, b"two")
        file.path.write_bytes(b"one")
        assert file.state() == "set"
        self.write(file, b"three")
        assert file.undo()
        # and as if the first had been: the record is there, the file is old
        self.write(file, b"one")
        file.path.write_bytes(b"old")
        assert file.state() == "unset"
        assert file.undo()
        assert names(tmp_path) == ["pip.conf"]
        assert json.loads(record)["existed"] is True

    def test_a_damaged_backup_or_record_is_told(self, tmp_path: Path) -> None:
        file = SettingsFile(tmp_path / "pip.conf")
        file.path.write_bytes(b"old")
        self.write(file)
        file.backup.write_bytes(b"other")
        with pytest.raises(BackupDamaged):
            file.undo()
        file.path.with_name("pip.conf.cpufit-record").write_text("{")
        with pytest.raises(BackupDamaged):
            file.state()
        assert file.path.read_bytes() == b"new"

    def test_a_folder_in_the_files_place_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "pip.conf").mkdir()
        with pytest.raises(NotAccessible):
            SettingsFile(tmp_path / "pip.conf").original()

    def test_bytes_that_are_no_text_come_through(self) -> None:
        assert edited(b"# caf\xe9\n", lambda text: text + "x") == b"# caf\xe9\nx"


class TestFileSystems:
    MOUNTS = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home rw shared:5 master:1 - nfs4 server:/home rw,vers=4.2
31 30 8:2 / /home/me rw - ext4 /dev/sdb1 rw
32 22 0:41 / /with\\040blank rw - fuse.sshfs me@host: rw
33 22 0:42 / /twice rw - nfs server:/a rw
34 22 0:43 / /twice rw - tmpfs tmpfs rw
broken
"""

    @pytest.mark.parametrize(
        ("folder", "kind"),
        [
            ("/root/.config", "ext4"),
            ("/home/you/.config", "nfs4"),
            ("/home/me/.config", "ext4"),
            ("/homely", "ext4"),
            ("/with blank/x", "fuse.sshfs"),
            ("/twice", "tmpfs"),
        ],
    )
    def test_the_innermost_mount_counts(self, folder: str, kind: str) -> None:
        assert kind_by_mountinfo(PurePosixPath(folder), self.MOUNTS) == kind

    def test_nothing_is_told_where_nothing_is_known(self) -> None:
        assert kind_by_mountinfo(PurePosixPath("/x"), "") is None

    def test_what_mount_prints(self) -> None:
        told = "/dev/disk3 on / (apfs, local, journaled)\nserver:/home on /Users/me (nfs, nodev)\nnonsense\n"
        assert kind_by_mount(PurePosixPath("/Users/me/.config"), told) == "nfs"
        assert kind_by_mount(PurePosixPath("/Users/you"), told) == "apfs"
        on_linux = "/dev/sda1 on / type ext4 (rw)\nserver:/home on /home type nfs4 (rw,vers=4.2)\n"
        assert kind_by_mount(PurePosixPath("/home/me"), on_linux) == "nfs4"

    def test_network_file_systems(self) -> None:
        network = "nfs nfs4 cifs smb3 lustre gpfs beegfs ceph fuse.sshfs 9p afs fuse.glusterfs fuse.ceph-fuse"
        assert [kind for kind in network.split() if not is_network(kind)] == []
        assert [
            kind
            for kind in ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "zfs", "apfs", "fuse.ntfs", "fuseblk"]
            if is_network(kind)
        ] == []
