"""How echoes are labelled from maps of leads: the options of ``polynya label ECHOES --lead-map MAP``."""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ....errors import UsageError
from ....labels.lead_labels import BELT, CIRCLE_M, Drift, Rule
from ...options import validated

Vector = tuple[float, float]
MOST_THRESHOLD_M = CIRCLE_M / BELT
"""The belt of ambiguous labels ends where the circle does in which the map must have data."""


class Config(BaseModel):
    """How echoes are labelled. Frozen; unknown keys are rejected.

    Attributes
    ----------
    threshold_m : float
        T, m: a lead nearer to nadir makes the label ``lead``, from T to 3 T it is ``ambiguous``.
    max_hours : float
        Largest time between map and echo.
    min_concentration : float
        Percent of ice below which an echo has no label.
    drift : tuple of float, optional
        Displacement of the ice from map to echo, m to the east and to the north.
    drift_xy : tuple of float, optional
        The same along x and y of the map's grid, m on the ground.
    drift_velocity : tuple of float, optional
        Velocity of the ice, m/s to the east and to the north; the time from map to echo makes the displacement.
    lead_class : tuple of str
        Classes of the map, by name or value, that are lead; empty for the usual ones.
    map_time : str, optional
        UTC, for a map that states none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold_m: float = Field(default=300.0, ge=20.0, le=MOST_THRESHOLD_M)
    max_hours: float = Field(default=3.0, ge=0.0, le=240.0)
    min_concentration: float = Field(default=50.0, ge=0.0, le=100.0)
    drift: Vector | None = None
    drift_xy: Vector | None = None
    drift_velocity: Vector | None = None
    lead_class: tuple[str, ...] = ()
    map_time: str | None = None

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        limit = values.get("threshold_m")
        if isinstance(limit, (int, float)) and limit > MOST_THRESHOLD_M:
            raise UsageError(
                f"--threshold-m {limit:g}: its ambiguous belt of {BELT:g} thresholds reaches beyond the"
                f" {CIRCLE_M / 1000:g} km around nadir that a map must cover; expected {MOST_THRESHOLD_M:.0f} m at"
                " most."
                " Give less."
            )
        config = validated(cls, values, command="label")
        given = {n: v for n in ("drift", "drift_xy", "drift_velocity") if (v := getattr(config, n)) is not None}
        if len(given) > 1:
            names = " and ".join(f"--{n.replace('_', '-')}" for n in given)
            raise UsageError(f"{names}: are given together; expected one of them. Leave the others out.")
        for name, vector in given.items():
            if not all(math.isfinite(v) for v in vector):
                raise UsageError(f"--{name.replace('_', '-')} {vector}: expected two finite numbers. Correct them.")
        config.time_of_map()
        return config

    def time_of_map(self) -> np.datetime64 | None:
        """Return ``map_time`` as datetime64[ns], None where it is not given."""
        if self.map_time is None:
            return None
        try:
            found = np.datetime64(self.map_time.strip().removesuffix("Z"), "ns")
            if np.isnat(found):
                raise ValueError("no time")
        except ValueError as error:
            raise UsageError(f"--map-time {self.map_time}: {error}; expected UTC as YYYY-MM-DDTHH:MM:SS.") from error
        return found

    def rule(self) -> Rule:
        """Return the rule that the settings make."""
        vector = self.drift or self.drift_xy or self.drift_velocity or (0.0, 0.0)
        return Rule(
            threshold_m=self.threshold_m,
            max_hours=self.max_hours,
            min_concentration=self.min_concentration / 100.0,
            drift=Drift(
                first=vector[0],
                second=vector[1],
                is_grid=self.drift_xy is not None,
                is_velocity=self.drift_velocity is not None,
            ),
        )

    @property
    def has_drift(self) -> bool:
        """Whether a displacement is given."""
        return any(v is not None for v in (self.drift, self.drift_xy, self.drift_velocity))
