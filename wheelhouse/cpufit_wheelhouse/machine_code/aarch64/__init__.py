"""arm64: which words of an image's code belong to which extension."""

from .scanning import instruction_at, scan

__all__ = ["instruction_at", "scan"]
