"""Keeping a store whole: every byte held against the catalog, what is lost mended, all of it backed up and restored.

::

    verification.py   what is wrong with a store (findings), while others write to it
    repair.py         mends what can be mended without loss, sets the rest aside
    backup.py         a store's copy in a folder or a tar, taken while others write; restoring.py: back again
    copies.py         the form of a copy on disk: manifest, catalog, blobs, held files
"""
