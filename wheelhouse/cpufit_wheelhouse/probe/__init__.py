"""The probe: import a wheel on emulated CPUs, in a sandbox, to refute or confirm what its machine code seems to need.

::

    options.py      what an operator decides; models.py: the emulated CPUs and what each has
    modules.py      what there is to import; environment.py: the wheel and its dependencies in a throw-away folder
    install.py      pip, held to unpacking wheels
    sandbox.py      bubblewrap: no network, no home, limits, an end; nothing ever runs without it
    run.py          one import on one CPU; trace.py: the system calls it made, and where it died
    plan.py         which CPUs to ask, at most three (pure)
    probe.py        all of it in order -> report.py; combine.py: static verdict and report -> verdict (pure)
"""
