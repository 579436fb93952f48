"""Libraries that were cut, bent or made to mislead: a reading or a clear refusal, never another error, never a hang."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz.feeding import feed
from tests.machine_code.made_images import ARM_CODE, BASE, CODE, MADE, elf, macho, pe, universal

EXTREMES = (1, 0x7F, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 1 << 62, 1 << 63, (1 << 64) - 1, (1 << 64) - 0x1000)
KINDS = sorted(MADE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_one_is_read(kind: str) -> None:
    assert feed(MADE[kind]) == "known"


@pytest.mark.parametrize("kind", KINDS)
def test_cut_anywhere_it_is_read_or_refused(kind: str) -> None:
    data = MADE[kind]
    cuts = {*range(0, min(len(data), 700), 3), *range(0, len(data), 61), len(data) - 1}
    ends = {feed(data[:cut]) for cut in cuts}
    assert "refused" in ends
    assert ends <= {"refused", "known", "undetermined"}


@pytest.mark.parametrize("kind", KINDS)
def test_any_number_in_it_may_be_any_number(kind: str) -> None:
    """Every place of the headers and of the tables at the end gets numbers at the edges of their types."""
    data = MADE[kind]
    places = [*range(0, 480, 4), *range(BASE, BASE + 120, 4), *range(max(0, len(data) - 400), len(data) - 8, 4)]
    for place in places:
        if place + 8 > len(data):
            continue
        for number in EXTREMES:
            size = 8 if number >> 32 else 4
            bent = data[:place] + struct.pack("<Q", number)[:size] + data[place + size :]
            feed(bent)


@given(st.sampled_from(KINDS), st.integers(0, 1 << 32), st.integers(1, 24))
@settings(max_examples=400, deadline=None)
def test_bytes_changed_at_random(kind: str, seed: int, count: int) -> None:
    chance = random.Random(seed)
    data = bytearray(MADE[kind])
    for _ in range(count):
        # mostly where the headers and tables are
        place = chance.choice(
            (chance.randrange(len(data)), chance.randrange(480), chance.randrange(len(data) - 400, len(data)))
        )
        data[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    feed(bytes(data))


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_code_may_be_any_bytes(code: bytes) -> None:
    for made in (elf(code), elf(code, machine=183), pe(code[:0x200]), macho(code)):
        assert feed(made) in {"known", "refused"}


def test_parts_of_a_universal_binary_that_overlap_are_refused() -> None:
    data = bytearray(universal((0x0100_0007, macho()), (0x0100_000C, macho(ARM_CODE, cpu=0x0100_000C))))
    data[8 + 20 + 8 : 8 + 20 + 12] = struct.pack(">I", 0x1800)
    assert feed(bytes(data)) == "refused"


def test_executable_segments_that_overlap_are_refused() -> None:
    row = struct.pack("<IIQQQQQQ", 1, 5, 0x40, 0x100, 0, 0x400, 0x400, 0x1000)
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    assert feed((head + row + row).ljust(0x1000, b"\x90")) == "refused"


def test_a_thousand_executable_segments_are_refused() -> None:
    rows = b"".join(struct.pack("<IIQQQQQQ", 1, 5, 0x10000 + k, k, 0, 1, 1, 1) for k in range(1000))
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1000, 64, 0, 0)
    assert feed((head + rows).ljust(0x20000, b"\x90")) == "refused"


def test_functions_that_cover_each_other_are_counted_once() -> None:
    """Symbols by the thousand, all for the same code: time and counts stay those of the code."""
    code = CODE * 200
    assert feed(elf(code)) == "known"


def test_a_kind_of_machine_that_nobody_knows_is_refused() -> None:
    assert feed(elf(machine=0xFFF0)) == "refused"
    assert feed(pe(machine=0xFFF0)) == "refused"
    assert feed(macho(cpu=0x0100_00FF)) == "refused"
    assert feed(b"\x7fELF") == "refused"
    assert feed(b"text") == "refused"
