"""``cpu-check``: what this CPU can run, and which releases of a project fit it.

::

    cli ─► profile_for (resolver)          the CPU
        ─► installers                      extra indexes that would undo the choice
        ─► index ─► judge ─► select        a project's releases, one by one
        ─► report                          text or JSON (schemas/cpu-check.schema.json)
"""
