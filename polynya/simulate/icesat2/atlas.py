"""The instrument: ATLAS as a photon counter.

A pulse illuminates a footprint of 11 m (1/e2 diameter; Magruder et al., 2020, doi:10.3390/rs12213653). Photons return
one by one. Each hits one of 16 (strong beam) or 4 (weak beam) detector channels. After a detection a channel is dead
for about 3 ns (2.97-3.07 ns in the average dead times stored with real ATL07). Early photons therefore hide later ones,
and the mean detected height is too high: the first-photon bias. :mod:`.atlas_bias` computes its correction table
(CAL-19 in the ATL03 ATBD) from the same model.

Times are in nanoseconds, heights in metres upward; one nanosecond later is ``c / 2`` = 0.1499 m lower.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

METRES_PER_NS = 0.299792458 / 2.0
FOOTPRINT_SIGMA = 11.0 / 4.0
"""Standard deviation of photon positions on the ground, m: a quarter of the 1/e2 diameter."""
SHOT_SPACING = 0.7
"""Distance between shots, m: 7 km/s at 10 kHz (Neumann et al., 2019, doi:10.1016/j.rse.2019.111325)."""
CHANNELS = {True: 16, False: 4}
MEAN_DEAD_TIME = {True: 2.98, False: 3.06}
"""Mean dead time, ns, strong and weak, as stored in real ATL07 (``fpb_avg_dt``)."""
WEAK_SHARE = 0.25
"""A weak beam has a quarter of a strong beam's energy and a quarter of its background (4 of 16 channels)."""
SPOT_GAIN = {1: 1.0, 2: 1.0, 3: 0.82, 4: 1.0, 5: 1.0, 6: 1.0}
"""Relative gain of each spot, as in NASA's ATL07 control values."""
PULSE_SIGMA, PULSE_TAIL_SHARE, PULSE_TAIL_NS = 0.58, 0.20, 0.75
"""The received pulse from a flat surface: a Gaussian of 0.58 ns, 20 % of it delayed by an exponential tail of
0.75 ns; full width at half maximum 1.4 ns, near the 1.5 ns that ATLAS sends (Neumann et al., 2019), 10-90 % width 1.8
ns."""
ECHOES = (0.45, 2.3, 4.2)
"""Depths of spurious echoes below a bright surface, m (Lu et al., 2021, doi:10.1029/2021EA001729)."""
ECHO_CHANCE = 0.006


@dataclass(frozen=True, kw_only=True)
class Photons:
    """Detected photons of one beam in time order: arrays of shape (n,).

    Attributes
    ----------
    shot : numpy.ndarray of int32
        Index of the shot.
    height : numpy.ndarray of float32
        Height above the reference that the surface was given in, m.
    channel : numpy.ndarray of uint8
        Detector channel, from 0.
    origin : numpy.ndarray of uint8
        0 background, 1 surface, 2 spurious echo of a bright surface.
    """

    shot: np.ndarray
    height: np.ndarray
    channel: np.ndarray
    origin: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The surface along the track in cells of one length: arrays of shape (cells,).

    Attributes
    ----------
    rate : numpy.ndarray
        Expected signal photons per shot of a strong beam.
    height : numpy.ndarray
        Of the surface, m.
    roughness : numpy.ndarray
        Standard deviation of height inside a cell, m.
    step : float
        Cell length, m.
    """

    rate: np.ndarray
    height: np.ndarray
    roughness: np.ndarray
    step: float


def channel_dead_times(*, is_strong: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw the dead times of a beam's channels, ns, shape (16,) or (4,): their mean is the beam's, their spread 0.05
    ns."""
    spread = 0.05 * rng.standard_normal(CHANNELS[is_strong])
    return MEAN_DEAD_TIME[is_strong] + spread - spread.mean()


def footprint_weights(step: float) -> np.ndarray:
    """Return the footprint's weights on a grid of ``step`` metres, odd length, sum one."""
    half = int(np.ceil(3.6 * FOOTPRINT_SIGMA / step))
    offsets = np.arange(-half, half + 1) * step
    weights = np.exp(-0.5 * (offsets / FOOTPRINT_SIGMA) ** 2)
    return weights / weights.sum()


