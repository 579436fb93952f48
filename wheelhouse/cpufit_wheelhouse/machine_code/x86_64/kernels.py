"""The decoder: a walk over tables, compiled by numba. The only module that imports it.

Length and class of an instruction follow from its prefixes, its opcode and its ModRM byte (Intel SDM volume 2, section
2.1 "Instruction format for protected mode, real-address mode, and virtual-8086 mode", 2.2 "IA-32e mode", 2.3 "VEX",
2.7 "EVEX"; AMD APM volume 3, section 1.2.5 "XOP"). Every kernel also runs uncompiled,
with the same results: so it is fuzzed.

A kernel never reads outside its array: near the end of it, bytes are taken from a copy with padding behind.
"""

# ruff: noqa: PLR1714, SIM114, PLR0913, PLR0917, PLR0915, C901, PLR0912  # numba compiles sets and ternaries
# slower than branches, inlines no calls across a loop's state, and takes what a kernel needs as arguments
#
# Numba's decorators have no types; and an integer here is Python's or numpy's, as numba sees fit.
# mypy: disable-error-code="untyped-decorator,assignment,return-value,arg-type"
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from .layout import IMM_8_8, IMM_GROUP3_8, INVALID, LOOK, MAP_COUNT, SLOTS, immediate_lengths, plain_opcodes
from .tables import load_tables

TABLES_SHA256 = "d6fde9ccd976075b3c3722b416b7ce29489bf0c8696cdfc96dc73935ed2f1f4f"
"""Of the tables' file. Numba's cache of compiled kernels goes by the date of this file: new tables must change it, and
:mod:`.following`, whose kernels have the decoder within them."""

# Compiled into the kernels as constants: a table passed as an argument is counted in and out of every call.
CELLS, ROWS, FORMS, KINDS, LENGTHS, MASKS = load_tables()
IMMEDIATES = immediate_lengths()
PLAIN = plain_opcodes(FORMS, KINDS)

PADDING = 64
"""How many bytes at the end of the code are read from the padded copy."""

Code = npt.NDArray[np.uint8]


def _compiled(**options: Any) -> Any:
    """Compile a kernel that needs no interpreter lock; the result is kept on disk where there is a place for it."""

    def compiled(kernel: Any) -> Any:
        try:
            return njit(nogil=True, cache=True, **options)(kernel)
        except RuntimeError:  # neither the package's folder nor the user's cache can be written
            return njit(nogil=True, **options)(kernel)

    return compiled


