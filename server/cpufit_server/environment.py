"""Settings out of the environment."""

from __future__ import annotations

import os
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

PREFIX = "CPUFIT_"
"""What every environment variable of a setting begins with."""


class FromEnvironment(BaseModel):
    """Values that somebody gives, else the environment, else the defaults; each is checked, wherever it is from."""

    model_config = ConfigDict(frozen=True, extra="ignore", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _with_environment(cls, given: Any) -> Any:
        # a variable's name in any case, as it ever was
        around = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(PREFIX)}
        told = {name: around[variable] for name in cls.model_fields if (variable := PREFIX + name.upper()) in around}
        return {**told, **given}
