"""``cpufit inspect``: what wheels need, read from their machine code."""
