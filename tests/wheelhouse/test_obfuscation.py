from __future__ import annotations

import io
import marshal
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.wheelhouse.ingest_support import wheel_bytes

from cpufit_wheelhouse.archive import open_wheel
from cpufit_wheelhouse.errors import ObfuscatedCode
from cpufit_wheelhouse.obfuscation import refuse_obfuscated
from cpufit_wheelhouse.sdist import open_sdist

PAYLOAD = b"PY000000\0\x03\x0b\0\xa7\r\r\n\x80\0\x01\0" + bytes(range(256))
"""As PyArmor 8 and 9 begin theirs; what follows is made up."""
OLD_PAYLOAD = b"PYARMOR\0\0\x03\x09\0a\r\r\n" + bytes(range(256))
HEX = "".join(f"\\x{byte:02x}" for byte in OLD_PAYLOAD)

NEW = (
    "# Pyarmor 9.2.8 (trial), 000000, non-profits\nfrom pyarmor_runtime_000000 import __pyarmor__\n"
    f"__pyarmor__(__name__, __file__, {PAYLOAD!r})\n"
)
OLD = f"from pytransform import pyarmor_runtime\npyarmor_runtime()\n__pyarmor__(__name__, __file__, b'{HEX}', 2)\n"
SUPER = f"from pytransform import pyarmor\npyarmor(__name__, __file__, b'{HEX}', 1)\n"
PYE = "---BEGIN PYE FILE---\n" + "0EF4BFEAE5AE71354072811A06EAF8957F70EF36\n" * 100 + "----END PYE FILE----"

PROTECTED = {
    "fast/new.py": NEW.encode(),
    "fast/relative.py": NEW.replace("from pyarmor", "from .pyarmor").encode(),
    "fast/quoted.py": NEW.replace(repr(PAYLOAD), repr(PAYLOAD.replace(b'"', b"") + b"'" * 9)).encode(),
    "fast/old.py": OLD.encode(),
    "fast/super.py": SUPER.encode(),
    "fast/far.py": b"# a comment\n" * 100_000 + NEW.encode(),
    "fast/new.pyc": bytes(16) + marshal.dumps(compile(NEW, "new.py", "exec")),
    "fast/old.pyc": bytes(16) + marshal.dumps(compile(OLD, "old.py", "exec")),
    "pyarmor_runtime_000000/pyarmor_runtime.so": b"\x7fELF" + bytes(100),
    "fast/pyarmor_runtime/pyarmor_runtime.pyd": b"MZ" + bytes(100),
    "fast/pytransform/_pytransform.so": b"\x7fELF" + bytes(100),
    "fast/code.pye": PYE.encode(),
    "fast/renamed.txt": PYE.replace("\n", "\r\n").encode() + b"\n\n",
}

MENTIONED = {
    "docs/guide.md": b"from pyarmor_runtime import __pyarmor__\n__pyarmor__(__name__, __file__, b'\\x28\\x83....')\n",
    "fast/detector.py": b"SIGNS = ('__pyarmor__(__name__, __file__,', '---BEGIN PYE FILE---', '---END PYE FILE---')\n"
    * 100,
    "fast/quote.py": NEW[:300].encode() + b"...')\n" + b"# and so on, for ever\n" * 100,
    "fast/bootstrap.py": b"from pytransform import pyarmor_runtime\npyarmor_runtime()\n",
    "fast/stub.py": b"import sourcedefender\nfrom pyarmor_runtime_000000 import __pyarmor__\n",
    "fast/other.py": f"repyarmor(__name__, __file__, b'{HEX}')\nx.pyarmor(__name__, __file__, b'{HEX}')\n".encode(),
    "fast/magic.pyc": bytes(16) + marshal.dumps((PAYLOAD,)),
    "docs/format.md": b"A file looks so:\n\n```\n" + PYE.encode() + b"\n```\n",
    "fast/begun.pye": PYE.partition("----END")[0].encode(),
    "fast/pyarmor_runtime_000000/pyarmor_runtime.so.txt": b"\x7fELF" + bytes(100),
    "fast/pyarmor_runtime_000000/pyarmor_runtime.so": b"no machine code",
    "pyarmor/cli/core/pyarmor_runtime.so": b"\x7fELF" + bytes(100),
    "fast/empty.py": b"",
}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [61, 1 << 18])
@pytest.mark.parametrize("name", PROTECTED)
def test_protected_code_is_refused_by_its_member(name: str, size: int) -> None:
    with pytest.raises(ObfuscatedCode) as caught:
        list(refuse_obfuscated(name, pieces(PROTECTED[name], size)))
    assert caught.value.where == repr(name)
    assert ("SourceDefender" if b"PYE" in PROTECTED[name] else "PyArmor") in str(caught.value)


@pytest.mark.parametrize("size", [61, 1 << 18])
@pytest.mark.parametrize("name", MENTIONED)
def test_what_only_speaks_of_it_passes_as_it_is(name: str, size: int) -> None:
    assert b"".join(refuse_obfuscated(name, pieces(MENTIONED[name], size))) == MENTIONED[name]


def test_a_large_member_takes_no_memory() -> None:
    piece = b"pyarmor PYE " * 1000
    tracemalloc.start()
    passed = sum(len(seen) for seen in refuse_obfuscated("big", (piece for _ in range(2000))))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert passed == 2000 * len(piece)
    assert most < 10 * len(piece)


def test_a_wheel_that_nobody_watches_is_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(wheel_bytes(path.name, extra={"code.py": NEW.encode()}))
    assert "demo-1.0.dist-info/code.py" in open_wheel(path, path.name).members
    with pytest.raises(ObfuscatedCode, match=r"demo-1\.0\.dist-info/code\.py"):
        open_wheel(path, path.name, watch=refuse_obfuscated)


@pytest.mark.parametrize("last", ["fast/new.py", "docs/format.md"])
def test_a_source_distribution_is_read_to_its_last_member(tmp_path: Path, last: str) -> None:
    members = {
        "exact.bin": bytes(1024),
        "PKG-INFO": b"Metadata-Version: 2.2\nName: demo\nVersion: 1.0\n\n" + NEW.encode(),
        "large.bin": bytes((1 << 18) + 700),
        last: {**PROTECTED, **MENTIONED}[last],
    }
    path = tmp_path / "demo-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(f"demo-1.0/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    assert open_sdist(path, path.name).members == set(members)
    if last in MENTIONED:
        assert open_sdist(path, path.name, watch=refuse_obfuscated).members == set(members)
    else:
        with pytest.raises(ObfuscatedCode, match=r"demo-1\.0/fast/new\.py"):
            open_sdist(path, path.name, watch=refuse_obfuscated)
