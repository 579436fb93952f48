"""``cpufit-server import``: whole runs of the command on real homes, against an index on the loopback."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.server.source_server import SourceServer, source_server

from cpufit_server.cli import main
from cpufit_server.progress import PlainReporter, make_reporter
from cpufit_server.sources import importing
from cpufit_wheelhouse.catalog import StoredFile
from cpufit_wheelhouse.home import open_home

ELF = b"\x7fELF\x02\x01\x01" + bytes(57)
LINUX_X86 = platform.system() == "Linux" and platform.machine() == "x86_64"
X86 = "py3-none-manylinux_2_17_x86_64"
ARM = "py3-none-manylinux_2_17_aarch64"

Wheels = Callable[..., Path]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sdist(name: str = "small", version: str = "1.0") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        info = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        data = f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n".encode()
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


class Index:
    """An index on the loopback, as pip's settings name it."""

    def __init__(self, server: SourceServer) -> None:
        self.server = server
        self.links: dict[str, list[str]] = {}

    def add(self, filename: str, data: bytes, *, promised: str | None = None) -> None:
        name = filename.split("-", maxsplit=1)[0].replace("_", "-")
        self.server.answers[f"/files/{filename}"] = []
        self.server.put(f"/files/{filename}", data)
        link = f'<a href="/files/{filename}#sha256={promised or sha256(data)}">{filename}</a>'
        self.links.setdefault(name, []).append(link)
        self.server.answers[f"/simple/{name}/"] = []
        self.server.put(f"/simple/{name}/", "\n".join(self.links[name]))

    def fetched(self) -> list[str]:
        return [path.removeprefix("/files/") for path in self.server.paths if path.startswith("/files/")]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with source_server() as server:
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
        yield Index(server)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def stored(home: Path, project: str) -> tuple[StoredFile, ...]:
    with open_home(home) as opened:
        return opened.catalog.files(project)


def native(wheel_factory: Wheels, name: str = "small", tags: str = X86, extra: bytes = b"", **rest: Any) -> Path:
    return wheel_factory(name=name, tags=tags, members={f"{name}/_x.so": ELF + extra}, **rest)