def detect(
    ground: Ground,
    *,
    shot_cell: np.ndarray,
    transmission: np.ndarray,
    background: np.ndarray,
    window: tuple[np.ndarray, np.ndarray],
    dead_time: np.ndarray,
    gain: float,
    seed: np.random.SeedSequence,
) -> Photons:
    """Count photons shot by shot.

    Parameters
    ----------
    ground : Ground
        The surface under the beam.
    shot_cell : numpy.ndarray of int64, shape (shots,)
        Cell under each shot; the field must extend one footprint beyond both ends.
    transmission : numpy.ndarray, shape (shots,)
        Two-way cloud transmission.
    background : numpy.ndarray, shape (shots,)
        Background rate of this beam, Hz.
    window : tuple of two arrays, shape (shots,)
        Bottom and top of the telemetry window, m, in the frame of the ground's height.
    dead_time : numpy.ndarray, shape (channels,)
        Dead time of each channel, ns.
    gain : float
        Signal of the beam relative to a strong beam.
    seed : numpy.random.SeedSequence
        Of this beam's photons.

    Returns
    -------
    Photons
    """
    weights = footprint_weights(ground.step)
    expected = np.convolve(ground.rate, weights[::-1], mode="same")[shot_cell] * transmission * gain
    noise = background * (window[1] - window[0]) / METRES_PER_NS * 1e-9
    total = float(np.sum(expected) + np.sum(noise))
    capacity = int(1.03 * total + 8.0 * np.sqrt(total) + 4096)
    shot, z = np.empty(capacity, np.int32), np.empty(capacity, np.float32)
    channel, origin = np.empty(capacity, np.uint8), np.empty(capacity, np.uint8)
    n = _detect(
        np.ascontiguousarray(ground.rate, np.float32),
        np.ascontiguousarray(ground.height, np.float32),
        np.ascontiguousarray(ground.roughness, np.float32),
        weights,
        weights.size // 2,
        shot_cell,
        transmission * gain,
        noise,
        window[0],
        window[1],
        np.asarray(dead_time, np.float64),
        np.random.Generator(np.random.PCG64(seed)),
        shot,
        z,
        channel,
        origin,
    )
    return Photons(shot=shot[:n], height=z[:n], channel=channel[:n], origin=origin[:n])


@numba.njit(cache=True)
def _detect(  # noqa: PLR0913
    rate,
    height,
    roughness,
    weights,
    half,
    shot_cell,
    factor,
    noise,
    bottom,
    top,
    dead_time,
    rng,
    shot,
    z,
    channel,
    origin,
):
    channels = dead_time.size
    cumulative = np.empty(weights.size)
    t = np.empty(4096)
    kind = np.empty(4096, np.uint8)
    last = np.empty(channels)
    n = 0
    for k in range(shot_cell.size):
        first = shot_cell[k] - half
        total = 0.0
        for j in range(weights.size):
            total += weights[j] * rate[first + j]
            cumulative[j] = total
        signal = min(rng.poisson(total * factor[k]), 1500)
        m = _add_signal(t, kind, signal, cumulative, height, roughness, first, rng)
        if signal > channels // 2:
            m = _add_echoes(t, kind, signal, rng)
        for _ in range(min(rng.poisson(noise[k]), 1000)):
            t[m] = -(bottom[k] + rng.random() * (top[k] - bottom[k])) / METRES_PER_NS
            kind[m] = 0
            m += 1
        _sort_by_arrival(t, kind, m)
        last[:] = -1e18
        for i in range(m):
            c = int(rng.random() * channels)
            if t[i] - last[c] < dead_time[c]:
                continue
            last[c] = t[i]
            if n >= shot.size:
                break
            h = -t[i] * METRES_PER_NS
            if h < bottom[k] or h > top[k]:
                continue
            shot[n] = k
            z[n] = h
            channel[n] = c
            origin[n] = kind[i]
            n += 1
    return n


