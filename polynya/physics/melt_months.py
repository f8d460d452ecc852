"""Months in which wet snow and melt ponds change what radars see of sea ice.

Freeboard has a rule of its own (:mod:`polynya.physics.water_evidence`): photons tell water by the sun's height too.
"""

from __future__ import annotations

import numpy as np

MONTHS = {1: (5, 6, 7, 8, 9), -1: (11, 12, 1, 2, 3)}
"""North and south."""


def is_melt_season(time: np.ndarray | np.datetime64, latitude: np.ndarray | float) -> np.ndarray:
    """Return whether times lie in the months of melt of their hemisphere.

    Parameters
    ----------
    time : numpy.ndarray of datetime64
        UTC; NaT is no.
    latitude : numpy.ndarray, of a shape that fits
        Degrees.

    Returns
    -------
    numpy.ndarray of bool
        Of the shape of both.
    """
    time = np.asarray(time)
    month = time.astype("datetime64[M]").astype(np.int64) % 12 + 1
    found = np.where(np.asarray(latitude) >= 0, np.isin(month, MONTHS[1]), np.isin(month, MONTHS[-1]))
    return found & ~np.isnat(time)
