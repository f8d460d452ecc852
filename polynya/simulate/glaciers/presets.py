"""What a glacier scene is drawn from: regions, surfaces' spectra, radar and coherence by surface, sensors. Docs:
docs/glacier_simulator.md.

A range is ``(low, high)`` of an even distribution. "Chosen" in the page marks what no publication fixes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True)
class Region:
    """What the scenes of one region are drawn from.

    Attributes
    ----------
    places : tuple of tuple of float
        Longitude and latitude of typical places; one is drawn and moved by up to 1 and 0.5 degrees.
    month : tuple of int
        First and last month of scenes near the end of the ablation season; the second may be the smaller one.
    ela_m : tuple of float
        Equilibrium line altitude above the sea.
    relief_m : tuple of float
        Over 12.8 km, 0.5th to 99.5th percentile.
    steepness : tuple of float
        Critical angle of hillslopes, degrees.
    plateau : float
        Probability of a high plateau under the ice (ice caps, ice fields).
    glacier_share : tuple of float
        Of the scene.
    debris_share : tuple of float
        Of the ice below the equilibrium line.
    melt_limit : tuple of float
        Largest melt, m of ice a year: debris shields, and cold climates melt little.
    accumulation : tuple of float
        Most that gathers, m of ice a year.
    snow_line : tuple of float
        Height of the seasonal snow line minus the ELA, m: more negative, more snow patches below the ice.
    ahead : tuple of float
        How far today's equilibrium line lies above the one the glaciers are long enough for, as a share of the relief.
    cloud : tuple of float
        Cloud cover; half of all scenes have none at all.
    vegetation : float
        Height of the upper limit of plants minus the ELA, m.
    rocks : tuple of str
    coast : bool
        Whether ground below the sea level is water.
    channels : tuple of str
        Sentinel-1 over this region: ``VV``/``VH`` or ``HH``/``HV``.
    """

    places: tuple[tuple[float, float], ...]
    month: tuple[int, int]
    ela_m: Range
    relief_m: Range
    steepness: Range
    plateau: float
    glacier_share: Range
    debris_share: Range
    melt_limit: Range
    accumulation: Range
    snow_line: Range
    ahead: Range
    cloud: Range
    vegetation: float
    rocks: tuple[str, ...]
    coast: bool
    channels: tuple[str, str]


_VV, _HH = ("VV", "VH"), ("HH", "HV")
_COMMON = ("granite", "gneiss", "schist", "slate")
PRESETS: dict[str, Region] = {
    "ALP": Region(
        ((7.9, 46.5), (10.8, 46.8), (6.9, 45.9)),
        (8, 9),
        (2850, 3150),
        (1600, 2500),
        (37, 46),
        0.1,
        (0.10, 0.35),
        (0.08, 0.35),
        (4.0, 8.0),
        (1.0, 2.0),
        (-220, 160),
        (0.0, 0.12),
        (0.0, 0.10),
        -450,
        (*_COMMON, "limestone"),
        False,
        _VV,
    ),
    "ANT": Region(
        ((-36.8, -54.4), (-58.4, -62.1), (-57.6, -63.9)),
        (1, 3),
        (150, 550),
        (900, 1800),
        (38, 48),
        0.5,
        (0.25, 0.50),
        (0.00, 0.15),
        (2.0, 5.0),
        (0.7, 2.0),
        (-160, 60),
        (0.0, 0.08),
        (0.0, 0.25),
        -900,
        ("basalt", "slate", "schist"),
        True,
        _HH,
    ),
    "AWA": Region(
        ((-146.5, 61.4), (-139.3, 60.6), (-152.9, 61.2)),
        (8, 9),
        (1100, 2000),
        (1800, 3000),
        (38, 50),
        0.3,
        (0.18, 0.50),
        (0.06, 0.30),
        (4.0, 9.0),
        (1.2, 3.0),
        (-240, 80),
        (0.0, 0.12),
        (0.0, 0.15),
        -450,
        (*_COMMON, "basalt"),
        True,
        _VV,
    ),
    "CAU": Region(
        ((42.6, 43.2), (43.6, 42.8)),
        (8, 9),
        (3150, 3550),
        (1700, 2700),
        (39, 48),
        0.05,
        (0.08, 0.30),
        (0.10, 0.40),
        (3.0, 7.0),
        (1.0, 2.0),
        (-220, 160),
        (0.0, 0.12),
        (0.0, 0.12),
        -550,
        _COMMON,
        False,
        _VV,
    ),
    "GRL": Region(
        ((-37.6, 65.7), (-51.2, 64.4), (-52.3, 70.3)),
        (7, 8),
        (700, 1300),
        (1000, 2000),
        (36, 48),
        0.55,
        (0.20, 0.50),
        (0.01, 0.12),
        (2.0, 5.0),
        (0.5, 1.2),
        (-200, 100),
        (0.0, 0.08),
        (0.0, 0.10),
        -650,
        ("gneiss", "granite", "basalt"),
        True,
        _HH,
    ),
    "HMA": Region(
        ((86.9, 27.95), (76.5, 35.8), (80.1, 42.1), (95.0, 29.6)),
        (9, 11),
        (4600, 5700),
        (2100, 3400),
        (42, 53),
        0.1,
        (0.08, 0.40),
        (0.30, 0.95),
        (0.7, 2.5),
        (0.7, 1.6),
        (-350, 160),
        (0.05, 0.26),
        (0.0, 0.15),
        -800,
        (*_COMMON, "limestone", "redbed"),
        False,
        _VV,
    ),
    "TRP": Region(
        ((-77.6, -9.1), (-68.2, -16.2), (-78.4, -0.7)),
        (6, 9),
        (4850, 5300),
        (1400, 2400),
        (38, 50),
        0.2,
        (0.06, 0.25),
        (0.03, 0.20),
        (3.0, 8.0),
        (0.8, 1.8),
        (-80, 100),
        (0.0, 0.08),
        (0.0, 0.25),
        -450,
        ("granite", "slate", "basalt", "redbed"),
        False,
        _VV,
    ),
    "NZL": Region(
        ((170.2, -43.6), (168.3, -44.7)),
        (2, 4),
        (1700, 2100),
        (1600, 2600),
        (38, 48),
        0.05,
        (0.08, 0.35),
        (0.15, 0.55),
        (4.0, 12.0),
        (1.5, 4.0),
        (-220, 120),
        (0.0, 0.14),
        (0.0, 0.18),
        -500,
        ("schist", "slate", "gneiss"),
        False,
        _VV,
    ),
    "SAN": Region(
        ((-73.3, -49.5), (-69.9, -33.6), (-72.5, -46.6)),
        (1, 3),
        (1000, 1500),
        (1500, 2700),
        (38, 50),
        0.45,
        (0.20, 0.50),
        (0.03, 0.25),
        (3.0, 10.0),
        (1.0, 3.0),
        (-240, 80),
        (0.0, 0.08),
        (0.0, 0.20),
        -350,
        ("granite", "basalt", "slate", "redbed"),
        True,
        _VV,
    ),
    "SCA": Region(
        ((7.1, 61.6), (13.9, 66.7), (18.0, 67.9)),
        (8, 9),
        (1200, 1650),
        (900, 1700),
        (34, 46),
        0.6,
        (0.08, 0.40),
        (0.00, 0.06),
        (3.0, 7.0),
        (1.0, 2.2),
        (-220, 80),
        (0.0, 0.08),
        (0.0, 0.15),
        -350,
        ("gneiss", "granite", "schist"),
        False,
        _VV,
    ),
    "SVAL": Region(
        ((15.9, 78.2), (12.5, 79.0), (17.5, 77.0)),
        (7, 8),
        (250, 600),
        (600, 1200),
        (30, 44),
        0.4,
        (0.20, 0.50),
        (0.03, 0.20),
        (1.2, 3.0),
        (0.4, 1.0),
        (-150, 80),
        (0.0, 0.08),
        (0.0, 0.15),
        -350,
        ("slate", "redbed", "limestone", "schist"),
        True,
        _HH,
    ),
}

BANDS = 6
_S = tuple[float, float, float, float, float, float]
SPECTRA: dict[str, _S] = {  # blue, green, red, near infrared, 1.6 um, 2.2 um
    "fresh_snow": (0.97, 0.96, 0.95, 0.88, 0.13, 0.11),
    "old_snow": (0.86, 0.85, 0.82, 0.66, 0.05, 0.05),
    "dirty_snow": (0.55, 0.57, 0.57, 0.50, 0.07, 0.07),
    "clean_ice": (0.55, 0.53, 0.47, 0.33, 0.03, 0.02),
    "blue_ice": (0.46, 0.44, 0.36, 0.20, 0.02, 0.02),
    "dirty_ice": (0.22, 0.23, 0.23, 0.19, 0.06, 0.05),
    "granite": (0.18, 0.21, 0.24, 0.27, 0.32, 0.31),
    "gneiss": (0.13, 0.15, 0.17, 0.20, 0.26, 0.25),
    "schist": (0.09, 0.11, 0.13, 0.16, 0.23, 0.21),
    "slate": (0.06, 0.07, 0.08, 0.10, 0.14, 0.14),
    "limestone": (0.25, 0.30, 0.34, 0.37, 0.42, 0.37),
    "redbed": (0.08, 0.11, 0.19, 0.25, 0.35, 0.31),
    "basalt": (0.05, 0.06, 0.07, 0.08, 0.11, 0.11),
    "till": (0.14, 0.17, 0.19, 0.22, 0.27, 0.26),
    "alpine_grass": (0.04, 0.07, 0.06, 0.34, 0.22, 0.11),
    "dry_tundra": (0.06, 0.08, 0.11, 0.22, 0.29, 0.21),
    "forest": (0.02, 0.04, 0.03, 0.24, 0.11, 0.05),
    "clear_water": (0.05, 0.04, 0.02, 0.01, 0.005, 0.004),
    "turquoise_water": (0.14, 0.19, 0.14, 0.055, 0.01, 0.007),
    "milky_water": (0.20, 0.24, 0.24, 0.15, 0.02, 0.012),
    "lake_ice": (0.48, 0.47, 0.44, 0.32, 0.05, 0.04),
}
"""Albedo of surfaces; sources a row in the page."""
CLOUD_WATER: _S = (0.62, 0.62, 0.62, 0.62, 0.47, 0.36)
CLOUD_ICE: _S = (0.60, 0.60, 0.60, 0.59, 0.26, 0.21)

WAVELENGTH = np.array([0.485, 0.56, 0.66, 0.84, 1.61, 2.20])
"""Band centres, micrometres."""


@dataclass(frozen=True)
class Radar:
    """Backscatter and coherence of one surface at C band, 39 degrees.

    Attributes
    ----------
    co, cross : float
        sigma0, dB.
    fall : float
        dB a degree of local incidence.
    coherence : float
        12 days without motion.
    """

    co: float
    cross: float
    fall: float
    coherence: float


RADAR = {
    "rock": Radar(-9.0, -17.5, 0.14, 0.80),
    "debris": Radar(-8.0, -16.0, 0.11, 0.76),
    "till": Radar(-9.0, -17.0, 0.12, 0.76),
    "plants": Radar(-10.5, -16.5, 0.09, 0.42),
    "bare_ice": Radar(-12.5, -21.0, 0.17, 0.42),
    "dry_snow": Radar(-7.5, -14.5, 0.10, 0.50),
    "wet_snow": Radar(-18.5, -25.5, 0.20, 0.16),
    "water": Radar(-19.0, -27.5, 0.30, 0.08),
}


@dataclass(frozen=True)
class Camera:
    """An optical sensor.

    Attributes
    ----------
    saturation : tuple of float
        Highest reflectance of a band times the sine of the sun's elevation; 0: none in reach.
    noise : float
        Standard deviation of reflectance at 0.2.
    step : float
        Quantisation of reflectance.
    blur : tuple of float
        Width (sigma) of the point spread, m: bands of the visible and near infrared, bands of the short-wave infrared.
    """

    saturation: _S
    noise: float
    step: float
    blur: tuple[float, float]


CAMERAS = {
    "sentinel2": Camera((0.0,) * 6, 0.0015, 1e-4, (5.0, 10.0)),
    "landsat8": Camera((0.0,) * 6, 0.0010, 2e-5, (14.0, 14.0)),
    "landsat5": Camera((0.52, 0.66, 0.72, 0.80, 0.60, 0.55), 0.004, 0.004, (15.0, 15.0)),
}
CAMERA_ODDS = {"sentinel2": 0.45, "landsat8": 0.33, "landsat5": 0.22}