@numba.njit(cache=True)
def _add_signal(t, kind, signal, cumulative, height, roughness, first, rng):
    """Write the arrival times of one shot's photons from the footprint; return how many there are."""
    total = cumulative[-1]
    tail_mean = PULSE_TAIL_SHARE * PULSE_TAIL_NS
    for m in range(signal):
        u = rng.random() * total
        j = np.searchsorted(cumulative, u)
        j = min(j, cumulative.size - 1)
        delay = PULSE_SIGMA * rng.standard_normal() - tail_mean
        if rng.random() < PULSE_TAIL_SHARE:
            delay -= PULSE_TAIL_NS * np.log(1.0 - rng.random())
        h = height[first + j]
        if roughness[first + j] > 0.0:
            h += roughness[first + j] * rng.standard_normal()
        t[m] = delay - h / METRES_PER_NS
        kind[m] = 1
    return signal


@numba.njit(cache=True)
def _add_echoes(t, kind, signal, rng):
    """Add spurious echoes below a bright surface; return how many photons there are then."""
    m = signal
    for i in range(signal):
        if rng.random() < ECHO_CHANCE:
            t[m] = t[i] + (ECHOES[int(rng.random() * 3.0)] + 0.1 * rng.standard_normal()) / METRES_PER_NS
            kind[m] = 2
            m += 1
    return m


@numba.njit(cache=True)
def _sort_by_arrival(t, kind, m):
    """Sort the first ``m`` photons by time: an insertion sort, because one shot has few."""
    for i in range(1, m):
        ti, ki = t[i], kind[i]
        j = i - 1
        while j >= 0 and t[j] > ti:
            t[j + 1] = t[j]
            kind[j + 1] = kind[j]
            j -= 1
        t[j + 1] = ti
        kind[j + 1] = ki


FINDER_SHOTS, FINDER_BIN = 20, 0.5
"""Shots and metres of one histogram cell of the signal finder."""
FINDER_SPANS = (0, 1, 4, 10)
"""Blocks on either side that are counted with a block of shots where the block alone shows no clear surface."""


