"""Load as people bring it; see :mod:`.__main__`."""