class TestARelease:
    def test_comes_from_the_index_that_pip_uses(
        self, index: Index, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wheel = wheel_factory()
        index.add(wheel.name, wheel.read_bytes())
        assert main(["import", "Small==1", "--home", str(home)]) == 0
        assert capsys.readouterr().out == "new      small-1.0-py3-none-any.whl (0.0 MB, needs any)\n"
        (file,) = stored(home, "small")
        assert file.sha256 == sha256(wheel.read_bytes())
        assert dict(file.provenance) == {
            "source": "import",
            "filename": wheel.name,
            "sha256": sha256(wheel.read_bytes()),
            "url": f"{index.server.url}/files/{wheel.name}",
        }

    def test_is_fetched_once(
        self, index: Index, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wheel = wheel_factory()
        index.add(wheel.name, wheel.read_bytes())
        for status in ("new", "same"):
            assert main(["import", "small==1.0", "--home", str(home)]) == 0
            assert capsys.readouterr().out.startswith(status)
        assert index.fetched() == [wheel.name]

    def test_of_an_index_that_is_named_needs_none_of_pip(
        self, index: Index, home: Path, wheel_factory: Wheels, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wheel = wheel_factory()
        index.add(wheel.name, wheel.read_bytes())
        monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/")
        assert main(["import", "small==1.0", "--from", f"{index.server.url}/simple/", "--home", str(home)]) == 0
        assert len(stored(home, "small")) == 1

    def test_never_leaves_credentials_in_the_record(self, index: Index, home: Path, wheel_factory: Wheels) -> None:
        wheel = wheel_factory()
        index.add(wheel.name, wheel.read_bytes())
        url = index.server.url.replace("://", "://me:secret@")
        assert main(["import", "small==1.0", "--from", f"{url}/simple/", "--home", str(home)]) == 0
        assert index.server.login(-1) == "me:secret"
        assert "secret" not in json.dumps(dict(stored(home, "small")[0].provenance))

    def test_comes_from_a_folder_too(self, home: Path, wheel_factory: Wheels) -> None:
        wheel = wheel_factory()
        assert main(["import", "small==1.0", "--from", str(wheel.parent), "--home", str(home)]) == 0
        assert "url" not in stored(home, "small")[0].provenance

    @pytest.mark.skipif(not LINUX_X86, reason="its wheels are for Linux x86-64")
    def test_is_the_wheel_that_pip_would_choose_here_or_every_file(
        self, index: Index, home: Path, wheel_factory: Wheels
    ) -> None:
        for wheel in (wheel_factory(tags=X86), wheel_factory(tags=ARM), wheel_factory()):
            index.add(wheel.name, wheel.read_bytes())
        index.add("small-1.0.tar.gz", sdist())
        assert main(["import", "small==1.0", "--home", str(home)]) == 0
        assert [file.filename for file in stored(home, "small")] == [f"small-1.0-{X86}.whl"]
        assert main(["import", "small==1.0", "--platform", "*_aarch64", "--home", str(home)]) == 0
        assert len(stored(home, "small")) == 2
        assert main(["import", "small==1.0", "--all-files", "--home", str(home)]) == 0
        assert len(stored(home, "small")) == 4
        assert len(index.fetched()) == 4

    def test_that_is_not_there_is_refused_and_the_rest_comes_in(
        self, index: Index, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wheel = wheel_factory()
        index.add(wheel.name, wheel.read_bytes())
        assert main(["import", "small==2.0", "gone==1", "small==1.0", "--home", str(home)]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("refused  small==2.0: there is no small==2.0 here [nothing-matches]")
        assert "the answer is 404 Not Found [page-unreadable]" in lines[2]
        assert lines[-1].startswith("new ")


class TestBytesThatAreNotThosePromised:
    def test_are_refused_and_nothing_is_stored(
        self, index: Index, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wheel = wheel_factory()
        index.add(wheel.name, wheel.read_bytes(), promised="0" * 64)
        assert main(["import", "small==1.0", "--home", str(home)]) == 1
        assert "its sha256 is not the promised 000" in capsys.readouterr().out
        assert stored(home, "small") == ()
        assert len(index.fetched()) == 1
        assert [path for path in home.rglob("*") if path.is_file() and "catalog" not in path.name] == []

    def test_are_refused_by_any_other_hash(self, index: Index, home: Path, wheel_factory: Wheels) -> None:
        wheel = wheel_factory()
        index.add(wheel.name, wheel.read_bytes())
        url = f"{index.server.url}/files/{wheel.name}"
        assert main(["import", f"{url}#sha512={'0' * 128}", "--home", str(home)]) == 1
        good = hashlib.sha512(wheel.read_bytes()).hexdigest()
        assert main(["import", f"{url}#sha512={good}", "--home", str(home)]) == 0

    def test_a_download_that_breaks_off_is_begun_anew(self, index: Index, home: Path, wheel_factory: Wheels) -> None:
        wheel = wheel_factory()
        data = wheel.read_bytes()
        index.server.put("/x/" + wheel.name, data[:100], promised=len(data))
        index.server.put("/x/" + wheel.name, data)
        url = f"{index.server.url}/x/{wheel.name}#sha256={sha256(data)}"
        assert main(["import", url, "--home", str(home)]) == 0
        assert len(index.server.requests) == 2

    def test_but_not_for_ever(self, index: Index, home: Path) -> None:
        index.server.put("/small-1.0-py3-none-any.whl", b"half", promised=100)
        url = f"{index.server.url}/small-1.0-py3-none-any.whl#sha256={'0' * 64}"
        assert main(["import", url, "--home", str(home)]) == 1
        assert len(index.server.requests) == importing.ATTEMPTS

    def test_and_not_where_the_server_refuses_it(self, index: Index, home: Path) -> None:
        url = f"{index.server.url}/gone-1.0-py3-none-any.whl#sha256={'0' * 64}"
        assert main(["import", url, "--home", str(home)]) == 1
        assert len(index.server.requests) == 1


class TestOtherSources:
    def test_a_url_without_a_hash_is_refused_unseen(
        self, index: Index, home: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["import", f"{index.server.url}/x-1-py3-none-any.whl", "--home", str(home)]) == 1
        assert "[url-without-hash]" in capsys.readouterr().out
        assert index.server.requests == []

    def test_a_page_of_links_gives_every_wheel_and_sdist(self, index: Index, home: Path, wheel_factory: Wheels) -> None:
        for wheel in (wheel_factory(), wheel_factory(name="other")):
            index.server.put(f"/links/{wheel.name}", wheel.read_bytes())
        index.server.put("/links/small-1.0.tar.gz", sdist())
        index.server.put(
            "/links/page.html",
            "".join(
                f'<a href="{name}">x</a>'
                for name in ("small-1.0-py3-none-any.whl", "other-1.0-py3-none-any.whl", "small-1.0.tar.gz", "a.txt")
            ),
        )
        assert main(["import", f"{index.server.url}/links/page.html", "--home", str(home)]) == 0
        assert len(stored(home, "small")) == 2
        assert len(stored(home, "other")) == 1

    def test_a_folder_gives_every_wheel_and_sdist_without_asking_pip(
        self, home: Path, tmp_path: Path, wheel_factory: Wheels, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "wheels"
        folder.mkdir()
        (folder / "small-1.0.tar.gz").write_bytes(sdist())
        (folder / "notes.txt").write_text("no")
        wheel_factory().rename(folder / "small-1.0-py3-none-any.whl")
        monkeypatch.setattr("sys.executable", str(tmp_path / "no python"))
        assert main(["import", str(folder), "--home", str(home)]) == 0
        assert {file.kind for file in stored(home, "small")} == {"wheel", "sdist"}

    def test_an_empty_folder_is_told(self, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (tmp_path / "empty").mkdir()
        assert main(["import", str(tmp_path / "empty"), "--home", str(home)]) == 1
        assert "[nothing-matches]" in capsys.readouterr().out

    def test_one_bad_file_of_a_folder_does_not_keep_the_rest_out(
        self, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wheel = wheel_factory()
        (wheel.parent / "bad-1.0-py3-none-any.whl").write_bytes(b"no zip")
        assert main(["import", str(wheel.parent), "--home", str(home)]) == 1
        lines = capsys.readouterr().out.splitlines()
        assert "[not-a-wheel]" in lines[0]
        assert lines[-1].startswith("new ")


class TestNeeds:
    def test_two_wheels_become_variants_of_one_project(
        self, index: Index, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fast, slow = native(wheel_factory), native(wheel_factory, name="small_lts", extra=b"slow")
        for wheel in (fast, slow):
            index.add(wheel.name, wheel.read_bytes())
        commands = (
            ["small==1.0", "--platform", "*x86_64", "--needs", "x86_64_v3"],
            ["small-lts==1.0", "--platform", "*x86_64", "--as", "small", "--needs", "x86_64_v2"],
        )
        for command in (*commands, *commands):
            assert main(["import", *command, "--home", str(home)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in lines] == ["new", "new", "same", "same"]
        assert lines[1].startswith(f"new      small_lts-1.0-{X86}.whl as small-1.0-{X86}.whl (")
        assert len(index.fetched()) == 2
        files = {file.need_key: file for file in stored(home, "small")}
        assert set(files) == {"x86_64_v2", "x86_64_v3"}
        assert files["x86_64_v2"].provenance["sha256"] == sha256(slow.read_bytes())
        assert files["x86_64_v2"].provenance["filename"] == slow.name

    def test_another_need_for_what_is_there_already_is_taken(self, home: Path, wheel_factory: Wheels) -> None:
        wheel = native(wheel_factory)
        for options, key in (([], "unknown"), (["--needs", "avx2"], "x86_64_v1+avx2"), ([], "x86_64_v1+avx2")):
            assert main(["import", str(wheel), *options, "--home", str(home)]) == 0
            assert stored(home, "small")[-1].need_key == key

    def test_a_need_is_for_the_wheels_of_its_architecture(
        self, home: Path, tmp_path: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "wheels"
        folder.mkdir()
        for wheel in (native(wheel_factory), native(wheel_factory, tags=ARM), wheel_factory()):
            wheel.rename(folder / wheel.name)
        assert main(["import", str(folder), "--needs", "x86_64_v3", "--home", str(home)]) == 0
        keys = {file.filename: file.need_key for file in stored(home, "small")}
        assert keys == {
            f"small-1.0-{X86}.whl": "x86_64_v3",
            f"small-1.0-{ARM}.whl": "unknown",
            "small-1.0-py3-none-any.whl": "any",
        }
        assert capsys.readouterr().out.count("the declared need is for other architectures") == 2

    def test_a_wheel_for_any_platform_takes_a_need_that_is_meant_for_it_alone(
        self, home: Path, wheel_factory: Wheels
    ) -> None:
        assert main(["import", str(wheel_factory()), "--needs", "x86_64_v3", "--home", str(home)]) == 0
        assert [file.need_key for file in stored(home, "small")] == ["x86_64_v3"]

    def test_a_need_that_cannot_be_read_is_refused(
        self, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["import", str(native(wheel_factory)), "--needs", "avx9", "--home", str(home)]) == 1
        assert "[unknown-cpu-feature]" in capsys.readouterr().out
        assert stored(home, "small") == ()


class TestJson:
    def test_tells_each_file_and_each_refusal(
        self, home: Path, wheel_factory: Wheels, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wheel = native(wheel_factory)
        command = ["import", str(wheel), "nothing", "--needs", "x86_64_v3", "--json", "--home", str(home)]
        assert main(command) == 1
        done, refused = json.loads(capsys.readouterr().out)["files"]
        assert done == {
            "source": wheel.name,
            "status": "new",
            "fetched": True,
            "project": "small",
            "version": "1.0",
            "filename": wheel.name,
            "sha256": sha256(wheel.read_bytes()),
            "size": wheel.stat().st_size,
            "need": {"x86_64": {"import": "x86_64_v3", "use": "x86_64_v3"}},
        }
        assert refused["source"] == "nothing"
        assert refused["status"] == "refused"
        assert refused["error"]["code"] == "unreadable-spec"


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [["import"], ["import", "a==1", "--from", "nowhere"], ["import", "a==1", "--as", "not a name"]],
    )
    def test_what_cannot_be_meant_is_status_2(self, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestProgress:
    def test_a_terminal_gets_a_bar_that_has_room_beside_a_long_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
        target = Terminal()
        reporter = make_reporter(target)
        reporter.step("[bold] is text, and a line that is longer than the terminal is wide is " + "not broken " * 9)
        with reporter.transfer("fetching " + "x" * 90, 2_000_000) as advance:
            advance(1_000_000)
        text = target.getvalue()
        assert text.startswith("[bold] is text")
        assert text.splitlines()[0].endswith("not broken ")
        assert "━━━━━━━━━━" in text
        assert "1.0/2.0 MB" in text

    def test_whatever_is_no_terminal_gets_plain_lines(self) -> None:
        assert isinstance(make_reporter(io.StringIO()), PlainReporter)

    def test_plain_lines_tell_the_size_and_the_time(self) -> None:
        target = io.StringIO()
        with PlainReporter(target).transfer("fetching x.whl", 2_000_000) as advance:
            advance(1_500_000)
            advance(500_000)
        first, second = target.getvalue().splitlines()
        assert first == "  fetching x.whl (2.0 MB)"
        assert second.startswith("  fetching x.whl: 2.0 MB in ")
