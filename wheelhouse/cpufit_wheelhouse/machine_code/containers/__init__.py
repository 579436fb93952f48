"""Containers: ELF, PE and Mach-O files, read for where their code is and what belongs to it."""

from __future__ import annotations

from cpufit_wheelhouse.machine_code.image import Bytes, Image
from cpufit_wheelhouse.native import PREFIX_LENGTH, native_kind

from .elf import read_elf
from .macho import read_macho
from .pe import read_pe
from .reader import Reader

__all__ = ["read_images"]


def read_images(data: Bytes, where: str) -> tuple[Image, ...]:
    """Return the image of a native library; a universal binary has one for each architecture.

    :param data: the whole file
    :param where: what errors call it
    :raises UnreadableLibrary: it breaks a rule of its format, or is none of the three
    """
    reader = Reader(data, where)
    kind = native_kind(data[:PREFIX_LENGTH].tobytes())
    if kind == "elf":
        return (read_elf(reader),)
    if kind == "pe":
        return (read_pe(reader),)
    if kind == "macho":
        return read_macho(reader)
    raise reader.fail("it is neither ELF, PE nor Mach-O")
