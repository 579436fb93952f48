"""The client shell: ``cpu-check``, and the selector that a plain installer builds.

May import :mod:`cpufit_resolver` and :mod:`cpufit_wheelhouse`, never the server. Nothing is imported here:
``cpu-check`` starts in milliseconds.
"""
