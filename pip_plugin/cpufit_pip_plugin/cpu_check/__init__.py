"""``cpu-check``: what this CPU can run; of a project, of requirements, of wheels, of what is installed.

::

    cli ─► arguments                       which question
        ─► profile_for (resolver)          the CPU: by token, by name, or this one
        ─► surroundings, installers        the index that is meant; what would undo the choice of a wheel
        ─► one file for each question:
               project, requirements ─► index ─► judge ─► select
               wheels, environment/  ─► decoder ─► inspection (wheelhouse)
               diff
        ─► report, table, output           text, JSON (schemas/cpu-check.schema.json) or the exit code alone
"""
