"""How much memory a tree of processes has, as the system tells everybody."""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from pathlib import Path


def memory_of_tree(root: int) -> int:
    """Return the bytes of a process and all that descend from it; what they share counts for each."""
    page = os.sysconf("SC_PAGE_SIZE")
    children: dict[int, list[int]] = defaultdict(list)
    sizes: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended
                # the program's name, which comes first, may hold anything
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                children[int(fields[1])].append(int(entry.name))
                sizes[int(entry.name)] = int(fields[21]) * page
    total, left = 0, [root]
    while left:
        process = left.pop()
        total += sizes.get(process, 0)
        left += children[process]
    return total
