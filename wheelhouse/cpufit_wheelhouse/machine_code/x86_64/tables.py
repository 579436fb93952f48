"""The decoding tables as the kernels want them: flat, and the commonest questions answered by one number."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from . import layout


class Tables(NamedTuple):
    """What :mod:`.generate` made, and what follows from the format of ModRM and prefixes."""

    cells: npt.NDArray[np.uint16]
    rows: npt.NDArray[np.uint8]
    forms: npt.NDArray[np.uint16]
    """By encoding, map and opcode: bit 0 whether ModRM follows, bits 1 to 4 which immediate, from bit 8 on the class,
    or :data:`.layout.LOOK` where prefixes or ModRM decide on it."""
    kinds: npt.NDArray[np.uint8]
    """What a first byte is: 1 an opcode, 2 a legacy prefix, 3 REX, 4 to 8 an escape (0F, C5, C4, 62, 8F)."""
    lengths: npt.NDArray[np.uint8]
    """Bytes of ModRM, SIB and displacement by ModRM; 0x80 where the SIB byte's base decides on four more."""
    masks: npt.NDArray[np.uint64]


@lru_cache(maxsize=1)
def load_tables() -> Tables:
    """Return the tables; read at the first call."""
    with np.load(layout.TABLES) as stored:
        cells, rows = stored["cells"], stored["rows"]
        forms = _forms(cells, rows, stored["modrm"].ravel(), stored["immediates"].ravel())
        return Tables(
            cells=cells.ravel(),
            rows=rows.ravel(),
            forms=forms,
            kinds=_kinds(),
            lengths=_lengths(),
            masks=stored["masks"],
        )


def _forms(
    cells: npt.NDArray[np.uint16],
    rows: npt.NDArray[np.uint8],
    modrm: npt.NDArray[np.uint8],
    immediates: npt.NDArray[np.uint8],
) -> npt.NDArray[np.uint16]:
    possible = rows[cells.reshape(len(modrm), -1)].reshape(len(modrm), -1)
    uniform = (possible == possible[:, :1]).all(axis=1)
    classes = np.where(uniform, possible[:, 0], layout.LOOK).astype(np.uint16)
    return (classes << 8 | immediates.astype(np.uint16) << 1 | modrm).astype(np.uint16)


def _kinds() -> npt.NDArray[np.uint8]:
    kinds = np.ones(256, np.uint8)
    kinds[[0x66, 0xF2, 0xF3, 0x2E, 0x36, 0x3E, 0x26, 0x64, 0x65, 0xF0, 0x67]] = 2
    kinds[0x40:0x50] = 3
    kinds[[0x0F, 0xC5, 0xC4, 0x62, 0x8F]] = (4, 5, 6, 7, 8)
    return kinds


def _lengths() -> npt.NDArray[np.uint8]:
    lengths = np.ones(256, np.uint8)
    for modrm in range(0xC0):
        mode, rm = modrm >> 6, modrm & 7
        size = 1 + (rm == 4) + (0, 1, 4)[mode] + (4 if mode == 0 and rm == 5 else 0)
        lengths[modrm] = size | (0x80 if mode == 0 and rm == 4 else 0)
    return lengths
