"""The vocabulary of maps of sea-ice concentration: what a grid holds, and the bits of its quality flag."""

from __future__ import annotations

import pyarrow as pa

from .records import Variable, variable

F4 = pa.float32()
STAGES = ("water", "new", "young", "thin_first_year", "thick_first_year", "old")
"""Stages of development, codes 0 to 5 of AutoICE."""
FLOES = ("water", "cake", "small", "medium", "big", "vast", "bergs")
"""Floe sizes, codes 0 to 6 of AutoICE."""
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
LEVELS = (68, 95)
"""Percent of the cases that intervals hold."""
INTERVALS = tuple(
    variable(
        f"sea_ice_concentration_{end}_{percent}",
        F4,
        "1",
        f"{words} end of the interval that holds the concentration in {percent} % of the cases",
    )
    for percent in LEVELS
    for end, words in (("low", "lower"), ("high", "upper"))
)
"""Lower and upper end of each level, in the order of :data:`LEVELS`."""
NO_CLASS = 255
"""Where no class is known."""
QUALITY = variable("quality_flag", pa.uint8(), "1", "what to know of the pixel, 0 is best", flags=FLAGS, is_bits=True)
VARIABLES: tuple[Variable, ...] = (CONCENTRATION, UNCERTAINTY, QUALITY)


def head(name: str, long_name: str, classes: tuple[str, ...], *, standard_name: str = "") -> tuple[Variable, Variable]:
    """Return the variables of a map of classes: the most probable one, and how probable it is.

    Parameters
    ----------
    name, long_name, standard_name : str
        Of the class.
    classes : tuple of str
        Meanings of 0, 1 and so on.
    """
    flags, words = tuple(enumerate(classes)), f"{long_name}, the most probable one"
    return (
        variable(name, pa.uint8(), "1", words, standard_name=standard_name, flags=flags),
        variable(f"{name}_probability", F4, "1", f"probability that the {long_name} is the one named"),
    )


STAGE = head(
    "stage_of_development",
    "stage of development of the ice",
    STAGES,
    standard_name="sea_ice_classification",
)
FLOE = head("floe_size", "floe size", FLOES)
HEADS = {"stage": STAGE, "floe": FLOE}
"""Class and its probability, by the name of a network's head; the codes are those of AutoICE."""