@_compiled(inline="always")
def decode(  # one walk over an instruction's bytes; cut up it costs a third of the speed
    c: Code, p: int
) -> int:
    """Return ``class << 8 | length`` of the instruction at ``c[p]``, or 0 for what is none.

    At least 32 bytes must follow ``p`` in ``c``.
    """
    start = p
    rep = 0
    operand16 = 0
    address32 = 0
    wide = 0
    prefixed = 0
    fault = 0
    b = np.int64(c[p])
    kind = np.int64(KINDS[b])
    if kind == 3:  # most instructions have REX alone, or no prefix
        wide = (b >> 3) & 1
        prefixed = 2
        p += 1
        b = np.int64(c[p])
        kind = np.int64(KINDS[b])
    while (kind == 2 or kind == 3) and p - start < 15:
        if kind == 3:
            wide = (b >> 3) & 1
            prefixed |= 2
        else:
            wide = 0
            prefixed &= 1  # a REX prefix counts only directly before the opcode
            if b == 0x66:
                operand16 = 1
                prefixed |= 1
            elif b == 0xF2:
                rep = 3
                prefixed |= 1
            elif b == 0xF3:
                rep = 2
                prefixed |= 1
            elif b == 0xF0:
                prefixed |= 1
            elif b == 0x67:
                address32 = 1
        p += 1
        b = np.int64(c[p])
        kind = np.int64(KINDS[b])
    encoding = 0
    table = 0
    length = 0
    pp = rep or operand16
    op = b
    if kind == 1:
        p += 1
    elif kind == 4:
        op = np.int64(c[p + 1])
        table = 1
        p += 2
        if op == 0x38 or op == 0x3A:
            table = 2 if op == 0x38 else 3
            op = np.int64(c[p])
            p += 1
    elif kind == 8 and (np.int64(c[p + 1]) & 0x1F) < 8:
        p += 1  # POP: an XOP prefix names a map from 8 on there
    elif kind >= 5:
        fault = prefixed
        x = np.int64(c[p + 1])
        if kind == 5:
            encoding = 1
            table = 1
            pp = x & 3
            length = (x >> 2) & 1
            op = np.int64(c[p + 2])
            p += 3
        else:
            y = np.int64(c[p + 2])
            pp = y & 3
            wide = y >> 7
            if kind == 7:
                z = np.int64(c[p + 3])
                fault |= (x & 8) | (y & 4 ^ 4)
                encoding = 2
                table = x & 7
                length = (z >> 5) & 3
                op = np.int64(c[p + 4])
                p += 5
                if z & 0x10 and c[p] >= 0xC0:
                    length = 2  # rounding control stands in its place: the operation is of full length
                elif length == 3:
                    fault = 1
                    length = 2
            else:
                encoding = 1 if kind == 6 else 3
                table = x & 0x1F
                length = (y >> 2) & 1
                op = np.int64(c[p + 3])
                p += 4
                if table > 10 or (kind == 6 and (table < 1 or table > 3)):
                    fault = 1
                    table = 0
    else:
        fault = 1  # more prefixes than an instruction can have
    form = (encoding * MAP_COUNT + table) * 256 + op
    told = np.int64(FORMS[form])
    slot = 8
    m = 0
    if told & 1:
        m = np.int64(c[p])
        if form >= 0x120 and form <= 0x123:
            m |= 0xC0  # MOV to and from control registers: whatever ModRM.mod says, the operand is a register
        more = np.int64(LENGTHS[m])
        if more & 0x80:
            more &= 0x7F
            if (np.int64(c[p + 1]) & 7) == 5:
                more += 4
        p += more
        slot = 8 + (m & 0x3F) if m >= 0xC0 else (m >> 3) & 7
    found = told >> 8
    if found == LOOK:
        found = np.int64(ROWS[np.int64(CELLS[((form * 4 + pp) * 3 + length) * 2 + wide]) * SLOTS + slot])
    imm = told >> 1 & 15
    p += np.int64(IMMEDIATES[(imm << 3) | (operand16 << 2) | (wide << 1) | address32])
    if imm >= IMM_GROUP3_8:
        if (m & 0x38) < 0x10:
            p += 1 if imm == IMM_GROUP3_8 else (2 if operand16 and not wide else 4)
    elif imm == IMM_8_8 and (pp == 1 or pp == 3):
        p += 2  # EXTRQ and INSERTQ; without their prefix it is VMREAD or VMWRITE
    if found == INVALID or p - start > 15:
        fault = 1
    return 0 if fault else found << 8 | (p - start)


@_compiled()
def histogram(c: Code, p: int, end: int, tail: Code, counts: Any) -> int:
    """Count the classes of the instructions from ``p`` to ``end``; return the faults.

    After what is no instruction it goes on with the next byte.
    """
    faults = 0
    border = min(end, len(c) - PADDING)
    while p < border:
        # The short way, for most instructions; as a function of its own it would cost half of the speed.
        q = p
        b = c[q]
        if KINDS[b] == 3:
            q += 1
            b = c[q]
        told = np.int64(PLAIN[b])
        if b == 0x0F:
            q += 1
            told = np.int64(PLAIN[256 + np.int64(c[q])])
        if told:
            q += 1
            if told & 1:
                more = np.int64(LENGTHS[c[q]])
                if more & 0x80:
                    more &= 0x7F
                    if (c[q + 1] & 7) == 5:
                        more += 4
                q += more
            q += (told >> 1) & 15
            if q <= end:
                counts[told >> 8] += 1
                p = q
                continue
        found = decode(c, p)
        size = found & 0xFF
        if size == 0 or p + size > end:
            faults += 1
            p += 1
        else:
            counts[found >> 8] += 1
            p += size
    shift = len(c) - PADDING
    while p < end:
        found = decode(tail, p - shift)
        size = found & 0xFF
        if size == 0 or p + size > end:
            faults += 1
            p += 1
        else:
            counts[found >> 8] += 1
            p += size
    return faults


@_compiled()
def histograms(c: Code, starts: Any, ends: Any, tail: Code, counts: Any) -> int:
    """Count over many spans; return the faults."""
    faults = 0
    for i in range(len(starts)):
        faults += histogram(c, starts[i], ends[i], tail, counts)
    return faults