def signal_confidence(
    photons: Photons, *, shots: int, background_per_metre: np.ndarray, bottom: float, top: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return each photon's confidence, from a histogram of heights as in ATL03.

    Photons of 20 shots (of up to 420 where the signal is weak) are counted in bins of 0.5 m. The mode of the 3-bin sum
    is the surface. Adjacent bins that exceed the background by three Poisson standard deviations are signal. Their
    confidence follows from the mode: high from 12 standard deviations above the background, medium from 7, low from
    3.5. Two bins on each side are buffer. Section 5 of the ATL03 ATBD also varies the size of the bins; here, signal
    that is separated from the mode counts as noise.

    Parameters
    ----------
    photons : Photons
        Detected photons, in order of shots.
    shots : int
        Shots of the beam.
    background_per_metre : numpy.ndarray, shape (shots,)
        Expected background photons per shot and metre of window.
    bottom, top : float
        Extent of the histogram, m.

    Returns
    -------
    confidence : numpy.ndarray of int8, shape (n,)
        0 noise, 1 buffer, 2 low, 3 medium, 4 high.
    weight : numpy.ndarray of uint8, shape (n,)
        0-254, signal density in the photon's bin relative to that of the mode.
    """
    confidence = np.zeros(photons.shot.size, np.int8)
    weight = np.zeros(photons.shot.size, np.uint8)
    edges = np.searchsorted(photons.shot, np.arange(0, shots + FINDER_SHOTS, FINDER_SHOTS))
    means = np.add.reduceat(background_per_metre, np.arange(0, shots, FINDER_SHOTS)) * FINDER_BIN
    _confidence(photons.height, edges, means, bottom, int(np.ceil((top - bottom) / FINDER_BIN)) + 1, confidence, weight)
    return confidence, weight


@numba.njit(cache=True)
def _confidence(z, edges, means, bottom, bins, confidence, weight):
    blocks = means.size
    count = np.zeros(bins)
    mark = np.zeros(bins, np.int8)
    trial = np.zeros(bins, np.int8)
    for b in range(blocks):
        lo, hi = edges[b], edges[b + 1]
        if hi == lo:
            continue
        mark[:] = 0
        level, peak, mean = 0, 1.0, 0.01
        for span in FINDER_SPANS:
            first, last = max(b - span, 0), min(b + span, blocks - 1)
            count[:] = 0.0
            for i in range(edges[first], edges[last + 1]):
                count[_bin(z[i], bottom, bins)] += 1.0
            noise = 0.0
            for k in range(first, last + 1):
                noise += means[k]
            noise = max(noise, 0.01)
            found, mode = _mark(count, noise, trial)
            if found > level:
                level, peak, mean = found, count[mode], noise
                mark[:] = trial
                density = count.copy()
            if level == 4:
                break
        if level == 0:
            continue
        for i in range(lo, hi):
            j = _bin(z[i], bottom, bins)
            c = mark[j] if mark[j] > 0 else _buffer(mark, j)
            confidence[i] = c
            if c > 0:
                weight[i] = int(254.0 * min(max((density[j] - mean) / max(peak - mean, 1.0), 0.0), 1.0) ** 0.5)


@numba.njit(cache=True)
def _bin(z, bottom, bins):
    return min(max(int((z - bottom) / FINDER_BIN), 0), bins - 1)


@numba.njit(cache=True)
def _buffer(mark, j):
    """Return 1 where a signal bin lies within two bins of ``j``, else 0."""
    for o in (-2, -1, 1, 2):
        if 0 <= j + o < mark.size and mark[j + o] > 1:
            return 1
    return 0


@numba.njit(cache=True)
def _mark(count, mean, mark):
    """Mark the signal bins of one histogram; return their confidence (0 where there is none) and the mode."""
    bins = count.size
    mark[:] = 0
    best, mode = -1.0, 0
    for j in range(1, bins - 1):
        s = count[j - 1] + count[j] + count[j + 1]
        if s > best or (s == best and count[j] > count[mode]):
            best, mode = s, j
    rise = (best - 3.0 * mean) / np.sqrt(3.0 * mean)
    if best < 4.0 or rise < 3.5:
        return 0, mode
    level = 4 if rise >= 12.0 else 3 if rise >= 7.0 else 2
    threshold = max(2.0, mean + 3.0 * np.sqrt(mean))
    mark[mode] = level
    for way in (-1, 1):
        j, missed = mode + way, 0
        while 0 <= j < bins and missed < 2:
            if count[j] >= threshold:
                mark[j] = level
                missed = 0
            else:
                missed += 1
            j += way
    return level, mode


def cloud_transmission(x: np.ndarray, *, shared: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """Draw the two-way transmission of thin cloud along a track; kilometres of thick cloud leave gaps.

    Optical depth is close to a lognormal field with scales of 15, 3 and 0.4 km. Beam pairs, 3.3 km apart, share most of
    it. ATLAS detects the surface through optical depths up to about 3 (Neumann et al., 2019).

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance, m, even spacing.
    shared, own : numpy.random.Generator
        Of the granule and of the beam pair; that of the granule must be in the same state for each pair.

    Returns
    -------
    numpy.ndarray, shape (n,)
        0 to 1.
    """
    knots = np.arange(x[0], x[-1] + 50.0, 50.0)
    cloudiness = shared.uniform(-4.2, -1.7)
    field = np.zeros(knots.size)
    for scale, weight in ((300, 0.8), (60, 0.5), (8, 0.25)):
        field += weight * (0.9 * smooth_noise(knots.size, scale, shared) + 0.44 * smooth_noise(knots.size, scale, own))
    depth = np.exp(0.9 * (field + cloudiness)) + 4.0 * np.maximum(field - 1.75, 0.0)
    return np.exp(-2.0 * np.interp(x, knots, depth))


def smooth_noise(n: int, scale: int, rng: np.random.Generator) -> np.ndarray:
    """Draw ``n`` values of Gaussian noise with unit variance, correlated over ``scale`` values."""
    half = 3 * scale
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / (0.6 * scale)) ** 2)
    kernel /= np.sqrt(np.sum(kernel**2))
    return np.convolve(rng.standard_normal(n + 2 * half), kernel, mode="valid")
