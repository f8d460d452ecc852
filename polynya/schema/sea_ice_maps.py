"""The vocabulary of maps of sea-ice concentration: what a grid holds, and the bits of its quality flag."""

from __future__ import annotations

import pyarrow as pa

from .records import Variable, variable

F4 = pa.float32()
FLAGS = (
    (1, "no_data"),
    (2, "low_signal_to_noise"),
    (4, "incidence_angle_outside"),
    (8, "near_land"),
    (16, "channel_missing"),
    (32, "noise_unknown"),
    (64, "melt_season"),
    (128, "land"),
)
"""Bits of ``quality_flag``; 0 is best."""
BITS = {name: bit for bit, name in FLAGS}

CONCENTRATION = variable(
    "sea_ice_concentration",
    F4,
    "1",
    "share of the pixel's area that sea ice covers",
    standard_name="sea_ice_area_fraction",
)
UNCERTAINTY = variable(
    "sea_ice_concentration_uncertainty",
    F4,
    "1",
    "one standard uncertainty of the concentration, of the pixel alone",
    standard_name="sea_ice_area_fraction standard_error",
)
INTERVALS = tuple(
    variable(f"sea_ice_concentration_{end}_{percent}", F4, "1", f"{end}er end of the {percent} % interval")
    for percent in (68, 95)
    for end in ("low", "upp")
)
QUALITY = variable("quality_flag", pa.uint8(), "1", "what to know of the pixel, 0 is best", flags=FLAGS, is_bits=True)
VARIABLES: tuple[Variable, ...] = (CONCENTRATION, UNCERTAINTY, QUALITY)
