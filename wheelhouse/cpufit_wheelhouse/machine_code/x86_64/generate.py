"""Making the decoding tables from the instruction metadata of iced-x86.

``python -m cpufit_wheelhouse.machine_code.x86_64.generate`` writes the file that is shipped; a test holds the two
together. The metadata give, for each instruction form, its encoding, opcode, prefixes and operands (Intel SDM volume 2,
chapter 2 "Instruction format", and appendix A "Opcode map") and the CPUID features that it needs.

The tables, all indexed by what the decoder reads anyway:

``cells``  [encoding, map, opcode, mandatory prefix, vector length, W] -> a row
``rows``   [row, slot] -> a class; slot is ModRM.reg for memory operands, 8 + the low six bits of ModRM for registers
``masks``  [class] -> what an instruction of that class tells (:mod:`..bits`)
``modrm``  [encoding, map, opcode] -> whether a ModRM byte follows
``immediates`` [encoding, map, opcode] -> which immediate follows, one of ``IMM_*`` of :mod:`.layout`
"""

# iced-x86's stubs give its integers types of their own, which its functions' results do not have.
# mypy: disable-error-code="arg-type,assignment"
from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from iced_x86 import (
    Code,
    CpuidFeature,
    DecoderOptions,
    EncodingKind,
    Instruction,
    MandatoryPrefix,
    OpCodeInfo,
    OpCodeOperandKind,
)

from cpufit_wheelhouse.machine_code.bits import CPUID, EVEX_VECTOR, LEGACY_VECTOR, TZCNT, VEX_VECTOR, mask_of

from . import layout

_FEATURES = {value: name for name, value in vars(CpuidFeature).items() if isinstance(value, int)}
_KINDS = {value: name for name, value in vars(OpCodeOperandKind).items() if isinstance(value, int)}
_TRANSLATED = {
    "SSE3": "sse3", "SSSE3": "ssse3", "SSE4_1": "sse4_1", "SSE4_2": "sse4_2", "SSE4A": "sse4a", "POPCNT": "popcnt",
    "CMPXCHG16B": "cx16", "MOVBE": "movbe", "AES": "aes", "PCLMULQDQ": "pclmulqdq", "SHA": "sha_ni", "AVX": "avx",
    "AVX2": "avx2", "FMA": "fma", "F16C": "f16c", "BMI1": "bmi1", "BMI2": "bmi2", "LZCNT": "abm", "ADX": "adx",
    "RDRAND": "rdrand", "RDSEED": "rdseed", "FSGSBASE": "fsgsbase", "XSAVE": "xsave", "XSAVEC": "xsave",
    "XSAVEOPT": "xsave", "XSAVES": "xsave", "RTM": "rtm", "AVX512F": "avx512f", "AVX512VL": "avx512vl",
    "AVX512BW": "avx512bw", "AVX512DQ": "avx512dq", "AVX512CD": "avx512cd", "AVX512_IFMA": "avx512ifma",
    "AVX512_VBMI": "avx512vbmi", "AVX512_VBMI2": "avx512_vbmi2", "AVX512_VNNI": "avx512_vnni",
    "AVX512_BITALG": "avx512_bitalg", "AVX512_VPOPCNTDQ": "avx512_vpopcntdq", "AVX512_BF16": "avx512_bf16",
    "AVX512_FP16": "avx512_fp16", "AVX512_VP2INTERSECT": "avx512_vp2intersect", "AVX512ER": "avx512er",
    "AVX512PF": "avx512er", "AVX_VNNI": "avx_vnni", "GFNI": "gfni", "VAES": "vaes", "VPCLMULQDQ": "vpclmulqdq",
    "FMA4": "fma4", "XOP": "xop", "TBM": "tbm", "AMX_TILE": "amx_tile", "AMX_INT8": "amx_int8",
    "AMX_BF16": "amx_bf16", "MOVDIRI": "movdiri", "MOVDIR64B": "movdir64b", "WAITPKG": "waitpkg", "RDPID": "rdpid",
    "CLWB": "clwb", "SERIALIZE": "serialize",
}  # fmt: skip
_OTHER = frozenset({
    "AVX_IFMA", "AVX_NE_CONVERT", "AVX_VNNI_INT8", "AVX_VNNI_INT16", "SHA512", "SM3", "SM4", "AMX_FP16", "AMX_COMPLEX",
    "D3NOW", "D3NOWEXT", "AVX512_4FMAPS", "AVX512_4VNNIW", "CMPCCXADD", "RAO_INT", "LWP", "KL", "AESKLE", "WIDE_KL",
    "PTWRITE", "ENQCMD", "PADLOCK_ACE", "PADLOCK_PHE", "PADLOCK_PMM", "PADLOCK_RNG", "PADLOCK_GMI", "PADLOCK_UNDOC",
    "CLZERO", "RDPRU", "MCOMMIT", "UINTR",
})  # fmt: skip
"""Unprivileged extensions that no token names. What is in neither table is part of every x86-64, privileged, or does
nothing on a CPU that does not know it (hint space: ENDBR, PAUSE, RDSSP, PREFETCHW, multi-byte NOPs)."""


