"""Segment statistics to surface heights: which photons, which statistic, first-photon bias, uncertainty.

The height of a segment is the **mean** of its photons inside a window around the local surface, less
the first-photon bias. The mean, not the median: the CAL-19 table corrects the mean, the mean of n
photons scatters 20 % less than their median, and its expectation is the footprint mean that truth is
defined as. The window, because a photon of background among sixteen shifts a plain mean by decimetres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .. import compiled
from . import first_photon_bias, tracks
from .segments import Segments, window_statistics
from .tracks import weighted_mean

FIRST_WINDOW_M, TRIM, TRIMS = 0.7, 2.0, 3
"""First half width of the photon window (m), its later half width in standard deviations, and how often it is
narrowed."""
TRUNCATION = float(
    np.sqrt(1.0 - 2.0 * TRIM * np.exp(-(TRIM**2) / 2.0) / (np.sqrt(2.0 * np.pi) * math.erf(TRIM / math.sqrt(2.0))))
)
"""A normal distribution cut at ± TRIM standard deviations keeps this share of its standard deviation."""
CENTRE_M = 2.0
"""Half width of the neighbourhood that centres the window of poor segments: this times a photon-dependent reach (m)."""
STRAY_M = 2.0
"""A segment of one or two photons further than this from the median surface within 250 m is noise (m)."""
GAP_M = 20.0
"""Nothing is smoothed across a stretch this long without a segment."""
SPREAD_M, USUAL_SPREAD_M = 10.0, 0.15
"""The photons' spread is pooled over ± the first (m), and the second where no photon is near (m)."""
LEAST_HALF_M = 0.15
"""Least half width of the photon window (m)."""
PRIOR_PHOTONS = 6.0
"""Weight of the neighbourhood's spread against the segment's own, in photons."""


@dataclass(frozen=True, kw_only=True)
class HeightErrors:
    """Terms of ``height_uncertainty`` beside the standard error of the mean.

    Attributes
    ----------
    instrument_m : float
        What does not average over a segment's few shots: the spread of ATLAS's shot-to-shot range bias,
        millimetres to a centimetre over flat surfaces (Magruder et al., 2020; Brunt et al., 2019, find
        centimetre-level precision over the Antarctic plateau).
    tail_m : float
        How far mean and mode of the photons differ after trimming at two standard deviations: late photons
        (pulse tail, scattering in snow and water) make 0.008 m on simulated and up to 0.02 m on real photons.
    first_photon_share : float
        Relative error of the first-photon correction: width and strength are known from few photons.
    first_photon_unknown_m : float
        Added where the granule carries no CAL-19 table: the mean bias of real strong segments (0.013 m)
        and its spread (0.011 m) in quadrature.
    """

    instrument_m: float = 0.008
    tail_m: float = 0.010
    first_photon_share: float = 0.3
    first_photon_unknown_m: float = 0.017


def first_photon_error(bias: np.ndarray, *, errors: HeightErrors | None = None) -> np.ndarray:
    """Return the part of ``height_uncertainty`` that a beam's segments share, metres, shape (n,).

    Parameters
    ----------
    bias : numpy.ndarray, shape (n,)
        First-photon bias that was subtracted, metres; NaN where none was.
    errors : HeightErrors, optional
        Terms of the uncertainty.
    """
    errors = errors or HeightErrors()
    return np.where(np.isfinite(bias), errors.first_photon_share * np.abs(bias), errors.first_photon_unknown_m)


def independent_error(uncertainty: np.ndarray, bias: np.ndarray, *, errors: HeightErrors | None = None) -> np.ndarray:
    """Return the part of ``height_uncertainty`` that falls in means of freeboard, metres, shape (n,).

    Parameters
    ----------
    uncertainty, bias : numpy.ndarray, shape (n,)
        ``height_uncertainty`` and the first-photon bias, NaN where none was subtracted, metres.
    errors : HeightErrors, optional
        Terms of the uncertainty.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Without the first-photon error, which a beam shares, and without late photons, which ice and water share.
    """
    errors = errors or HeightErrors()
    shared = first_photon_error(bias, errors=errors) ** 2 + errors.tail_m**2
    return np.sqrt(np.maximum(np.asarray(uncertainty, np.float64) ** 2 - shared, 0.0))


