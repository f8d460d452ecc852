"""How ready-to-train files of AI4Arctic come from raw ones: names, constants, 80 m pixels, standardised channels.

The constants are those that the organisers publish with the set (``misc/global_meanstd.npy``). Ready-to-train channels
are (value - mean) / standard deviation; 0 stands for missing values in the radar channels, 255 in the charts.
"""

from __future__ import annotations

import numpy as np

from .amsr2_swath import CHANNELS as BRIGHTNESS
from .sigrid3_codes import MASK

STATISTICS = {
    "nersc_sar_primary": (-14.508255, 5.659746),
    "nersc_sar_secondary": (-24.701205, 4.746759),
    "sar_incidenceangle": (33.998018, 8.322267),
    "distance_map": (23.627670, 14.990186),
    "btemp_6_9h": (148.846980, 61.648469),
    "btemp_6_9v": (203.519445, 38.666432),
    "btemp_7_3h": (149.898965, 61.675445),
    "btemp_7_3v": (204.205340, 38.666220),
    "btemp_10_7h": (153.891692, 60.875250),
    "btemp_10_7v": (208.904087, 36.244959),
    "btemp_18_7h": (165.680262, 52.617873),
    "btemp_18_7v": (218.586834, 28.060390),
    "btemp_23_8h": (182.208937, 42.887162),
    "btemp_23_8v": (226.396467, 22.117582),
    "btemp_36_5h": (185.194724, 38.644438),
    "btemp_36_5v": (228.205902, 17.652645),
    "btemp_89_0h": (212.537458, 22.584971),
    "btemp_89_0v": (241.257479, 16.310962),
    "u10m_rotated": (0.674799, 4.749647),
    "v10m_rotated": (0.607557, 5.196105),
    "t2m": (268.626549, 9.469171),
    "skt": (268.910152, 10.305256),
    "tcwv": (7.747742, 5.268575),
    "tclw": (0.041246, 0.071128),
}
"""Mean and standard deviation of every channel over the training scenes, in the raw files' units."""
RADAR = ("nersc_sar_primary", "nersc_sar_secondary")
WEATHER = ("u10m_rotated", "v10m_rotated", "t2m", "skt", "tcwv", "tclw")
TOGETHER = (RADAR, BRIGHTNESS, WEATHER)
"""Channels that are missing together: 0 in all of a group is missing, 0 in one is a value."""


def prepared_name(raw: str) -> str:
    """Return the name of the ready-to-train file of a raw one.

    Parameters
    ----------
    raw : str
        As ``S1A_EW_GRDM_1SDH_20180607T184326_..._icechart_dmi_....nc``.
    """
    return f"{raw[17:32]}_{raw[77:80]}_prep.nc"


def standardised(values: np.ndarray, name: str, *, fill: float = 0.0) -> np.ndarray:
    """Return a channel as ready-to-train files store it, float32.

    Parameters
    ----------
    values : numpy.ndarray
        In the raw files' units; NaN where missing.
    name : str
        Of :data:`STATISTICS`.
    fill : float
        What missing values become.
    """
    mean, deviation = STATISTICS[name]
    z = (np.asarray(values, np.float64) - mean) / deviation
    return np.where(np.isnan(z), fill, z).astype(np.float32)


def physical(standard: np.ndarray, name: str) -> np.ndarray:
    """Return a ready-to-train channel in the raw files' units, float32.

    Parameters
    ----------
    standard : numpy.ndarray
        As stored.
    name : str
        Of :data:`STATISTICS`.
    """
    mean, deviation = STATISTICS[name]
    return (np.asarray(standard, np.float64) * deviation + mean).astype(np.float32)


def mean_of_four(values: np.ndarray) -> np.ndarray:
    """Return the mean of every 2 x 2 pixels; an odd last line or sample is left out. NaN where one of the four is.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (rows, columns)
        Of 40 m.
    """
    return _fours(values).mean(axis=(1, 3)).astype(np.float32)


def largest_of_four(classes: np.ndarray) -> np.ndarray:
    """Return the largest class of every 2 x 2 pixels: unknown (255) where one of the four is.

    Parameters
    ----------
    classes : numpy.ndarray of uint8, shape (rows, columns)
        Of 40 m.
    """
    return _fours(classes).max(axis=(1, 3))


def with_radar_mask(charts: dict[str, np.ndarray], is_missing: np.ndarray) -> dict[str, np.ndarray]:
    """Return charts that are unknown where the radar saw nothing.

    Parameters
    ----------
    charts : dict of str to numpy.ndarray of uint8
        ``SIC``, ``SOD``, ``FLOE``.
    is_missing : numpy.ndarray of bool
        Pixels without a radar value.
    """
    return {name: np.where(is_missing, np.uint8(MASK), values) for name, values in charts.items()}


def _fours(values: np.ndarray) -> np.ndarray:
    rows, columns = values.shape[0] // 2, values.shape[1] // 2
    return values[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
