"""What ``polynya grid`` can be asked for, and what decides its numbers."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from ...errors import UsageError
from ...physics import gridding, quality
from ..options import validated

RESULTS_VERSION = 2
"""Raised only when the same inputs and settings give other numbers."""
LEAVE_OUT = (
    "few_photons",
    "geoid_instead_of_mean_sea_surface",
    "correction_missing",
    "background_contaminated",
    "degraded_pointing",
)
"""Quality bits of segments that do not count: those that docs/conventions names for careful work on freeboard."""


class Config(BaseModel):
    """What a run is asked for. Frozen; unknown keys are rejected.

    Attributes
    ----------
    cell : float
        Side of a cell, km: 10 to 200.
    crs : str, optional
        EPSG:3413 or 3411 (north), EPSG:3976 or 3412 (south); by default 3413 or 3976, by the latitudes of the first
        granule.
    period : str
        ``month``, ``day``, or ``all`` for one map of everything.
    leave_out : tuple of str
        Names of ``schema.QUALITY_BITS``: segments with one of them do not count.
    cog : bool
        Also write each variable of each period as a GeoTIFF.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cell: float = Field(default=25.0, ge=10.0, le=200.0)
    crs: Literal["EPSG:3413", "EPSG:3976", "EPSG:3411", "EPSG:3412"] | None = None
    period: Literal["month", "day", "all"] = "month"
    leave_out: tuple[str, ...] = LEAVE_OUT
    cog: bool = True

    @field_validator("cell", mode="before")
    @classmethod
    def _cell(cls, value: object) -> object:
        text = str(value).strip().lower()
        for ending, scale in (("km", 1.0), ("m", 1e-3), ("", 1.0)):
            if text.endswith(ending):
                try:
                    side = float(text.removesuffix(ending)) * scale
                except ValueError:
                    break
                if 10.0 <= side <= 200.0:
                    return side
                break
        raise ValueError("give a length from 10 to 200 km, like 25km or 12.5km")

    @field_validator("crs", mode="before")
    @classmethod
    def _crs(cls, value: object) -> object:
        return f"EPSG:{value}" if str(value).isdigit() else value.upper() if isinstance(value, str) else value

    @field_validator("leave_out", mode="before")
    @classmethod
    def _leave_out(cls, value: object) -> object:
        words = [w.strip() for w in value.split(",") if w.strip()] if isinstance(value, str) else value
        if isinstance(words, (list, tuple)):
            words = [w for w in words if w != "none"]
            unknown = [w for w in words if w not in quality.BITS]
            if unknown:
                raise ValueError(f"{unknown[0]} is no quality bit; give names of {', '.join(quality.BITS)}, or none")
            return tuple(sorted(set(words), key=quality.BITS.__getitem__))
        return words

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        return validated(cls, {k: v for k, v in values.items() if v is not None}, command="grid")

    def with_crs(self, *, is_north: bool) -> Config:
        """Return the configuration with a CRS: that asked for, or the hemisphere's.

        Parameters
        ----------
        is_north : bool
            Where the first granule lies.
        """
        return self if self.crs else self.model_copy(update={"crs": "EPSG:3413" if is_north else "EPSG:3976"})

    def grid(self) -> gridding.Grid:
        """Return the grid.

        Raises
        ------
        UsageError
            If the CRS is not decided yet.
        """
        if self.crs is None:
            raise UsageError("--crs: is not given; expected EPSG:3413 or EPSG:3976. Give one.")
        return gridding.nsidc_grid(self.crs, cell_m=1000.0 * self.cell)

    @property
    def bits(self) -> int:
        """Quality bits that are left out."""
        return sum(quality.BITS[n] for n in self.leave_out)

    def settings(self) -> dict[str, object]:
        """Return what decides the numbers."""
        return {"cell_km": self.cell, "crs": self.crs, "period": self.period, "leave_out": list(self.leave_out)}


def periods_of(time: np.ndarray, period: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the first day of each time's period, and its day, int64 days since 1970, shape (n,).

    Parameters
    ----------
    time : numpy.ndarray of datetime64[ns], shape (n,)
        UTC.
    period : str
        ``month``, ``day`` or ``all``.
    """
    day = time.astype("datetime64[D]").astype(np.int64)
    if period == "all":
        return np.zeros(day.size, np.int64), day
    if period == "day":
        return day, day
    return time.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64), day


def bounds_of(first: int, *, period: str, days: tuple[int, int]) -> tuple[np.datetime64, np.datetime64]:
    """Return begin and end of a period; the end does not belong to it.

    Parameters
    ----------
    first : int
        Its first day, days since 1970.
    period : str
        ``month``, ``day`` or ``all``.
    days : (int, int)
        First and last day with data: the bounds of ``all``.
    """
    start = np.datetime64(int(days[0] if period == "all" else first), "D")
    if period == "month":
        return start, (start.astype("datetime64[M]") + 1).astype("datetime64[D]")
    return start, np.datetime64(int(days[1]), "D") + 1 if period == "all" else start + 1


def period_name(first: int, *, period: str) -> str:
    """Return what a period is called in file names: ``2019-11``, ``2019-11-04`` or ``all``.

    Parameters
    ----------
    first : int
        Its first day, days since 1970.
    period : str
        ``month``, ``day`` or ``all``.
    """
    if period == "all":
        return "all"
    return str(np.datetime64(int(first), "D").astype("datetime64[M]" if period == "month" else "datetime64[D]"))
