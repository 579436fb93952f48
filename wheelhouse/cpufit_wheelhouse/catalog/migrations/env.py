"""Alembic's entry: run the revisions on the connection that :func:`..engine.migrate` opened.

Alembic executes this file; it is not imported by anything.
"""

from __future__ import annotations

from alembic import context

from cpufit_wheelhouse.catalog.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
