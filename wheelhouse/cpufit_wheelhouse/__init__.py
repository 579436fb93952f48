"""Wheels as files: what they are called, what is in them, and what they need.

The way of one wheel through this package::

    filename.py    name, version, tags and variant label out of a file name
    archive.py     open_wheel: the checks (framing.py, record.py, metadata.py, native.py) -> WheelInfo
    admission/     what an upload is held to besides: its form's word, the rules of this index
    inspection.py  judge: declaration, variant.json or inspector -> Need, or None while it is unknown
    rename.py      the same wheel under another project's name
    labelled.py    the same wheel with a variant label, for the variant view
    simple_page.py the page on which its file stands, as HTML and JSON
"""
