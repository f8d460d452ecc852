"""The vocabulary of scenes: sensors, their bands and units, glacier regions, classes. Tables have theirs in
:mod:`polynya.schema`.

A scene is a set of sensors on one grid. In memory a sensor is a float32 array (bands, y, x) in the units given here,
NaN where it saw nothing. The names are those of the published tile set (Maslov et al. 2025, doi:10.11582/2024.00168).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """One band: its name, unit and meaning, and the values that cannot be exceeded.

    Attributes
    ----------
    name, units, long_name : str
    low, high : float
        What a physical value lies within; beyond it is counted by the quality gate, not clipped.
    """

    name: str
    units: str
    long_name: str
    low: float
    high: float


SENSORS: dict[str, tuple[Band, ...]] = {
    "optical": tuple(
        Band(n, "1", f"top-of-atmosphere reflectance, {n}", -0.1, 2.7)
        for n in ("blue", "green", "red", "nir", "swir1", "swir2")
    ),
    "dem": (
        Band("elevation", "m", "height of the surface", -500.0, 9000.0),
        Band("slope", "degree", "slope of the surface", 0.0, 90.0),
    ),
    "co_pol_sar": tuple(
        Band(f"co_pol_{n}", "1", f"sigma0 of the co-polarised channel (VV or HH), {n} pass, linear", 0.0, 100.0)
        for n in ("ascending", "descending")
    ),
    "cross_pol_sar": tuple(
        Band(f"cross_pol_{n}", "1", f"sigma0 of the cross-polarised channel (VH or HV), {n} pass, linear", 0.0, 100.0)
        for n in ("ascending", "descending")
    ),
    "in_sar": tuple(
        Band(f"coherence_{n}", "1", f"interferometric coherence, {n} pass", 0.0, 1.0)
        for n in ("ascending", "descending")
    ),
    "thermal": (Band("brightness_temperature", "K", "brightness temperature in the thermal infrared", 150.0, 350.0),),
}
"""Sensors of a glacier scene in their fixed order, and the bands of each."""

REGIONS = {
    "ALP": "European Alps",
    "ANT": "Antarctic and Subantarctic islands",
    "AWA": "Alaska and Western America",
    "CAU": "Caucasus",
    "GRL": "Greenland periphery",
    "HMA": "High Mountain Asia",
    "TRP": "Low Latitudes (tropics)",
    "NZL": "New Zealand",
    "SAN": "Southern Andes",
    "SCA": "Scandinavia",
    "SVAL": "Svalbard",
}
"""The eleven regions of the published training data."""

GLACIER_CLASSES = ("other", "glacier")
"""Classes of a glacier network; debris-covered ice counts as glacier."""
UNLABELLED = 255
"""Value of a class raster where nothing is known."""


def band_names(sensor: str) -> tuple[str, ...]:
    """Return the names of a sensor's bands."""
    return tuple(b.name for b in SENSORS[sensor])
