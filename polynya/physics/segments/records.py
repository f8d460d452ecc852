"""Records of along-track segments: their statistics, and what they are made from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Segments:
    """Statistics of n non-empty segments, ordered along track.

    Attributes
    ----------
    index : numpy.ndarray, shape (n,)
        Cell number floor(x / resolution) for fixed cells, running number otherwise.
    x_atc, latitude, longitude, delta_time : numpy.ndarray, shape (n,)
        Means over the photons in the height statistics; longitude in [-180, 180).
    length : numpy.ndarray, shape (n,)
        Cell length, or distance from first to last photon, in metres.
    n_photons, n_shots : numpy.ndarray, shape (n,)
        Photons in the height statistics; laser shots, those without a photon included.
    mean, median, sd : numpy.ndarray, shape (n,)
        Of photon height above the reference, metres. sd is the population's (ddof 0).
    reference : numpy.ndarray, shape (n,)
        Mean of the reference that was subtracted: ellipsoidal mean height = mean + reference.
    photon_rate, photon_rate_high : numpy.ndarray, shape (n,)
        Photons per shot, mean over the shots: all of nominal quality, and those in the height statistics; NaN without
        a shot.
    background_counts, background_rate : numpy.ndarray, shape (n,)
        Mean over the shots, of the 50-shot block each falls in; rate in Hz. NaN where it is unknown for one of them.
    heights : numpy.ndarray, shape (sum of n_photons,)
        Photon heights above the reference, sorted inside each segment.
    offsets : numpy.ndarray, shape (n + 1,)
        Segment k's heights are ``heights[offsets[k]:offsets[k + 1]]``.
    """

    index: np.ndarray
    x_atc: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    delta_time: np.ndarray
    length: np.ndarray
    n_photons: np.ndarray
    n_shots: np.ndarray
    mean: np.ndarray
    median: np.ndarray
    sd: np.ndarray
    reference: np.ndarray
    photon_rate: np.ndarray
    photon_rate_high: np.ndarray
    background_counts: np.ndarray
    background_rate: np.ndarray
    heights: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True, kw_only=True)
class PhotonRuns:
    """Segments of a fixed number of photons, as NASA's ATL07 has them.

    Attributes
    ----------
    n_photons : int
        150 in ATL07.
    max_length_m : float
        A run that gets longer is closed with what it holds: 200 m strong, 800 m weak in ATL07.
    """

    n_photons: int = 150
    max_length_m: float = 200.0


@dataclass(frozen=True, kw_only=True)
class Geosegments:
    """The 20 m segments that photons are filed under, g of them.

    Attributes
    ----------
    first, count : numpy.ndarray of int64, shape (g,)
        First photon and number of photons.
    x : numpy.ndarray, shape (g,)
        Along-track distance of the start, metres.
    """

    first: np.ndarray
    count: np.ndarray
    x: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Height to subtract from photon heights: mean sea surface plus tides.

    Attributes
    ----------
    x : numpy.ndarray, shape (g,)
        Along-track distance where it holds, metres; linear between, constant beyond the ends.
    height : numpy.ndarray, shape (g,)
        Above the ellipsoid, metres; NaN entries are left out.
    """

    x: np.ndarray
    height: np.ndarray
