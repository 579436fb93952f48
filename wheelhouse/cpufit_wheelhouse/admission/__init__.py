"""What an upload is held to beyond being a sound archive: its own form's word, and the rules of this index.

Whoever uploads is there to be answered, so an upload is held to more than a file that an operator brings in from
another index: that one was published long ago, often under older rules, and nobody could mend it.

::

    rules.py      what may be decided (AdmissionRules), and what came beside the bytes (Submission)
    checks.py     the checks of one file, in their order
    claims.py     METADATA against the form
    descriptive.py  the fields of METADATA that people read
    names.py      names of projects and files
    release.py    what depends on the project that the file joins
"""
