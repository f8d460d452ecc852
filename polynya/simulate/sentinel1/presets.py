"""What a Sentinel-1 scene is drawn from: backscatter of water and ice, wind, ice cover, noise residue, places.

The ranges were fitted to what is published of C-band HH and HV over Arctic sea ice: slopes of backscatter with the
incidence angle (Mäkynen and Karvonen 2017, doi:10.1109/TGRS.2017.2721981), a rise of water with the logarithm of the
wind, floe sizes by a power law (Rothrock and Thorndike 1984, doi:10.1029/JC089iC04p06477). They were then set so that a
rule of one pixel errs about as often as on real scenes: ``benchmarks/score_s1_simulator.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

KINDS = ("water", "edge", "pack")
KIND_SHARES = (0.30, 0.45, 0.25)
"""Open water only; an ice edge in the scene; closed pack with leads."""
POLARISATIONS = ("HH", "HV")
REFERENCE_ANGLE = 34.5
"""Incidence angle that the backscatter below holds for, degrees."""
TYPES = ("new", "young", "first-year", "multi-year")
STAGES = (1, 2, 4, 5)
"""Of the types, codes of AutoICE: new, young, thick first-year, old; 3, thin first-year ice, is not simulated."""
ICE_DB = ((-24.0, -31.0), (-14.0, -26.0), (-16.0, -28.0), (-11.0, -21.0))
"""HH and HV of each type at the reference angle, dB."""
ICE_SLOPE = ((-0.30, -0.10), (-0.26, -0.12), (-0.24, -0.14), (-0.17, -0.06))
"""HH and HV, dB per degree."""
ICE_SLOPE_SD = (0.04, 0.03)
DOMINANT_SHARES = (0.04, 0.14, 0.47, 0.35)
"""Of the scenes that are dominated by each type."""
OTHER_SHARES = (0.05, 0.15, 0.45, 0.35)
"""Of the other floes in a scene."""
WATER_WIND = (3.0, 15.0)
"""m/s: backscatter of water goes from the first to the second of :data:`WATER_DB` with the wind's logarithm."""
WATER_DB = ((-28.0, -12.0), (-34.0, -27.0))
"""HH and HV at the reference angle, dB."""
WATER_SLOPE = ((-0.9, -0.4), (-0.15, -0.05))
"""HH and HV at the first and the second wind, dB per degree."""
CELL_M = 400.0
ENL_CELL = 200.0
"""Equivalent number of looks of a cell of 400 m: about 93 m by 87 m resolution, sampled at 40 m."""


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """Ranges that a scene is drawn from; a pair is the limits of an even distribution.

    Attributes
    ----------
    wind : tuple of float
        Mean wind of the scene, m/s.
    wind_sd : tuple of float
        Of the fields of 50 km and of 10 km, m/s.
    wind_limits : tuple of float
        What the wind is cut to, m/s.
    front_share, roll_share, rain_share : float
        Of the scenes with a front, with rolls of the boundary layer, with rain cells.
    front_step : tuple of float
        Change of the wind across a front, m/s.
    roll_km, roll_modulation : tuple of float
        Wavelength, and modulation of the wind.
    rain_cells : tuple of int
        Number of cells.
    rain_db : tuple of tuple of float
        What a cell adds to HH and HV of water, dB.
    shelter : float
        The wind over ice of concentration C is that of open water times ``1 - shelter * C``.
    type_db : float
        Standard deviation of a type's offset in a scene, dB.
    type_is_even : bool
        The offset is drawn evenly from plus and minus ``type_db`` instead.
    floe_db : float
        Standard deviation of a floe's offset, dB.
    texture_db : tuple of float
        Standard deviation within floes at 400 m, dB.
    floe_exponent : tuple of float
        Of the power law of floe sizes.
    floe_km : tuple of float
        Diameter of the largest floes.
    refrozen_share : float
        Of the leads.
    miz_km : tuple of float
        Width of the marginal ice zone, between 15 % and 80 %.
    mixed_share : tuple of float
        Of the marginal ice in floes smaller than a pixel.
    dominant : tuple of float
        Share of the floes that are of the scene's dominant type.
    pack : tuple of float
        Concentration of the pack between its leads.
    residue : tuple of float
        True noise power over the annotated, per sub-swath and polarisation.
    """

    wind: tuple[float, float] = (2.0, 9.0)
    wind_sd: tuple[float, float] = (0.8, 0.4)
    wind_limits: tuple[float, float] = (1.5, 20.0)
    front_share: float = 0.25
    roll_share: float = 0.50
    rain_share: float = 0.15
    front_step: tuple[float, float] = (-6.0, 6.0)
    roll_km: tuple[float, float] = (1.5, 5.0)
    roll_modulation: tuple[float, float] = (0.03, 0.12)
    rain_cells: tuple[int, int] = (1, 7)
    rain_db: tuple[tuple[float, float], tuple[float, float]] = ((2.0, 7.0), (2.0, 8.0))
    shelter: float = 0.7
    type_db: float = 0.5
    type_is_even: bool = False
    floe_db: float = 0.8
    texture_db: tuple[float, float] = (1.0, 1.5)
    floe_exponent: tuple[float, float] = (1.5, 2.5)
    floe_km: tuple[float, float] = (6.0, 30.0)
    refrozen_share: float = 0.25
    miz_km: tuple[float, float] = (5.0, 70.0)
    mixed_share: tuple[float, float] = (0.1, 0.5)
    dominant: tuple[float, float] = (0.65, 0.97)
    pack: tuple[float, float] = (0.93, 1.0)
    residue: tuple[float, float] = (0.95, 1.12)


STANDARD = Ranges()
RANGES = {
    "standard": STANDARD,
    "stress": replace(STANDARD, wind=(3.0, 15.0), type_db=2.0, type_is_even=True, residue=(0.9, 1.25)),
}
"""What scenes usually look like; and wider, to see where a network fails."""

PLACES: dict[str, dict[str, tuple[float, float]]] = {
    "north": {
        "Barents Sea": (75.3, 38.0),
        "Greenland Sea": (74.6, -3.0),
        "Beaufort Sea": (74.5, -142.0),
        "Chukchi Sea": (74.5, -168.0),
        "Canada Basin": (79.0, -148.0),
        "Nansen Basin": (84.2, 35.0),
        "Laptev Sea": (79.5, 128.0),
        "East Siberian Sea": (79.0, 172.0),
        "Makarov Basin": (84.0, 175.0),
    },
    "south": {
        "Weddell Sea": (-68.0, -32.0),
        "Ross Sea": (-69.0, -170.0),
        "Amundsen Sea": (-69.0, -122.0),
        "Cosmonaut Sea": (-64.0, 45.0),
        "Davis Sea": (-62.0, 100.0),
    },
}
"""Latitude and longitude of places without land within a swath, by hemisphere."""
EPSG = {"north": 3413, "south": 3976}
"""NSIDC's polar stereographic grids, WGS 84."""
