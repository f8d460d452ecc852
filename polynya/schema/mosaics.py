"""The vocabulary of mosaics: what a daily map of several scenes holds beside concentration, uncertainty and flags."""

from __future__ import annotations

import pyarrow as pa

from .records import Variable, variable
from .sea_ice_maps import CONCENTRATION, QUALITY

F4 = pa.float32()
UNCERTAINTY = variable(
    "sea_ice_concentration_uncertainty",
    F4,
    "1",
    "one standard uncertainty of the concentration at any time of the passes, of the pixel alone: errors of scenes"
    " taken as shared, widened where scenes disagree",
    standard_name="sea_ice_area_fraction standard_error",
)
DISAGREEMENT = variable(
    "disagreement", F4, "1", "standard deviation of the concentration among the scenes of the mean; none for one scene"
)
SCENES = variable("n_scenes", pa.uint8(), "1", "scenes in the mean; 255 for 255 and more")
MEAN_TIME = variable("acquisition_time", F4, "h", "mean time of the scenes, weighted as the concentration")
NEWEST_TIME = variable("newest_acquisition_time", F4, "h", "time of the newest scene in the mean")
VARIABLES: tuple[Variable, ...] = (CONCENTRATION, UNCERTAINTY, QUALITY, DISAGREEMENT, SCENES, MEAN_TIME, NEWEST_TIME)
TIMES = (MEAN_TIME.name, NEWEST_TIME.name)
"""Hours since the day began, UTC."""
