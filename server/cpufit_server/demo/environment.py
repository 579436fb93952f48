"""What the child processes of the demonstration may see of this process's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cpufit_server.sources.pip_settings import PipSettings

_OUR_PREFIX = "CPUFIT_"
_LOOPBACK = "127.0.0.1,localhost"
_KEPT_FROM_PIP = ("PIP_CERT", "PIP_CLIENT_CERT", "PIP_DEFAULT_TIMEOUT", "PIP_RETRIES", "PIP_TRUSTED_HOST")


def server_environment(environ: Mapping[str, str], temporary: Path) -> dict[str, str]:
    """Return the environment of the server.

    The settings of another server, or another CPU than this one, must not reach the demonstration. Pip's settings
    stay: the upstream is the index that pip uses.

    :param temporary: the folder for temporary files; what a child that is ended leaves there goes with it
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(_OUR_PREFIX)}
    return _around_the_proxy(kept) | {"PYTHONUNBUFFERED": "1", "TMPDIR": str(temporary)}


def pip_environment(environ: Mapping[str, str], settings: PipSettings, temporary: Path) -> dict[str, str]:
    """Return the environment of the plain pip, isolated from whatever else pip is set up with here.

    A further index, a folder of wheels or a constraints file would be a second source for the same project. At equal
    version an ordinary wheel from there beats the selector, and the wheel that crashes is back: the demonstration
    would show this machine's set-up instead of the index. Only how pip reaches the network is kept: certificates,
    proxy, patience. ``PIP_CONFIG_FILE`` set to the null device is pip's own way to read no configuration file, so what
    such a file says of certificate and proxy goes through the environment.

    :param temporary: the folder for temporary files and for a cache of pip's, so that the user's own neither helps nor
        grows
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(("PIP_", _OUR_PREFIX)) and name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    kept |= {name: environ[name] for name in _KEPT_FROM_PIP if name in environ}
    if settings.certificate is not None:
        kept["PIP_CERT"] = settings.certificate
    if settings.proxy is not None:
        # not PIP_PROXY: that would send the loopback addresses through the proxy as well
        kept |= {"HTTP_PROXY": settings.proxy, "HTTPS_PROXY": settings.proxy}
    return _around_the_proxy(kept) | {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_CACHE_DIR": str(temporary / "pip-cache"),
        "TMPDIR": str(temporary),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
    }


def _around_the_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Keep loopback addresses away from a proxy, under both spellings that programs read."""
    result = dict(environ)
    for name in ("NO_PROXY", "no_proxy"):
        given = environ.get(name) or environ.get(name.swapcase(), "")
        result[name] = f"{given},{_LOOPBACK}" if given else _LOOPBACK
    return result