@dataclass(frozen=True, kw_only=True)
class SurfaceHeights:
    """Heights of n segments above the mean sea surface, arrays of shape (n,).

    Attributes
    ----------
    height, uncertainty : numpy.ndarray
        Metres; the uncertainty holds the terms that neighbouring segments do not share.
    first_photon_bias : numpy.ndarray
        Metres, what was subtracted; NaN where unknown or switched off.
    n_photons : numpy.ndarray
        Photons inside the window.
    sd : numpy.ndarray
        Standard deviation of the photons inside the window (population), the cut tails put back, metres.
    spread : numpy.ndarray
        Standard deviation of the photons about their segment's mean, pooled over ±10 m, metres.
    rate : numpy.ndarray
        Signal photons per shot, averaged over ±5 m by shots.
    is_contaminated : numpy.ndarray of bool
        More than a third of the photons lay outside the window.
    """

    height: np.ndarray
    uncertainty: np.ndarray
    first_photon_bias: np.ndarray
    n_photons: np.ndarray
    sd: np.ndarray
    spread: np.ndarray
    rate: np.ndarray
    is_contaminated: np.ndarray


def surface_heights(
    segments: Segments,
    *,
    table: first_photon_bias.CalibrationTable | None,
    starts: np.ndarray,
    errors: HeightErrors | None = None,
) -> SurfaceHeights:
    """Estimate each segment's surface height.

    Parameters
    ----------
    segments : Segments
        Statistics and photon heights of n segments.
    table : CalibrationTable or None
        CAL-19 at the beam's dead time, None to leave the bias in.
    starts : numpy.ndarray
        Pieces of the track, of :func:`polynya.physics.tracks.pieces`.
    errors : HeightErrors, optional
        Terms of the uncertainty beside the standard error of the mean.

    Returns
    -------
    SurfaceHeights
    """
    errors = errors or HeightErrors()
    s = segments
    n = s.n_photons.astype(np.float64)
    x = s.x_atc
    # The local surface: the segment's own median where it has photons enough to have one, a running
    # median over about forty photons where it has not.
    reach = int(np.clip(np.ceil(20.0 / max(float(np.mean(n)), 0.1)), 2, 10))
    around = tracks.running_median(s.median.astype(np.float64), starts, reach)
    own = np.clip((n - 3.0) / 6.0, 0.0, 1.0)
    centre = own * s.median + (1.0 - own) * around
    # Take the photons inside the window, pool their mean and spread over the neighbourhood, narrow the window; again.
    half, scratch = np.full(n.size, FIRST_WINDOW_M), np.empty((8, n.size))
    for _ in range(TRIMS):
        used, mean, sd = window_statistics(s, low=centre - half, high=centre + half)
        _narrow(x, used, mean, sd, starts, CENTRE_M * reach, own, scratch, around, centre, half)
    used, mean, sd = window_statistics(s, low=centre - half, high=centre + half)
    some = used > 0
    squares, free, variance = np.empty((3, n.size))
    _degrees(used, sd, squares, free, variance)
    pooled = np.sqrt(tracks.running_mean(x, variance, free, starts, SPREAD_M)[0])
    pooled = np.where(np.isfinite(pooled), pooled, USUAL_SPREAD_M) / TRUNCATION
    shots = np.maximum(s.n_shots.astype(np.float64), 1.0)
    rate, _ = tracks.running_mean(x, s.photon_rate_high.astype(np.float64), shots, starts, 5.0)
    # A lone photon whose shot began in the cell before leaves a cell without a shot: one shot it is.
    rate = np.where(np.isfinite(rate), rate, n / shots)
    if table is None:
        bias = np.full(n.size, np.nan)
    else:
        bias = first_photon_bias.lookup(table, strength=rate, width_m=2.563 * pooled)
    height = np.where(some, mean, np.nan) - np.where(np.isfinite(bias), bias, 0.0)
    # One or two photons metres away from everything around them are noise that passed for signal under cloud.
    usual_level = tracks.block_quantile(x, height, block_m=20.0, window_m=250.0, inner=0.5, outer=0.5)
    height = np.where((used < 3) & (np.abs(height - usual_level) > STRAY_M), np.nan, height)
    uncertainty = np.empty(n.size, np.float32)
    shared = np.array(
        [errors.first_photon_share, errors.first_photon_unknown_m, errors.instrument_m**2, errors.tail_m**2]
    )
    _uncertainty(height, used, squares, free, pooled, bias, shared, uncertainty)
    return SurfaceHeights(
        height=height.astype(np.float32),
        uncertainty=uncertainty,
        first_photon_bias=bias.astype(np.float32),
        n_photons=used.astype(np.int32),
        sd=(sd / TRUNCATION).astype(np.float32),
        spread=pooled.astype(np.float32),
        rate=rate.astype(np.float32),
        is_contaminated=3 * used < 2 * s.n_photons,
    )


