"""``cpu-check --environment``: which installed packages cannot run here, and the command that mends it.

::

    interpreter ─► asked.py, run by that Python      its folders and its CPU
        ─► installed_in (wheelhouse)                  packages and their native libraries
        ─► reading                                    their machine code, where this CPU can run what reads it
           or trial ─► tried.py, run by that Python   else: each imported in a process of its own
        ─► judged ─► mending                          what cannot run; the release that could
        ─► report
"""
