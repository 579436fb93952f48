"""Feed the readers of machine code with whatever atheris thinks of, for a time.

    python tests/fuzz/fuzz_libraries.py [SECONDS] [LIBRARY…]

The kernels run without their JIT, so that every index is checked. Seeds are the made libraries and the files named.
It needs atheris (``pip install 'cpufit[fuzz]'``). The status is 0 where nothing but readings and refusals came of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["NUMBA_DISABLE_JIT"] = "1"
sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris

with atheris.instrument_imports(include=["cpufit_wheelhouse"]):
    from tests.fuzz.feeding import feed
    from tests.machine_code.made_images import MADE

from tests.fuzz.rounds import main

if __name__ == "__main__":
    sys.exit(main(__file__, MADE, feed))
