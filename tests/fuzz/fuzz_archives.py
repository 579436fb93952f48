"""Feed the readers of wheels and source distributions with whatever atheris thinks of, for a time.

    python tests/fuzz/fuzz_archives.py [SECONDS] [ARCHIVE…]

Seeds are the made archives, good and bad, and the files named. What passes, :mod:`zipfile`, :mod:`tarfile` and a reader
of the stream have to see alike. It needs atheris (``pip install 'cpufit[fuzz]'``). The status is 0 where nothing but
readings and refusals came of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris

with atheris.instrument_imports(include=["cpufit_wheelhouse", "zipfile", "tarfile"]):
    from tests.fuzz.feeding_uploads import feed_tar, feed_zip
    from tests.wheelhouse.made_archives import MADE

from tests.fuzz.rounds import main


def feed(data: bytes) -> None:
    """Feed one input to the reader that its first bytes call for, and a tar's headers alone to the other."""
    if data.startswith(b"PK"):
        feed_zip(data)
    else:
        feed_tar(data)


if __name__ == "__main__":
    sys.exit(main(__file__, MADE, feed))