@_compiled()
def pieces(
    c: Code, tail: Code, starts: Any, ends: Any, shifts: Any, smallest: int, out_starts: Any, out_ends: Any
) -> int:
    """Cut spans that no function covers into pieces that decode without fault; return how many there are.

    A piece ends with an instruction that control never passes (RET, JMP, UD2, HLT), behind which padding, an address
    that is a multiple of 16, or what is no instruction follows. Pieces are told by address, as far as there is room;
    ``shifts`` are address minus offset of each span.
    """
    safe = len(c) - 32
    shift = len(c) - PADDING
    count = 0
    for i in range(len(starts)):
        p = np.int64(starts[i])
        end = np.int64(ends[i])
        begin = p
        stop = p  # what comes before a span is the end of a function
        sound = True
        while p < end:
            d = c if p < safe else tail
            at = p if p < safe else p - shift
            found = decode(d, at)
            size = found & 0xFF
            bad = size == 0 or p + size > end
            o = at
            while not bad and (KINDS[d[o]] == 2 or KINDS[d[o]] == 3):
                o += 1
            b = np.int64(d[o])
            second = np.int64(d[o + 1])
            padding = b == 0xCC or b == 0x90 or (b == 0 and second == 0) or (b == 0x0F and second == 0x1F)
            if stop == p and (padding or bad or (p + shifts[i]) & 15 == 0):
                if sound and stop - begin >= smallest:
                    if count < len(out_starts):
                        out_starts[count] = begin + shifts[i]
                        out_ends[count] = stop + shifts[i]
                    count += 1
                begin = p
                sound = True
                if padding and not bad:
                    p += size
                    begin = p
                    stop = p
                    continue
            if bad:
                sound = False
                p += 1
                continue
            p += size
            if b == 0xC3 or b == 0xC2 or b == 0xE9 or b == 0xEB or b == 0xF4 or (b == 0x0F and second == 0x0B):
                stop = p
            elif b == 0xFF and (second >> 3 & 7 == 4 or second >> 3 & 7 == 5):
                stop = p
        if stop == end and sound and stop - begin >= smallest:
            if count < len(out_starts):
                out_starts[count] = begin + shifts[i]
                out_ends[count] = stop + shifts[i]
            count += 1
    return count


@_compiled()
def scan_functions(
    c: Code, tail: Code, starts: Any, ends: Any, out_masks: Any, out_faults: Any, out_vectors: Any, counts: Any,
    first: Any, vector: int
) -> None:  # fmt: skip
    """Decode functions from ``starts`` to ``ends`` (offsets) and note what each tells.

    ``counts`` are by class; ``first`` holds, by class, the offset of the first instruction of a reliable function.
    """
    safe = len(c) - 32
    shift = len(c) - PADDING
    seen = np.zeros(256, np.int64)
    seen_in = np.zeros(256, np.int64)
    for i in range(len(starts)):
        p = np.int64(starts[i])
        end = np.int64(ends[i])
        total = np.uint64(0)
        faults = 0
        vectors = 0
        fresh = 0
        while p < end:
            if p < safe:
                q = p
                b = c[q]
                if KINDS[b] == 3:
                    q += 1
                    b = c[q]
                told = np.int64(PLAIN[b])
                if b == 0x0F:
                    q += 1
                    told = np.int64(PLAIN[256 + np.int64(c[q])])
                if told & 0xFF80 == 0x80:  # plain, and of class 0: it needs nothing
                    q += 1
                    if told & 1:
                        more = np.int64(LENGTHS[c[q]])
                        if more & 0x80:
                            more &= 0x7F
                            if (c[q + 1] & 7) == 5:
                                more += 4
                        q += more
                    q += (told >> 1) & 15
                    if q <= end:
                        counts[0] += 1
                        p = q
                        continue
                found = decode(c, p)
            else:
                found = decode(tail, p - shift)
            size = found & 0xFF
            if size == 0 or p + size > end:
                faults += 1
                p += 1
                continue
            k = found >> 8
            if k:
                counts[k] += 1
                mask = MASKS[k]
                total |= mask
                if mask & np.uint64(vector):
                    vectors += 1
                if first[k] < 0 and seen_in[k] != i + 1:
                    seen_in[k] = i + 1
                    seen[k] = p
                    fresh = 1
            else:
                counts[0] += 1
            p += size
        out_masks[i] = total
        out_faults[i] = faults
        out_vectors[i] = vectors
        if faults == 0 and fresh:
            for k in range(256):
                if first[k] < 0 and seen_in[k] == i + 1:
                    first[k] = seen[k]
