"""What maps of tags can be asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ....errors import UsageError
from ....physics.gridding.occurrence import DEGREES, DegreeGrid
from ...options import validated


class TagConfig(BaseModel):
    """What a run is asked for. Frozen; unknown keys are rejected.

    Attributes
    ----------
    cell : float
        Side of a cell, degrees: 0.5 to 10, a part of 180.
    period : str
        ``month``, ``day``, or ``all`` for one map of everything.
    precise : bool
        Count precise tags only.
    cog : bool
        Also write GeoTIFFs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: float = Field(default=DEGREES, ge=0.5, le=10.0)
    period: Literal["month", "day", "all"] = "month"
    precise: bool = False
    cog: bool = True

    @field_validator("cell", mode="before")
    @classmethod
    def _cell(cls, value: object) -> object:
        text = str(value).strip().lower()
        for ending in ("degrees", "deg", "\u00b0", ""):
            if text.endswith(ending):
                try:
                    side = float(text.removesuffix(ending))
                except ValueError:
                    break
                if 0.5 <= side <= 10.0 and abs(180.0 / side - round(180.0 / side)) < 1e-9:
                    return side
                break
        raise ValueError("give degrees, from 0.5deg to 10deg and a whole part of 180, like 2deg or 5deg")

    @classmethod
    def checked(cls, **values: object) -> TagConfig:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit; or ``crs`` or ``leave_out`` is given, which maps of tags lack.
        """
        given = {k: v for k, v in values.items() if v is not None}
        for name, option in (("crs", "--crs"), ("leave_out", "--leave-out")):
            if name in given:
                raise UsageError(
                    f"{option} {given[name]}: does not apply to tags, whose maps are in degrees; expected --cell,"
                    " --period, --precise or --cog. Leave it out."
                )
        return validated(cls, given, command="grid")

    def grid(self) -> DegreeGrid:
        """Return the grid."""
        return DegreeGrid(side=self.cell)

    def settings(self) -> dict[str, object]:
        """Return what decides the numbers."""
        return {"cell_deg": self.cell, "period": self.period, "precise": self.precise}
