"""Machine code: what is in a native library, read from its bytes alone and without running it.

``image`` is the value that the container readers make and the scanners take; nothing here knows what a wheel is.
"""
