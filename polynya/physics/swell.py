"""Swell in the ice along one beam: where it is, and how much it moves every surface up and down.

Swell lifts ice and water alike. Its wavelength is of the order of a hundred metres, a lead's width is less, so a lead
lies anywhere between trough and crest. Whoever takes low leads for certain water then takes troughs. Swell shows in the
spectrum of heights as a narrow peak; floes, ridges and leads give a broad one that falls with the wavenumber.

The spectrum is Welch's (1967, doi:10.1109/TAU.1967.1161901): tapered, overlapping windows, averaged over about 16 km.
The background under a band is a power law through the bands beside it. Wavelengths and heights of swell in ice seen by
ICESat-2: Horvat et al. (2020, doi:10.1029/2020GL087629), Brouwer et al. (2022, doi:10.5194/tc-16-2325-2022).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from . import order

CELL_M, WINDOW_M, STEP_M = 10.0, 4_096.0, 2_048.0
"""Heights are averaged over cells; spectra are of windows, a step apart."""
AVERAGED = 3
"""A spectrum is the mean of so many windows on either side and its own."""
LEAST_COVER = 0.7
"""Share of a window's cells that hold a height."""
LONGEST_M, SHORTEST_M = 460.0, 60.0
"""Wavelengths that are looked at: longer ones are floes, shorter ones are blurred by an 11 m footprint."""
BAND, SIDE_IN, SIDE_OUT = 1.25, 1.4, 2.0
"""A band reaches from the wavenumber over the first to the wavenumber times the first; the background is taken between
the second and the third on either side."""
LEAST_RATIO, LEAST_RMS_M = 5.0, 0.03
"""A peak this many times its background and at least so high is swell. On simulated ice without swell the ratio stays
below 4.7 (60 km, two beams, eight kinds of surface)."""
NEIGHBOUR_RATIO = 2.5
"""Within 10 km of such a peak a lower one of nearly the same wavelength is swell too: it decays into the ice."""
REACH_M = 10_000.0
OUTLIER = 3.0
"""Heights further than this many (robust) standard deviations from a window's median are held there: ridges."""


@dataclass(frozen=True, kw_only=True)
class Swell:
    """Swell at n segments; arrays of shape (n,).

    Attributes
    ----------
    rms : numpy.ndarray
        Standard deviation of the surface by swell, metres: a quarter of the significant wave height; 0 without swell.
    wavelength : numpy.ndarray
        Along the track, metres (longer than the swell's own where it comes from aside); NaN without swell.
    """

    rms: np.ndarray
    wavelength: np.ndarray

    @property
    def is_there(self) -> np.ndarray:
        """Whether there is swell, bool, shape (n,)."""
        return self.rms > 0.0


def detect(x: np.ndarray, height: np.ndarray) -> Swell:
    """Find swell from the spectrum of heights.

    Parameters
    ----------
    x, height : numpy.ndarray, shape (n,)
        Along-track distance, increasing, and height above the mean sea surface, metres; NaN heights are left out.

    Returns
    -------
    Swell
        Without swell where a window of 4 km is not covered: short tracks say nothing about it.
    """
    x, height = np.asarray(x, np.float64), np.asarray(height, np.float64)
    none = Swell(rms=np.zeros(x.size), wavelength=np.full(x.size, np.nan))
    good = np.isfinite(height)
    if np.count_nonzero(good) < 2:
        return none
    centre, spectra = _spectra(x[good], height[good])
    if centre.size == 0:
        return none
    total = np.concatenate([np.zeros((1, spectra.shape[1])), np.cumsum(spectra, axis=0)])
    low = np.maximum(np.arange(centre.size) - AVERAGED, 0)
    high = np.minimum(np.arange(centre.size) + AVERAGED + 1, centre.size)
    ratio, wavelength, rms = _peaks((total[high] - total[low]) / (high - low)[:, None])
    sure = (ratio >= LEAST_RATIO) & (rms >= LEAST_RMS_M)
    found = sure.copy()
    for k in np.flatnonzero(sure):
        near = np.abs(centre - centre[k]) <= REACH_M
        alike = np.abs(np.log(wavelength / wavelength[k])) < np.log(BAND)
        found |= near & alike & (ratio >= NEIGHBOUR_RATIO)
    if not found.any():
        return none
    edge = 0.5 * (centre[1:] + centre[:-1])
    at = np.searchsorted(edge, x)
    here = found[at] & (np.abs(x - centre[at]) <= WINDOW_M)
    return Swell(rms=np.where(here, rms[at], 0.0), wavelength=np.where(here, wavelength[at], np.nan))


