"""Feed the reader of upload forms with whatever atheris thinks of, for a time.

    python tests/fuzz/fuzz_forms.py [SECONDS] [BODY…]

Each body is read whole and in pieces, and both have to be the same form or the same refusal. It needs atheris
(``pip install 'cpufit[fuzz]'``). The status is 0 where nothing but readings and refusals came of it.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import atheris

with atheris.instrument_imports(include=["cpufit_server.multipart", "python_multipart"]):
    from tests.fuzz.feeding_uploads import feed_form

from tests.fuzz.rounds import main

_FILE = b'--b\r\nContent-Disposition: form-data; name="content"; filename="a-1.0.tar.gz"\r\n\r\nbytes\r\n--b\r\n'
_FIELD = b'--b\r\nContent-Disposition: form-data; name="name"\r\nContent-Type: text/plain\r\n\r\na\r\n'
SEEDS = {
    "file last": _FIELD + _FILE.removesuffix(b"--b\r\n") + b"--b--\r\n",
    "file first": _FILE.removesuffix(b"--b\r\n") + _FIELD + b"--b--\r\n",
    "repeated": _FIELD.replace(b'name"\r', b'requires_dist"\r') * 2 + _FILE.removesuffix(b"--b\r\n") + b"--b--\r\n",
    "signature": _FIELD.replace(b'"name"', b'"gpg_signature"; filename="a"') + _FILE + b"--b--\r\n",
    "padding": _FIELD.replace(b"--b\r\n", b"--b \r\n") + _FILE,
}

if __name__ == "__main__":
    logging.disable()  # the parser tells each thing that it refuses
    sys.exit(main(__file__, SEEDS, feed_form))
