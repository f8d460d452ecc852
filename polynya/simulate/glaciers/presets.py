"""The ranges that a glacier scene is drawn from: regions, spectra, backscatter and coherence of surfaces, cameras.

A range is ``(low, high)`` of an even distribution. docs/glacier_simulator.md has the sources; "chosen" marks values
without a publication.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Region:
    """The ranges of one region.

    Attributes
    ----------
    places : tuple of tuple of float
        Longitude and latitude of typical places; one is drawn and shifted by up to 1 and 0.5 degrees.
    month : tuple of int
        First and last month of scenes near the end of the ablation season; the second may be the smaller one.
    ela_m : tuple of float
        Equilibrium line altitude above the sea.
    relief_m : tuple of float
        Relief over 12.8 km, 0.5th to 99.5th percentile.
    steepness : tuple of float
        Critical angle of hillslopes, degrees.
    plateau : float
        Probability of a high plateau under the ice (ice caps, ice fields).
    glacier_share : tuple of float
        Of the scene.
    debris_share : tuple of float
        Of the ice below the equilibrium line.
    melt_limit : tuple of float
        Largest melt, m of ice per year: low under debris and in cold climates.
    accumulation : tuple of float
        Largest accumulation, m of ice per year.
    snow_line : tuple of float
        Height of the seasonal snow line minus the ELA, m; the lower, the more snow patches below the ice.
    ahead : tuple of float
        Height of today's equilibrium line above the one that the glaciers' length is in balance with, as a share of the
        relief.
    cloud : tuple of float
        Cloud cover; half of all scenes have none.
    vegetation : float
        Height of the upper limit of plants minus the ELA, m.
    rocks : tuple of str
        Keys of ``SPECTRA``.
    coast : bool
        Whether ground below the sea level is water.
    channels : tuple of str
        Polarisations of Sentinel-1 in this region: ``VV``/``VH`` or ``HH``/``HV``.
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
        places=((7.9, 46.5), (10.8, 46.8), (6.9, 45.9)),
        month=(8, 9),
        ela_m=(2850, 3150),
        relief_m=(1600, 2500),
        steepness=(37, 46),
        plateau=0.1,
        glacier_share=(0.10, 0.35),
        debris_share=(0.08, 0.35),
        melt_limit=(4.0, 8.0),
        accumulation=(1.0, 2.0),
        snow_line=(-220, 160),
        ahead=(0.0, 0.12),
        cloud=(0.0, 0.10),
        vegetation=-450,
        rocks=(*_COMMON, "limestone"),
        coast=False,
        channels=_VV,
    ),
    "ANT": Region(
        places=((-36.8, -54.4), (-58.4, -62.1), (-57.6, -63.9)),
        month=(1, 3),
        ela_m=(150, 550),
        relief_m=(900, 1800),
        steepness=(38, 48),
        plateau=0.5,
        glacier_share=(0.25, 0.50),
        debris_share=(0.00, 0.15),
        melt_limit=(2.0, 5.0),
        accumulation=(0.7, 2.0),
        snow_line=(-160, 60),
        ahead=(0.0, 0.08),
        cloud=(0.0, 0.25),
        vegetation=-900,
        rocks=("basalt", "slate", "schist"),
        coast=True,
        channels=_HH,
    ),
    "AWA": Region(
        places=((-146.5, 61.4), (-139.3, 60.6), (-152.9, 61.2)),
        month=(8, 9),
        ela_m=(1100, 2000),
        relief_m=(1800, 3000),
        steepness=(38, 50),
        plateau=0.3,
        glacier_share=(0.18, 0.50),
        debris_share=(0.06, 0.30),
        melt_limit=(4.0, 9.0),
        accumulation=(1.2, 3.0),
        snow_line=(-240, 80),
        ahead=(0.0, 0.12),
        cloud=(0.0, 0.15),
        vegetation=-450,
        rocks=(*_COMMON, "basalt"),
        coast=True,
        channels=_VV,
    ),
    "CAU": Region(
        places=((42.6, 43.2), (43.6, 42.8)),
        month=(8, 9),
        ela_m=(3150, 3550),
        relief_m=(1700, 2700),
        steepness=(39, 48),
        plateau=0.05,
        glacier_share=(0.08, 0.30),
        debris_share=(0.10, 0.40),
        melt_limit=(3.0, 7.0),
        accumulation=(1.0, 2.0),
        snow_line=(-220, 160),
        ahead=(0.0, 0.12),
        cloud=(0.0, 0.12),
        vegetation=-550,
        rocks=_COMMON,
        coast=False,
        channels=_VV,
    ),
    "GRL": Region(
        places=((-37.6, 65.7), (-51.2, 64.4), (-52.3, 70.3)),
        month=(7, 8),
        ela_m=(700, 1300),
        relief_m=(1000, 2000),
        steepness=(36, 48),
        plateau=0.55,
        glacier_share=(0.20, 0.50),
        debris_share=(0.01, 0.12),
        melt_limit=(2.0, 5.0),
        accumulation=(0.5, 1.2),
        snow_line=(-200, 100),
        ahead=(0.0, 0.08),
        cloud=(0.0, 0.10),
        vegetation=-650,
        rocks=("gneiss", "granite", "basalt"),
        coast=True,
        channels=_HH,
    ),
    "HMA": Region(
        places=((86.9, 27.95), (76.5, 35.8), (80.1, 42.1), (95.0, 29.6)),
        month=(9, 11),
        ela_m=(4600, 5700),
        relief_m=(2100, 3400),
        steepness=(42, 53),
        plateau=0.1,
        glacier_share=(0.08, 0.40),
        debris_share=(0.30, 0.95),
        melt_limit=(0.7, 2.5),
        accumulation=(0.7, 1.6),
        snow_line=(-350, 160),
        ahead=(0.05, 0.26),
        cloud=(0.0, 0.15),
        vegetation=-800,
        rocks=(*_COMMON, "limestone", "redbed"),
        coast=False,
        channels=_VV,
    ),
    "TRP": Region(
        places=((-77.6, -9.1), (-68.2, -16.2), (-78.4, -0.7)),
        month=(6, 9),
        ela_m=(4850, 5300),
        relief_m=(1400, 2400),
        steepness=(38, 50),
        plateau=0.2,
        glacier_share=(0.06, 0.25),
        debris_share=(0.03, 0.20),
        melt_limit=(3.0, 8.0),
        accumulation=(0.8, 1.8),
        snow_line=(-80, 100),
        ahead=(0.0, 0.08),
        cloud=(0.0, 0.25),
        vegetation=-450,
        rocks=("granite", "slate", "basalt", "redbed"),
        coast=False,
        channels=_VV,
    ),
    "NZL": Region(
        places=((170.2, -43.6), (168.3, -44.7)),
        month=(2, 4),
        ela_m=(1700, 2100),
        relief_m=(1600, 2600),
        steepness=(38, 48),
        plateau=0.05,
        glacier_share=(0.08, 0.35),
        debris_share=(0.15, 0.55),
        melt_limit=(4.0, 12.0),
        accumulation=(1.5, 4.0),
        snow_line=(-220, 120),
        ahead=(0.0, 0.14),
        cloud=(0.0, 0.18),
        vegetation=-500,
        rocks=("schist", "slate", "gneiss"),
        coast=False,
        channels=_VV,
    ),
    "SAN": Region(
        places=((-73.3, -49.5), (-69.9, -33.6), (-72.5, -46.6)),
        month=(1, 3),
        ela_m=(1000, 1500),
        relief_m=(1500, 2700),
        steepness=(38, 50),
        plateau=0.45,
        glacier_share=(0.20, 0.50),
        debris_share=(0.03, 0.25),
        melt_limit=(3.0, 10.0),
        accumulation=(1.0, 3.0),
        snow_line=(-240, 80),
        ahead=(0.0, 0.08),
        cloud=(0.0, 0.20),
        vegetation=-350,
        rocks=("granite", "basalt", "slate", "redbed"),
        coast=True,
        channels=_VV,
    ),
    "SCA": Region(
        places=((7.1, 61.6), (13.9, 66.7), (18.0, 67.9)),
        month=(8, 9),
        ela_m=(1200, 1650),
        relief_m=(900, 1700),
        steepness=(34, 46),
        plateau=0.6,
        glacier_share=(0.08, 0.40),
        debris_share=(0.00, 0.06),
        melt_limit=(3.0, 7.0),
        accumulation=(1.0, 2.2),
        snow_line=(-220, 80),
        ahead=(0.0, 0.08),
        cloud=(0.0, 0.15),
        vegetation=-350,
        rocks=("gneiss", "granite", "schist"),
        coast=False,
        channels=_VV,
    ),
    "SVAL": Region(
        places=((15.9, 78.2), (12.5, 79.0), (17.5, 77.0)),
        month=(7, 8),
        ela_m=(250, 600),
        relief_m=(600, 1200),
        steepness=(30, 44),
        plateau=0.4,
        glacier_share=(0.20, 0.50),
        debris_share=(0.03, 0.20),
        melt_limit=(1.2, 3.0),
        accumulation=(0.4, 1.0),
        snow_line=(-150, 80),
        ahead=(0.0, 0.08),
        cloud=(0.0, 0.15),
        vegetation=-350,
        rocks=("slate", "redbed", "limestone", "schist"),
        coast=True,
        channels=_HH,
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
"""Albedo of surfaces; the page has a source for each."""
CLOUD_WATER: _S = (0.62, 0.62, 0.62, 0.62, 0.47, 0.36)
CLOUD_ICE: _S = (0.60, 0.60, 0.60, 0.59, 0.26, 0.21)

WAVELENGTH = np.array([0.485, 0.56, 0.66, 0.84, 1.61, 2.20])
"""Band centres, micrometres."""


@dataclass(frozen=True, kw_only=True)
class Radar:
    """Backscatter and coherence of one surface at C band and an incidence angle of 39 degrees.

    Attributes
    ----------
    co, cross : float
        sigma0, dB.
    fall : float
        Decrease of sigma0, dB per degree of local incidence angle.
    coherence : float
        Over 12 days without motion.
    """

    co: float
    cross: float
    fall: float
    coherence: float


RADAR = {
    "rock": Radar(co=-9.0, cross=-17.5, fall=0.14, coherence=0.80),
    "debris": Radar(co=-8.0, cross=-16.0, fall=0.11, coherence=0.76),
    "till": Radar(co=-9.0, cross=-17.0, fall=0.12, coherence=0.76),
    "plants": Radar(co=-10.5, cross=-16.5, fall=0.09, coherence=0.42),
    "bare_ice": Radar(co=-12.5, cross=-21.0, fall=0.17, coherence=0.42),
    "dry_snow": Radar(co=-7.5, cross=-14.5, fall=0.10, coherence=0.50),
    "wet_snow": Radar(co=-18.5, cross=-25.5, fall=0.20, coherence=0.16),
    "water": Radar(co=-19.0, cross=-27.5, fall=0.30, coherence=0.08),
}


@dataclass(frozen=True, kw_only=True)
class Camera:
    """An optical sensor.

    Attributes
    ----------
    saturation : tuple of float
        Highest reflectance of a band times the sine of the sun's elevation; 0: no saturation.
    noise : float
        Standard deviation of reflectance at 0.2.
    step : float
        Quantisation of reflectance.
    blur : tuple of float
        Standard deviation of the point spread function, m: visible and near infrared, short-wave infrared.
    """

    saturation: _S
    noise: float
    step: float
    blur: tuple[float, float]


CAMERAS = {
    "sentinel2": Camera(saturation=(0.0,) * 6, noise=0.0015, step=1e-4, blur=(5.0, 10.0)),
    "landsat8": Camera(saturation=(0.0,) * 6, noise=0.0010, step=2e-5, blur=(14.0, 14.0)),
    "landsat5": Camera(saturation=(0.52, 0.66, 0.72, 0.80, 0.60, 0.55), noise=0.004, step=0.004, blur=(15.0, 15.0)),
}
CAMERA_ODDS = {"sentinel2": 0.45, "landsat8": 0.33, "landsat5": 0.22}
