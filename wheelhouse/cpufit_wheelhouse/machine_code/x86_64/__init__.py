"""x86-64: lengths and ISA classes of instructions, by tables generated from instruction metadata."""

from .entries import Entered, entered
from .recovery import recover
from .scanning import Descent, descend, histogram, instruction_at, instruction_mask, scan

__all__ = [
    "Descent",
    "Entered",
    "descend",
    "entered",
    "histogram",
    "instruction_at",
    "instruction_mask",
    "recover",
    "scan",
]
