"""What is drawn of an image: kinds of scenes and the ranges of their numbers.

The ranges are those of the method sheet's section 8, where a prototype tried them: counts of eight bits after the sun's
height and before haze, pixels of 1 to 50 m.
"""

from __future__ import annotations

from dataclasses import dataclass

WATER, THIN, THICK, POND, LAND, POND_GRID, UNKNOWN = 0, 1, 2, 3, 4, 5, 255
CLASSES = ("water", "thin_ice", "thick_ice", "melt_pond", "land", "pond_grid")
"""Names by code. Pond grids are frozen ponds of aquaculture on land, as in the Bohai Sea."""
KINDS = ("pack", "marginal", "coast", "melt", "water")


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """From and to of what is drawn evenly; lengths in pixels.

    Attributes
    ----------
    pixel_m : tuple of float
        Side of a pixel, m, drawn evenly in its logarithm.
    exponent : tuple of float
        Of the number of floes wider than d, which falls as d to minus this.
    largest_px : tuple of float
        Width of the largest floes, drawn evenly in its logarithm.
    concentration : tuple of float
        Share of places that floes hold, before leads.
    thin_share : tuple of float
        Share of floes that are thin.
    water, thin, thick : tuple of float
        Brightness (largest of R, G and B), counts.
    turbid : tuple of float
        Added to red of water in a third of the scenes, counts; green gets .8 and blue .5 of it.
    ponds : tuple of float
        Share of a floe, in scenes with ponds.
    pond_blue : tuple of float
        Blue over red of ponds.
    sun_deg : tuple of float
        Elevation of the sun: below 15 degrees shadows are longer and the light is redder.
    haze : tuple of float
        Counts added to all bands.
    cloud : tuple of float
        Opacity of thin cloud, in scenes with cloud.
    blur_px : tuple of float
        Standard deviation of the sensor's point spread.
    quality : tuple of int
        Of JPEG.
    cloudy_scenes, shadow_scenes, turbid_scenes : float
        Share of the scenes with thin cloud, with shadow of clouds, and with muddy water.
    """

    pixel_m: tuple[float, float] = (1.0, 50.0)
    exponent: tuple[float, float] = (1.6, 2.4)
    largest_px: tuple[float, float] = (40.0, 400.0)
    concentration: tuple[float, float] = (0.15, 1.0)
    thin_share: tuple[float, float] = (0.0, 0.5)
    water: tuple[float, float] = (5.0, 40.0)
    thin: tuple[float, float] = (60.0, 180.0)
    thick: tuple[float, float] = (150.0, 250.0)
    turbid: tuple[float, float] = (0.0, 60.0)
    ponds: tuple[float, float] = (0.0, 0.4)
    pond_blue: tuple[float, float] = (1.1, 1.6)
    sun_deg: tuple[float, float] = (5.0, 35.0)
    haze: tuple[float, float] = (0.0, 40.0)
    cloud: tuple[float, float] = (0.05, 0.3)
    blur_px: tuple[float, float] = (0.6, 1.2)
    quality: tuple[int, int] = (70, 95)
    cloudy_scenes: float = 0.3
    shadow_scenes: float = 0.1
    turbid_scenes: float = 0.33


STANDARD = Ranges()
