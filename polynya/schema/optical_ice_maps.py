"""The vocabulary of maps of optical sea ice: what classes mean, and the bits of their quality flag."""

from __future__ import annotations

import pyarrow as pa

from .records import variable

WATER, THIN, THICK, POND, LAND = "water", "thin", "thick", "pond", "land"
ROLES = (WATER, THIN, THICK, POND, LAND)
"""What a class is to floes, leads and the share of ice."""
ICE = (THIN, THICK, POND)
ROLE_OF = {
    "water": WATER,
    "open_water": WATER,
    "sea": WATER,
    "sea_water": WATER,
    "lead": WATER,
    "thin": THIN,
    "thin_ice": THIN,
    "grey_ice": THIN,
    "nilas": THIN,
    "thick": THICK,
    "thick_ice": THICK,
    "ice": THICK,
    "snow": THICK,
    "melt_pond": POND,
    "pond": POND,
    "ponded_ice": POND,
    "land": LAND,
    "pond_grid": LAND,
    "background": LAND,
}
"""Of class names that networks and rules use."""
FLAGS = (
    (1, "no_data"),
    (2, "cloud"),
    (4, "land_mask"),
    (8, "saturated"),
    (16, "low_confidence"),
    (32, "pixel_size_not_learned"),
    (64, "unlike_training"),
)
"""Bits of ``quality_flag``; 0 is best."""
BITS = {name: bit for bit, name in FLAGS}
NO_CLASS = 255
"""Where no class is known."""
CONFIDENCE_SCALE, PROBABILITY_SCALE = 0.01, 0.004
QUALITY = variable("quality_flag", pa.uint8(), "1", "what to know of the pixel, 0 is best", flags=FLAGS, is_bits=True)
COLOURS = {
    "water": (20, 60, 120),
    "thin_ice": (125, 170, 200),
    "thick_ice": (242, 242, 246),
    "melt_pond": (40, 200, 220),
    "land": (110, 90, 50),
    "pond_grid": (200, 120, 180),
}
"""Of classes by name."""
ROLE_COLOURS = {
    WATER: (20, 60, 120),
    THIN: (125, 170, 200),
    THICK: (242, 242, 246),
    POND: (40, 200, 220),
    LAND: (110, 90, 50),
}


def colour(name: str, role: str) -> tuple[int, int, int]:
    """Return the colour of a class: that of its name, or of what it means.

    Parameters
    ----------
    name, role : str
        Of the class.
    """
    return COLOURS.get(name, ROLE_COLOURS[role])
