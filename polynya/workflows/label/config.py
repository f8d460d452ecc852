"""How labels are made: the options of ``polynya label``."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ...errors import UsageError
from ..options import validated


class Config(BaseModel):
    """How labels are made. Frozen; unknown keys are rejected.

    Attributes
    ----------
    beams : str
        ``strong`` (default), ``all``, ``weak`` or names with commas.
    max_shift_m : float
        Largest shift that is searched, east and north.
    max_minutes : float
        Largest time between granule and scene.
    method, cloud_mask : str
        How the scene is classified, see ``polynya segment --help``.
    weights : str, optional
        ONNX file of the network, for ``unet``.
    image_time : str, optional
        UTC, for scenes whose metadata give no time.
    seed : int
        Of the random draws behind the shift's standard error.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    beams: str = "strong"
    max_shift_m: float = Field(default=1000.0, ge=50.0, le=5000.0)
    max_minutes: float = Field(default=80.0, ge=0.0)
    method: Literal["published", "filtered", "percentile", "sun", "unet"] = "published"
    cloud_mask: Literal["auto", "scl", "s2cloudless", "none"] = "auto"
    weights: str | None = None
    image_time: str | None = None
    seed: int = 0

    @classmethod
    def checked(cls, **values: object) -> Config:
        """Build a configuration, or raise :class:`UsageError` that names the option.

        Raises
        ------
        UsageError
            If a value does not exist or does not fit.
        """
        config = validated(cls, values, command="label")
        config.scene_time()
        return config

    def scene_time(self) -> np.datetime64 | None:
        """Return ``image_time`` as datetime64[ns], None where it is not given."""
        if self.image_time is None:
            return None
        try:
            return np.datetime64(self.image_time.removesuffix("Z"), "ns")
        except ValueError as error:
            raise UsageError(
                f"--image-time {self.image_time}: {error}; expected UTC as YYYY-MM-DDTHH:MM:SS."
            ) from error
