"""What may be done to a project after its files came in: the use cases behind the command line and the JSON API.

::

    finding.py    from what somebody names to the file or release that is meant
    lifecycle.py  yank, unyank, status, delete
    hiding.py     hide, unhide
    freezing.py   freeze, unfreeze
    policy.py     a project's settings

Each takes who does it and why, which go on record, and raises what cannot be done. None knows HTTP or a terminal.
"""
