"""``python -m cpufit_server``: the same as the ``cpufit-server`` command."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    raise SystemExit(main())
