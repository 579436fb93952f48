"""The demonstration: a server, two real wheels, and plain pip on two CPUs.

:mod:`environment` says what the child processes may see, :mod:`processes` starts and ends them, :mod:`steps` is the
story.
"""
