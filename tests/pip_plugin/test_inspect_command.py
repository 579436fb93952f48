"""``cpufit inspect``: table, JSON, exit codes; on wheels made here."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import cpufit_pip_plugin.inspect_command
from cpufit_pip_plugin import cli

Factory = Callable[..., Path]
PACKAGE = Path(cpufit_pip_plugin.inspect_command.__file__).parent
SCHEMA = json.loads((PACKAGE / "schemas" / "inspect.schema.json").read_text())
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cpufit.md"
LINUX = "py3-none-manylinux_2_17_x86_64"
BROKEN = {"small/fast.so": b"\x7fELF\x02\x01\x01\0" + bytes(56)}
GCC = shutil.which("gcc")


@pytest.fixture
def avx2(tmp_path: Path) -> dict[str, bytes]:
    """Return a library that needs AVX2 and asks nobody."""
    if GCC is None:
        pytest.skip("gcc is not installed")
    source = tmp_path / "fast.c"
    source.write_text("typedef int v8 __attribute__((vector_size(32)));\nv8 f(v8 *a, v8 *b) { return *a + *b; }\n")
    target = tmp_path / "fast.so"
    flags = ["-O2", "-shared", "-fPIC", "-nostdlib", "-mavx2", "-Wno-psabi"]
    done = subprocess.run([GCC, *flags, "-o", target, source], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("gcc does not compile for AVX2 here")
    return {"small/fast.so": target.read_bytes()}


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one in told:
        jsonschema.validate(one, SCHEMA)
    return told


def test_what_a_wheel_needs_is_told_with_the_instruction(
    wheel_factory: Factory, avx2: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = wheel_factory(tags=LINUX, members=avx2)
    assert cli.main(["inspect", str(wheel)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{wheel.name}\n  needs x86_64_v2+avx+avx2\n")
    assert re.search(r"needs avx avx2: small/fast\.so, vpaddd in f \(no-dispatcher\)", out)


def test_each_wheel_is_one_line_of_json_and_holds_to_the_schema(
    wheel_factory: Factory, avx2: dict[str, bytes], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wheel = wheel_factory(tags=LINUX, members=avx2)
    pure = wheel_factory(name="other")
    assert cli.main(["inspect", "--json", str(wheel), str(pure)]) == 0
    first, second = lines(capsys)
    assert (first["wheel"], first["verdict"], first["source"]) == (wheel.name, "known", "inspected")
    assert first["need"] == {"import": "x86_64_v2+avx+avx2", "use": "x86_64_v2+avx+avx2"}
    assert first["evidence"][0]["rule"] == "no-dispatcher"
    assert (second["need"], second["needs"]) == ({"import": "any", "use": "any"}, {})


def test_a_folder_stands_for_its_wheels_and_an_undetermined_one_makes_the_exit_code_1(
    wheel_factory: Factory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for wheel in (wheel_factory(tags=LINUX, members=BROKEN), wheel_factory(name="other")):
        shutil.copy(wheel, folder)
    assert cli.main(["inspect", "--json", str(folder)]) == 1
    other, broken = lines(capsys)
    assert (other["wheel"], other["verdict"]) == ("other-1.0-py3-none-any.whl", "known")
    assert (broken["verdict"], broken["need"]) == ("undetermined", None)
    assert cli.main(["inspect", str(folder / broken["wheel"])]) == 1
    assert "undetermined\n    small/fast.so: " in capsys.readouterr().out


def test_what_is_no_wheel_is_told_beside_the_others(
    wheel_factory: Factory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torn = tmp_path / "torn-1.0-py3-none-any.whl"
    torn.write_bytes(b"PK\3\4")
    empty = tmp_path / "empty"
    empty.mkdir()
    pure = wheel_factory(name="other")
    assert cli.main(["inspect", "--json", str(torn), str(empty), str(tmp_path / "gone.whl"), str(pure)]) == 2
    first, second, third, fourth = lines(capsys)
    assert [one["error"]["code"] for one in (first, second, third)] == [
        "not-a-wheel",
        "nothing-to-inspect",
        "nothing-to-inspect",
    ]
    assert fourth["verdict"] == "known"
    assert cli.main(["inspect", str(torn)]) == 2
    assert "not-a-wheel" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["inspect"],
        ["inspect", "--threads", "0", "x"],
        ["inspect", "--no-such"],
        ["inspect", "--arch", "x86-64", "x"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: cpufit" in capsys.readouterr().err


def test_one_architecture_can_be_asked_for(
    wheel_factory: Factory, avx2: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = wheel_factory(tags=LINUX, members=avx2)
    assert cli.main(["inspect", "--json", "--arch", "aarch64", str(wheel)]) == 0
    (told,) = lines(capsys)
    assert (told["need"], told["needs"], told["evidence"]) == ({"import": "any", "use": "any"}, {}, [])


def test_a_person_reads_each_reason_once_and_all_of_them_on_request(
    wheel_factory: Factory, avx2: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = wheel_factory(tags=LINUX, members={f"small/{n}.so": avx2["small/fast.so"] for n in range(5)})
    assert cli.main(["inspect", str(wheel)]) == 0
    out = capsys.readouterr().out
    assert out.count("needs avx avx2: ") == 1
    assert re.search(r"\n    and \d+ more that ask for the same \(--verbose tells them\)\n$", out)
    assert cli.main(["inspect", "--verbose", str(wheel)]) == 0
    assert capsys.readouterr().out.count("needs avx avx2: ") == 5
    assert cli.main(["inspect", "--arch", "aarch64", str(wheel)]) == 0
    assert "has no machine code for aarch64" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["numpy", "numba", "iced_x86"])
def test_a_missing_extra_is_said_with_what_to_install(
    wheel_factory: Factory, avx2: dict[str, bytes], missing: str
) -> None:
    wheel = wheel_factory(tags=LINUX, members=avx2)
    code = (
        "import sys\n"
        "class Blocked:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {missing!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Blocked())\n"
        "from cpufit_pip_plugin.cli import main\n"
        f"raise SystemExit(main(['inspect', {str(wheel)!r}]))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "inspection-unavailable" in ended.stderr
    assert "pip install 'cpufit[inspect]'" in ended.stderr


def test_the_reference_names_each_option_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["inspect", "--help"])
    told = set(re.findall(r"--[a-z][a-z-]*", capsys.readouterr().out))
    text = REFERENCE.read_text(encoding="utf-8")
    table = text[text.index("| argument or option") : text.index("| exit code")]
    assert set(re.findall(r"--[a-z][a-z-]*", table)) == told
    for code in ("0", "1", "2", str(cli.INTERRUPTED), str(cli.NOBODY_READS)):
        assert f"\n| {code} |" in text


def test_whoever_reads_may_stop(wheel_factory: Factory) -> None:
    wheel = wheel_factory()
    code = f"import sys; from cpufit_pip_plugin.cli import main; sys.exit(main(['inspect'] + [{str(wheel)!r}] * 3000))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(120) == cli.NOBODY_READS
        assert process.stderr is not None
        assert process.stderr.read() == b""
