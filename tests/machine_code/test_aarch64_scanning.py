"""The arm64 scanner: each instruction needs its extension and nothing else; the baseline needs nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.machine_code.aarch64_newer_words import NEWER_WORDS
from tests.machine_code.aarch64_words import WORDS as OLDER_WORDS

from cpufit_wheelhouse.machine_code.aarch64 import instruction_at, scan
from cpufit_wheelhouse.machine_code.bits import AARCH64_BITS, names_of
from cpufit_wheelhouse.machine_code.image import CodeRange, Functions, Image

WORDS = (*OLDER_WORDS, *NEWER_WORDS)
AS = shutil.which("aarch64-linux-gnu-as") or shutil.which("as")
EXTENSIONS = (
    "sve2 sve2-aes sve2-sha3 sve2-sm4 sve2-bitperm sm4 sha3 sha2 aes fp16 fp16fml bf16 i8mm rng memtag mops sme crypto "
    "flagm sb dotprod rdma rcpc pauth lse cssc ls64"
)


def image_of(words: list[int], bounds: list[tuple[int, int]], address: int = 0x1000) -> Image:
    """Return an image of words; ``bounds`` are the functions, as indices of words."""
    data = np.frombuffer(np.array(words, "<u4").tobytes(), np.uint8)
    return Image(
        kind="elf",
        arch="aarch64",
        data=data,
        code=(CodeRange(name=".text", offset=0, size=len(data), address=address),),
        functions=Functions(
            starts=np.array([address + 4 * start for start, _ in bounds], np.int64),
            ends=np.array([address + 4 * end for _, end in bounds], np.int64),
            weak=np.zeros(len(bounds), np.bool_),
        ),
        imports=frozenset(),
        exports=frozenset(),
        needed=(),
        entries=(),
    )


def test_each_instruction_needs_its_extension_and_the_baseline_nothing() -> None:
    image = image_of([word for _, word, _ in WORDS], [(i, i + 1) for i in range(len(WORDS))])
    found = scan(image)
    wrong = []
    for (text, word, features), mask, faults in zip(WORDS, found.masks, found.faults, strict=True):
        told = set(names_of("aarch64", int(mask)))
        if told != set(features.split()) or faults:
            wrong.append((f"{word:08x} {text}", sorted(told), features, int(faults)))
    assert wrong == []
    assert found.instructions == len(WORDS)


@pytest.mark.parametrize("word", [0x19201041, 0x19603041, 0x19A08041])
def test_atomics_on_pairs_are_newer_than_the_assembler_here(word: int) -> None:
    found = scan(image_of([word], [(0, 1)]))
    assert set(names_of("aarch64", int(found.masks[0]))) == {"lse128"}


def test_several_threads_find_what_one_finds() -> None:
    random = np.random.default_rng(1).integers(0, 1 << 32, 700_000, np.uint32)
    image = image_of(random.tolist(), [(i, i + 1000) for i in range(0, 700_000, 1000)])
    one, three = scan(image), scan(image, threads=3)
    np.testing.assert_array_equal(one.masks, three.masks)
    np.testing.assert_array_equal(one.faults, three.faults)
    np.testing.assert_array_equal(one.counts, three.counts)


def test_the_first_place_of_a_feature_is_in_a_function_that_decodes() -> None:
    by_text = {text: word for text, word, _ in WORDS}
    crc, nop = by_text["crc32b w0,w1,w2"], by_text["nop"]
    image = image_of([crc, 0, nop, crc, crc], [(0, 2), (2, 4)])
    found = scan(image)
    assert found.faults.tolist() == [1, 0]  # a word of zeros is no instruction
    number = AARCH64_BITS.index("crc32")
    assert int(found.first[number]) == 0x1000 + 12
    assert (int(found.counts[number]), int(found.gap_counts[number])) == (2, 1)
    assert instruction_at(image, 0x1000 + 12) == "crc32"
    assert instruction_at(image, 0x1000 + 8) is None
    assert instruction_at(image, 0x9000) is None


def test_no_code_is_nothing() -> None:
    found = scan(image_of([], []))
    assert (found.instructions, int(found.counts.sum()), found.code_bytes) == (0, 0, 0)


def test_the_words_are_those_of_the_assembler(tmp_path: Path) -> None:
    source = tmp_path / "words.s"
    arch = "armv8.8-a+" + "+".join(EXTENSIONS.split())
    source.write_text(f".arch {arch}\n" + "\n".join(text for text, _, _ in WORDS) + "\n")
    if AS is None:
        pytest.skip("no assembler is installed (Debian: binutils-aarch64-linux-gnu)")
    done = subprocess.run(
        [AS, "-o", tmp_path / "words.o", source], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    if done.returncode:
        pytest.skip("the assembler here does not know these arm64 instructions")
    data = (tmp_path / "words.o").read_bytes()
    assert np.array([word for _, word, _ in WORDS], "<u4").tobytes() in data
