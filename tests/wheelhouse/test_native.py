from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cpufit_wheelhouse.native import PREFIX_LENGTH, native_kind


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        (b"\x7fELF\x02\x01\x01\0", "elf"),
        (b"MZ\x90\0\x03\0\0\0", "pe"),
        (b"\xcf\xfa\xed\xfe\x0c\0\0\x01", "macho"),
        (b"\xce\xfa\xed\xfe\x07\0\0\0", "macho"),
        (b"\xfe\xed\xfa\xcf\x01\0\0\x07", "macho"),
        (b"\xfe\xed\xfa\xce\x01\0\0\x07", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02", "macho"),
        (b"\xca\xfe\xba\xbf\0\0\0\x02", "macho"),
        (b"\xbe\xba\xfe\xca\x02\0\0\0", "macho"),
        (b"\xca\xfe\xba\xbe\0\0\0\x34", None),  # a class file of Java 8
        (b"\xca\xfe\xba\xbe\0\x03\0\x2d", None),  # a class file of JDK 1.1
        (b"\xca\xfe\xba\xbe", None),
        (b"import o", None),
        (b"PK\x03\x04\0\0\0\0", None),
        (b"\x7fEL", None),
        (b"", None),
    ],
)
def test_machine_code_is_told_by_its_first_bytes(prefix: bytes, kind: str | None) -> None:
    assert native_kind(prefix) == kind


@pytest.mark.skipif(sys.platform != "linux", reason="the interpreter is an ELF file on Linux")
def test_this_interpreter_is_machine_code() -> None:
    with Path(sys.executable).open("rb") as file:
        assert native_kind(file.read(PREFIX_LENGTH)) == "elf"
