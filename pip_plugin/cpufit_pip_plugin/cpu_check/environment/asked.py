"""Run by the Python of the environment: prints where it imports from, and what its CPU may execute.

Python 3.8 and standard library alone. Its one argument is the folder that holds ``cpufit_resolver``; a Python too old
for that tells no CPU.
"""

import json
import os
import site
import sys
import sysconfig


def _sites() -> "list[str]":
    found = [path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages")]  # noqa: PTH119  # strings suffice
    found += [sysconfig.get_paths()[name] for name in ("purelib", "platlib")]
    if not os.path.exists(os.path.join(sys.prefix, "pyvenv.cfg")):  # noqa: PTH110, PTH118  # as above
        found.append(site.getusersitepackages())
    return [path for path in dict.fromkeys(found) if os.path.isdir(path)]  # noqa: PTH112  # as above


def _cpu(folder: str) -> "dict[str, object] | None":
    # at the end: what that folder holds besides must not stand before the environment's own
    sys.path.append(folder)
    try:
        from cpufit_resolver.detection import detect  # noqa: PLC0415  # it may be too new for this Python

        cpu = detect()
    except Exception:  # noqa: BLE001  # without an answer the command asks its own CPU
        return None
    hidden = [[one.by, sorted(one.features), one.sentence] for one in cpu.hidden]
    return {"token": cpu.profile.token, "source": cpu.source, "hidden": hidden}


told = {
    "prefix": sys.prefix,
    "scripts": sysconfig.get_paths()["scripts"],
    "sites": _sites(),
    "version": f"{sys.version_info[0]}.{sys.version_info[1]}",
    "cpu": _cpu(sys.argv[1]),
}
print(json.dumps(told))
