"""Run by the Python of the environment: imports modules one after the other and writes down how far it came.

Python 3.8 and standard library alone. Arguments: the file to write to, one for the stack where the process dies, the
folders to import from as a JSON list, then the modules. Each line of the first file is a JSON list of what happened
and to what.
"""

import _imp
import faulthandler
import importlib
import json
import os
import sys

record, stack, folders = sys.argv[1:4]
modules = sys.argv[4:]
descriptor = os.open(record, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def tell(*words: str) -> None:
    """Write at once: the next thing may be the last."""
    os.write(descriptor, (json.dumps(words) + "\n").encode())


def watched(load):  # type: ignore[no-untyped-def]  # takes what the import system's own function takes
    """Tell of each extension module before and after a step of its loading."""

    def loading(what, *more):  # type: ignore[no-untyped-def]  # as above
        path = getattr(what, "origin", None) or getattr(what, "__file__", None) or str(what)
        tell("loading", path)
        try:
            return load(what, *more)
        finally:
            tell("loaded", path)

    return loading


_imp.create_dynamic = watched(_imp.create_dynamic)  # type: ignore[no-untyped-call]  # as above
_imp.exec_dynamic = watched(_imp.exec_dynamic)  # type: ignore[no-untyped-call]  # as above
faulthandler.enable(open(stack, "w"))  # noqa: SIM115, PTH123  # open until the end, whichever it is
sys.path.extend(folder for folder in json.loads(folders) if folder not in sys.path)
sys.argv[1:] = []
for module in modules:
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001, PERF203  # whatever a package raises when it is imported
        tell("raised", f"{type(error).__name__}: {error}")
    else:
        tell("imported", module)
# what packages do when the interpreter ends is no part of importing them
os._exit(0)
