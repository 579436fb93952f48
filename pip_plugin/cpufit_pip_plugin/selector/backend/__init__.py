"""The build backend of a selector. Part of cpufit (Apache-2.0).

This is no source of the project whose name it bears: it finds out what this CPU can run, picks the best wheel of the
release, downloads it, checks its hash and hands it to the installer. Python 3.8, the standard library, ``_vendor``::

    backend (PEP 517 hooks) ─► work ─► release    candidates.json, read once
                                    ├► machine    what this CPU and this interpreter take
                                    ├► download ─► transport ─► credentials
                                    ├► source_build   the release's real source, where the index allows it
                                    ├► explain ─► alternatives   when nothing fits
                                    └► reporting  … and the index counts what is wanted
"""
