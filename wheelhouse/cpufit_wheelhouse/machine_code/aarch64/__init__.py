"""arm64: which words of an image's code belong to which extension."""

from .recovery import recover
from .scanning import instruction_at, scan

__all__ = ["instruction_at", "recover", "scan"]
