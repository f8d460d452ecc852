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

from . import first_photon_bias, tracks
from .segments import Segments, window_statistics

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
    half = np.full(n.size, FIRST_WINDOW_M)
    for _ in range(TRIMS):
        used, mean, sd = window_statistics(s, low=centre - half, high=centre + half)
        photons = used.astype(np.float64)
        near, _ = tracks.running_mean(x, mean.astype(np.float64), photons, starts, CENTRE_M * reach)
        around = np.where(np.isfinite(near), near, around)
        degrees = np.maximum(photons - 1.0, 0.0)
        variance = np.where(degrees > 0, sd.astype(np.float64) ** 2 * photons / np.maximum(degrees, 1.0), np.nan)
        usual = np.sqrt(_pool(x, variance, degrees, starts, near=10.0, fallback=np.full(n.size, 0.15**2)))
        usual = usual / TRUNCATION
        half = np.maximum(TRIM * usual, 0.15)
        centre = own * np.where(used > 0, mean, centre) + (1.0 - own) * around
    used, mean, sd = window_statistics(s, low=centre - half, high=centre + half)
    some = used > 0
    used_n = np.where(some, used, 0).astype(np.float64)
    # Spread about the segment means, pooled: sum of squares over degrees of freedom.
    squares = np.where(some, sd.astype(np.float64) ** 2 * used_n, 0.0)
    free = np.maximum(used_n - 1.0, 0.0)
    pooled = np.sqrt(
        tracks.running_mean(x, np.where(free > 0, squares / np.maximum(free, 1e-9), np.nan), free, starts, 10.0)[0]
    )
    pooled = np.where(np.isfinite(pooled), pooled, 0.15) / TRUNCATION
    shots = np.maximum(s.n_shots.astype(np.float64), 1.0)
    rate, _ = tracks.running_mean(x, s.photon_rate_high.astype(np.float64), shots, starts, 5.0)
    # A lone photon whose shot began in the cell before leaves a cell without a shot: one shot it is.
    rate = np.where(np.isfinite(rate), rate, n / shots)
    if table is None:
        bias = np.full(n.size, np.nan)
    else:
        bias = first_photon_bias.lookup(table, strength=rate, width_m=2.563 * pooled)
    bias_error = first_photon_error(bias, errors=errors)
    height = np.where(some, mean, np.nan) - np.where(np.isfinite(bias), bias, 0.0)
    # One or two photons metres away from everything around them are noise that passed for signal under cloud.
    usual_level = tracks.block_quantile(x, height, block_m=20.0, window_m=250.0, inner=0.5, outer=0.5)
    stray = (used_n < 3) & (np.abs(height - usual_level) > STRAY_M)
    height = np.where(stray, np.nan, height)
    some &= ~stray
    variance = (squares / TRUNCATION**2 + PRIOR_PHOTONS * pooled**2) / (free + PRIOR_PHOTONS)
    uncertainty = np.sqrt(
        variance / np.maximum(used_n, 1.0) + bias_error**2 + errors.instrument_m**2 + errors.tail_m**2
    )
    return SurfaceHeights(
        height=height.astype(np.float32),
        uncertainty=np.where(some, uncertainty, np.nan).astype(np.float32),
        first_photon_bias=bias.astype(np.float32),
        n_photons=used.astype(np.int32),
        sd=(sd / TRUNCATION).astype(np.float32),
        spread=pooled.astype(np.float32),
        rate=rate.astype(np.float32),
        is_contaminated=3.0 * used_n < 2.0 * n,
    )


def _pool(
    x: np.ndarray, values: np.ndarray, weights: np.ndarray, starts: np.ndarray, *, near: float, fallback: np.ndarray
) -> np.ndarray:
    """Weighted mean over ± ``near`` metres, or over ten times that where fewer than thirty photons are so near."""
    close, weight = tracks.running_mean(x, values, weights, starts, near)
    wide, _ = tracks.running_mean(x, values, weights, starts, 10.0 * near)
    share = np.clip(weight / 30.0, 0.0, 1.0)
    mixed = share * np.where(np.isfinite(close), close, 0.0) + (1.0 - share) * wide
    mixed = np.where(np.isfinite(mixed), mixed, close)
    return np.where(np.isfinite(mixed), mixed, fallback)
