"""Leap seconds: CryoSat-2 counts time in TAI, which is ahead of UTC.

Source: IERS Bulletin C, https://hpiers.obspm.fr/iers/bul/bulc/Leap_Second.dat (steps since 2000).
"""

from __future__ import annotations

import numpy as np

STEPS = (
    ("2000-01-01", 32),
    ("2006-01-01", 33),
    ("2009-01-01", 34),
    ("2012-07-01", 35),
    ("2015-07-01", 36),
    ("2017-01-01", 37),
)
"""First UTC day and TAI - UTC in seconds from then on."""


def utc_from_tai(tai: np.ndarray) -> np.ndarray:
    """Return UTC of times in TAI.

    Parameters
    ----------
    tai : numpy.ndarray of datetime64[ns]
        From 2000 on.

    Returns
    -------
    numpy.ndarray of datetime64[ns]
    """
    seconds = np.array([s for _, s in STEPS], np.int64)
    begins = np.array([np.datetime64(d, "ns") for d, _ in STEPS]) + seconds.astype("timedelta64[s]")
    step = np.maximum(np.searchsorted(begins, tai, side="right") - 1, 0)
    return tai - seconds[step].astype("timedelta64[s]")


def tai_from_utc(utc: np.ndarray) -> np.ndarray:
    """Return TAI of times in UTC: the inverse of :func:`utc_from_tai`.

    Parameters
    ----------
    utc : numpy.ndarray of datetime64[ns]
        From 2000 on.

    Returns
    -------
    numpy.ndarray of datetime64[ns]
    """
    seconds = np.array([s for _, s in STEPS], np.int64)
    step = np.searchsorted(np.array([np.datetime64(d, "ns") for d, _ in STEPS]), utc, side="right") - 1
    return utc + seconds[np.maximum(step, 0)].astype("timedelta64[s]")
