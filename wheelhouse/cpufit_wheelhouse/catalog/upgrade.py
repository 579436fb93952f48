"""Running the migrations, with alembic."""

from __future__ import annotations

import threading

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from cpufit_wheelhouse.errors import StoreError

from .engine import for_writing

_ALEMBIC = threading.Lock()  # alembic keeps its current migration in its own modules, so one at a time in a process


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision, in one transaction.

    :raises StoreError: the database was written by a newer cpufit
    """
    config = Config()
    config.set_main_option("script_location", f"{__package__}:migrations")
    config.set_main_option("path_separator", "os")
    with _ALEMBIC, for_writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                f"the catalog cannot be brought up to date: {error}",
                code="catalog-too-new",
                hint="it was written by a newer cpufit; install that one",
            ) from error