@compiled.kernel
def _degrees(used, sd, squares, free, variance):  # pragma: no cover - compiled
    """Put the photons' sum of squares about their mean, its degrees of freedom and the variance: NaN for one photon and
    none."""
    for i in range(used.size):
        squares[i] = np.float64(sd[i]) ** 2 * used[i] if used[i] > 0 else 0.0
        free[i] = used[i] - 1.0 if used[i] > 0 else 0.0
        variance[i] = squares[i] / free[i] if free[i] > 0.0 else np.nan


@compiled.kernel
def _narrow(x, used, mean, sd, starts, near_m, own, scratch, around, centre, half):  # noqa: PLR0913 - a kernel
    """Centre and narrow the windows, in place, by the photons that are inside.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance, metres.
    used, mean, sd : numpy.ndarray, shape (n,)
        Of :func:`polynya.physics.segments.window_statistics`.
    starts : numpy.ndarray
        Pieces of the track.
    near_m : float
        Half width of the neighbourhood that centres the window of poor segments, metres.
    own : numpy.ndarray, shape (n,)
        Weight of a segment's own mean in its centre, 0 to 1.
    scratch : numpy.ndarray, shape (8, n)
        Overwritten.
    around : numpy.ndarray, shape (n,)
        Mean height of the neighbourhood, metres: kept where no photon is near.
    centre, half : numpy.ndarray, shape (n,)
        Middle and half width of the windows, metres.
    """
    free, variance, near, close, weight, wide = scratch[1], scratch[2], scratch[3], scratch[4], scratch[5], scratch[6]
    _degrees(used, sd, scratch[0], free, variance)
    weighted_mean(x, mean, used, starts, near_m, near, scratch[7])
    weighted_mean(x, variance, free, starts, SPREAD_M, close, weight)
    weighted_mean(x, variance, free, starts, 10.0 * SPREAD_M, wide, scratch[7])
    for i in range(x.size):
        if np.isfinite(near[i]):
            around[i] = near[i]
        # Over ten times the distance where fewer than thirty photons are so near.
        share = min(weight[i] / 30.0, 1.0)
        spread = (share * close[i] if np.isfinite(close[i]) else share * 0.0) + (1.0 - share) * wide[i]
        if not np.isfinite(spread):
            spread = close[i] if np.isfinite(close[i]) else USUAL_SPREAD_M**2
        half[i] = max(TRIM * (np.sqrt(spread) / TRUNCATION), LEAST_HALF_M)
        centre[i] = own[i] * (np.float64(mean[i]) if used[i] > 0 else centre[i]) + (1.0 - own[i]) * around[i]


@compiled.kernel
def _uncertainty(height, used, squares, free, pooled, bias, shared, out):  # pragma: no cover - compiled
    """Put the standard uncertainty of heights, metres; NaN without a photon, and where a height was taken for noise."""
    share, unknown, instrument, tail = shared[0], shared[1], shared[2], shared[3]
    for i in range(height.size):
        out[i] = np.nan
        if used[i] == 0 or np.isnan(height[i]):
            continue
        error = share * abs(bias[i]) if np.isfinite(bias[i]) else unknown
        variance = (squares[i] / TRUNCATION**2 + PRIOR_PHOTONS * pooled[i] ** 2) / (free[i] + PRIOR_PHOTONS)
        out[i] = np.sqrt(variance / used[i] + error**2 + instrument + tail)
