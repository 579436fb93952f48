"""The PEP 517 hooks.

This file alone is kept readable for Python 3.6, so that an old Python gets a sentence and not a syntax error.
"""

import sys
from typing import Dict, List, NoReturn, Optional

MINIMUM_PYTHON = (3, 8)


def get_requires_for_build_wheel(config_settings: Optional[Dict[str, object]] = None) -> List[str]:  # noqa: ARG001  # PEP 517
    """Return what has to be installed first: nothing."""
    return []


def prepare_metadata_for_build_wheel(
    metadata_directory: str, config_settings: Optional[Dict[str, object]] = None
) -> str:
    """Write the ``.dist-info`` of the wheel that this machine will get, and return its name."""
    _check_python()
    from . import work  # noqa: PLC0415  # after the check: it does not parse on an older Python

    return work.run(lambda: work.write_metadata(metadata_directory, config_settings or {}))


def build_wheel(
    wheel_directory: str,
    config_settings: Optional[Dict[str, object]] = None,
    metadata_directory: Optional[str] = None,  # noqa: ARG001  # PEP 517
) -> str:
    """Put the best wheel for this CPU into a folder, and return its file name."""
    _check_python()
    from . import work  # noqa: PLC0415  # after the check: it does not parse on an older Python

    return work.run(lambda: work.fetch_wheel(wheel_directory, config_settings or {}))


def get_requires_for_build_sdist(config_settings: Optional[Dict[str, object]] = None) -> List[str]:  # noqa: ARG001  # PEP 517
    """Return what has to be installed first: nothing."""
    return []


def build_sdist(sdist_directory: str, config_settings: Optional[Dict[str, object]] = None) -> NoReturn:  # noqa: ARG001  # PEP 517
    """Refuse: the file that this was unpacked from is the source distribution, and it holds no source."""
    _stop(
        "a selector holds no source, so no source distribution can be made of it. "
        "Use the .tar.gz that it was unpacked from, or the project's own source."
    )


def _check_python() -> None:
    if sys.version_info < MINIMUM_PYTHON:
        _stop(
            "the selector needs Python {}.{} or newer; this is {}.{}".format(*(MINIMUM_PYTHON + sys.version_info[:2]))
        )


def _stop(sentence: str) -> NoReturn:
    sys.stderr.write("cpufit: " + sentence + "\n")
    raise SystemExit(1)
