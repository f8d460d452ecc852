"""What maps of leads can be asked for."""

from __future__ import annotations

from pydantic import Field, field_validator

from ....schema.lead_labels import BITS
from ...options import validated
from ..config import Config

LEAVE_OUT = ("no_echo", "melt_season")
"""Quality bits of echoes that do not count: in summer melt ponds pass for leads."""


class LeadConfig(Config):
    """What a run is asked for, as :class:`polynya.workflows.grid.Config`, with the quality bits of leads."""

    leave_out: tuple[str, ...] = Field(default=LEAVE_OUT)

    @field_validator("leave_out", mode="before")
    @classmethod
    def _leave_out(cls, value: object) -> object:
        words = [w.strip() for w in value.split(",") if w.strip()] if isinstance(value, str) else value
        if isinstance(words, (list, tuple)):
            words = [w for w in words if w != "none"]
            unknown = [w for w in words if w not in BITS]
            if unknown:
                raise ValueError(f"{unknown[0]} is no quality bit of leads; give names of {', '.join(BITS)}, or none")
            return tuple(sorted(set(words), key=BITS.__getitem__))
        return words

    @classmethod
    def checked(cls, **values: object) -> LeadConfig:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        return validated(cls, {k: v for k, v in values.items() if v is not None}, command="grid")

    @property
    def bits(self) -> int:
        """Quality bits that are left out."""
        return sum(BITS[n] for n in self.leave_out)