def instruction_bits(code: int) -> int:
    """Return what an instruction form tells, as a mask; ``code`` is one of iced-x86's ``Code``.

    The rules of the class are stated once, here: TZCNT is ``rep bsf`` elsewhere and never counts as BMI1; LAHF is in
    every CPU of note; a VEX vector instruction needs AVX, an EVEX one AVX512F, whatever else it needs.
    """
    info = OpCodeInfo(code)
    features = [_FEATURES[number] for number in _instruction(code).cpuid_features()]
    text = info.instruction_string.split(" ")[0]
    if text == "TZCNT":
        return mask_of("x86_64", (TZCNT,))
    if text in ("CPUID", "XGETBV"):
        return mask_of("x86_64", (CPUID,))
    names = {_TRANSLATED[name] for name in features if name in _TRANSLATED}
    if any(name in _OTHER for name in features):
        names.add(":other")
    vector = any(_KINDS[kind][:3] in ("XMM", "YMM", "ZMM") or "VSIB" in _KINDS[kind] for kind in info.op_kinds())
    if info.encoding == EncodingKind.EVEX:
        names |= {EVEX_VECTOR, "avx512f"}
    elif vector and info.encoding in (EncodingKind.VEX, EncodingKind.XOP):
        names |= {VEX_VECTOR, "avx"}
    elif vector:
        names.add(LEGACY_VECTOR)
    return mask_of("x86_64", names)


def _instruction(code: int) -> Instruction:
    instruction = Instruction()
    instruction.code = code
    return instruction


def instruction_forms() -> Iterator[tuple[int, OpCodeInfo]]:
    """Yield the forms that a CPU in 64-bit mode decodes, as Intel's do."""
    for name, code in sorted(vars(Code).items()):
        if not isinstance(code, int) or name == "INVALID" or name.startswith("DECLARE"):
            continue
        info = OpCodeInfo(code)
        known = info.encoding in layout.ENCODINGS and info.table in layout.MAPS
        if info.mode64 and known and info.decoder_option == DecoderOptions.NONE:
            yield code, info


def build() -> dict[str, npt.NDArray[np.generic]]:
    """Return the tables by name; the same iced-x86 always gives the same."""
    slots = np.full((layout.ENCODING_COUNT, layout.MAP_COUNT, 256, 4, 3, 2, layout.SLOTS), layout.INVALID, np.uint8)
    modrm = np.zeros((layout.ENCODING_COUNT, layout.MAP_COUNT, 256), np.uint8)
    kinds: dict[tuple[int, int, int], set[int]] = {}
    masks: dict[int, int] = {0: 0}
    strict: list[tuple[int, OpCodeInfo]] = []
    for code, info in instruction_forms():
        strict.append((code, info))
    # forms that name their prefix or W go in last, so that they stand over those that take any
    strict.sort(key=lambda pair: (_prefixes(pair[1]) is not None, _wide(pair[1]) is not None, pair[0]))
    for code, info in strict:
        number = masks.setdefault(instruction_bits(code), len(masks))
        _place(slots, info, number)
        for opcode in _opcodes(info):
            where = layout.ENCODINGS[info.encoding], layout.MAPS[info.table], opcode
            modrm[where] |= _has_modrm(info)
            kinds.setdefault(where, set()).update(_immediates(info))
    immediates = np.zeros_like(modrm)
    for where, found in kinds.items():
        immediates[where] = _one_immediate(found, where[2], where[1])
    flat = slots.reshape(-1, layout.SLOTS)
    rows, cells = np.unique(flat, axis=0, return_inverse=True)
    return {
        "cells": cells.reshape(slots.shape[:-1]).astype(np.uint16),
        "rows": rows,
        "masks": np.array([*masks, *[0] * (256 - len(masks))], np.uint64),
        "modrm": modrm,
        "immediates": immediates,
        "iced": np.array(version("iced-x86")),
    }