def of_leads(swell: Swell, middle: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return how far swell moves the mean height of leads, one standard deviation, metres.

    Parameters
    ----------
    swell : Swell
        At n segments.
    middle : numpy.ndarray of int, shape (m,)
        The segment in the middle of each lead.
    length : numpy.ndarray, shape (m,)
        Of the leads along the track, metres.

    Returns
    -------
    numpy.ndarray, shape (m,)
        The mean of a wave of length λ over a lead of length L moves by |sin(π L/λ) / (π L/λ)| of the wave; beyond the
        first zero its envelope ``λ / (π L)`` is taken, since swell is not one wave.
    """
    rms, wavelength = swell.rms[middle], swell.wavelength[middle]
    turns = np.where(rms > 0.0, np.asarray(length, np.float64) / np.where(rms > 0.0, wavelength, 1.0), 0.0)
    return rms * np.where(turns < 0.5, np.sinc(turns), 1.0 / (np.pi * np.maximum(turns, 0.5)))


def _spectra(x: np.ndarray, height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres (m) of windows and their spectra, m² per wavenumber step; both empty for short tracks."""
    cell = np.floor(x / CELL_M).astype(np.int64)
    first = int(cell[0])
    n = int(cell[-1]) - first + 1
    width, step = round(WINDOW_M / CELL_M), round(STEP_M / CELL_M)
    if n < width:
        return np.empty(0), np.empty((0, width // 2 + 1))
    count = np.bincount(cell - first, minlength=n)
    mean = np.bincount(cell - first, weights=height, minlength=n) / np.maximum(count, 1)
    covered = np.concatenate([[0], np.cumsum(count > 0)])
    begin = np.arange(0, n - width + 1, step)
    begin = begin[covered[begin + width] - covered[begin] >= LEAST_COVER * width]
    at = begin[:, None] + np.arange(width)
    y, is_seen = mean[at], count[at] > 0
    place = np.arange(width)
    for k in np.flatnonzero(~is_seen.all(axis=1)):
        y[k] = np.interp(place, place[is_seen[k]], y[k, is_seen[k]])
    middle = order.median(y)[:, None]
    spread = 1.4826 * order.median(np.abs(y - middle))[:, None]
    y = np.clip(y, middle - OUTLIER * spread, middle + OUTLIER * spread)
    slope = (place - place.mean()) / np.sum((place - place.mean()) ** 2)
    tilt = np.array([slope @ row for row in y]).reshape(-1, 1)
    y = y - y.mean(axis=1, keepdims=True) - tilt * (place - place.mean())
    taper = np.hanning(width)
    spectra = np.abs(np.fft.rfft(y * taper, axis=1)) ** 2 * 2.0 / (width * np.sum(taper**2))
    return (first + begin + 0.5 * width) * CELL_M, spectra


@dataclass(frozen=True, kw_only=True)
class _Band:
    """A band of wavenumbers and what gives the background under it: the power law through the bands beside it."""

    number: np.ndarray
    side: np.ndarray
    fit: np.ndarray
    law: np.ndarray


@functools.cache
def _bands(n: int) -> tuple[_Band, ...]:
    """Return the bands that are looked at in spectra of n wavenumbers."""
    number = np.arange(n)
    design = np.stack([np.ones(n - 1), np.log(number[1:])], axis=1)
    out = []
    for k in range(int(np.ceil(WINDOW_M / LONGEST_M)), int(WINDOW_M / SHORTEST_M) + 1):
        band = (number >= k / BAND) & (number <= k * BAND)
        side = ((number >= k / SIDE_OUT) & (number < k / SIDE_IN)) | ((number > k * SIDE_IN) & (number <= k * SIDE_OUT))
        out.append(
            _Band(
                number=number[band],
                side=number[side],
                fit=np.linalg.pinv(design[side[1:]]),
                law=design[band[1:]],
            )
        )
    return tuple(out)


def _peaks(spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the highest peak of each spectrum: ratio to its background, wavelength (m), standard deviation (m)."""
    logs = np.log(spectra + 1e-12)
    ratio, wavelength, rms = (np.zeros(spectra.shape[0]) for _ in range(3))
    for band in _bands(spectra.shape[1]):
        background = np.exp(band.law @ (band.fit @ logs[:, band.side].T)).T
        here = spectra[:, band.number]
        usual, power = background.sum(axis=1), here.sum(axis=1)
        excess = np.maximum(here - background, 0.0)
        middle = (excess @ band.number) / np.maximum(excess.sum(axis=1), 1e-12)
        better = power > ratio * usual
        ratio = np.where(better, power / usual, ratio)
        wavelength = np.where(better, WINDOW_M / np.maximum(middle, 1.0), wavelength)
        rms = np.where(better, np.sqrt(np.maximum(power - usual, 0.0)), rms)
    return ratio, wavelength, rms