def _place(slots: npt.NDArray[np.uint8], info: OpCodeInfo, number: int) -> None:
    encoding, table = layout.ENCODINGS[info.encoding], layout.MAPS[info.table]
    prefixes, wide = _prefixes(info), _wide(info)
    for opcode in _opcodes(info):
        for prefix in range(4) if prefixes is None else (prefixes,):
            for length in _lengths(info):
                for w in (0, 1) if wide is None else (wide,):
                    slots[encoding, table, opcode, prefix, length, w, _slots(info)] = number


def _prefixes(info: OpCodeInfo) -> int | None:
    order = {MandatoryPrefix.PNP: 0, MandatoryPrefix.P66: 1, MandatoryPrefix.PF3: 2, MandatoryPrefix.PF2: 3}
    return order.get(info.mandatory_prefix)


def _wide(info: OpCodeInfo) -> int | None:
    if info.encoding == EncodingKind.LEGACY:
        return 1 if info.operand_size == 64 and not info.default_op_size64 and not info.force_op_size64 else None
    return None if info.is_wig or info.is_wig32 or info.encoding == EncodingKind.D3NOW else int(info.w)


def _lengths(info: OpCodeInfo) -> tuple[int, ...]:
    if info.encoding in (EncodingKind.LEGACY, EncodingKind.D3NOW) or info.is_lig:
        return (0, 1, 2)
    return (min(int(info.l), 2),)


def _opcodes(info: OpCodeInfo) -> list[int]:
    first = info.op_code & 0xFF if info.op_code_len == 1 else info.op_code >> 8
    if info.encoding == EncodingKind.D3NOW:
        return [0x0F]
    in_opcode = any(_KINDS[kind].endswith("_OPCODE") for kind in info.op_kinds())
    # FPU instructions on a register stand in the ModRM byte, which counts as the second opcode byte
    return [first + more for more in range(8)] if in_opcode and info.op_code_len == 1 else [first]


def _slots(info: OpCodeInfo) -> list[int]:
    names = [_KINDS[kind] for kind in info.op_kinds()]
    memory_only = any(name in ("MEM", "MEM_MPX", "MEM_MIB", "SIBMEM") or "VSIB" in name for name in names)
    register_only = any(name.endswith("_RM") for name in names)
    if info.op_code_len == 2:
        second = info.op_code & 0xFF
        any_register = any(name.endswith("_OPCODE") for name in names)
        features = [_FEATURES[number] for number in _instruction(info.code).cpuid_features()]
        if any_register or any(name.startswith("PADLOCK") for name in features):
            return [8 + (second & 0x38) + more for more in range(8)]
        return [8 + (second & 0x3F)]
    regs = [info.group_index] if info.is_group else list(range(8))
    rms = [info.rm_group_index] if info.is_rm_group else list(range(8))
    memory = [] if register_only or info.is_rm_group else regs
    registers = [] if memory_only and not info.ignores_mod_bits else [8 + reg * 8 + rm for reg in regs for rm in rms]
    return memory + registers


def _has_modrm(info: OpCodeInfo) -> bool:
    names = [_KINDS[kind] for kind in info.op_kinds()]
    told = info.is_group or info.is_rm_group or info.op_code_len == 2 or info.encoding == EncodingKind.D3NOW
    by_operand = any(
        name.endswith(("_OR_MEM", "_OR_MEM_MPX", "_REG", "_RM", "_REG_MEM"))
        or name in ("MEM", "MEM_MPX", "MEM_MIB", "SIBMEM")
        or "VSIB" in name
        for name in names
    )
    return told or by_operand or info.is_reserved_nop


def _immediates(info: OpCodeInfo) -> set[int]:
    if info.encoding == EncodingKind.D3NOW:
        return {layout.IMM_8}
    found = [layout.IMMEDIATE_OF[name] for kind in info.op_kinds() if (name := _KINDS[kind]) in layout.IMMEDIATE_OF]
    if len(found) == 2 and info.encoding == EncodingKind.LEGACY:
        return {layout.IMM_16_8 if layout.IMM_16 in found else layout.IMM_8_8}
    return set(found)  # two in one VEX instruction are the halves of one byte


def _one_immediate(found: set[int], opcode: int, table: int) -> int:
    """Return the one kind that covers what all forms of an opcode have; the decoder knows the prefixes."""
    if table == 0 and opcode in (0xF6, 0xF7):
        return layout.IMM_GROUP3_8 if opcode == 0xF6 else layout.IMM_GROUP3_Z
    if layout.IMM_V in found:
        return layout.IMM_V
    if {layout.IMM_16, layout.IMM_32} <= found:
        return layout.IMM_Z
    return max(found, default=layout.IMM_NONE)


def write(path: Path) -> None:
    """Write the tables in NumPy's compressed form."""
    np.savez_compressed(path, **build())


if __name__ == "__main__":
    write(layout.TABLES)
