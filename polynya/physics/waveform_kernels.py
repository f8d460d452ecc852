"""The loops of :mod:`polynya.physics.waveform_features`, compiled: one pass over the echoes, all features of each.

An echo is first copied without its missing gates: values v and their gates g, both of length n.
"""

from __future__ import annotations

import numpy as np

from .. import compiled

NOISE_FIRST, NOISE_END = 10, 20
OVERSAMPLING, SMOOTHING = 10, 11
"""Samples per gate, and samples in the running mean, of the echo in which the first maximum is sought."""
FIRST_MAXIMUM = 0.15
"""Share of the largest value that a first maximum must have."""
ROUNDING = 1e-9
"""Smaller differences, as a share, are those of the running sum's rounding."""
EDGE_GATES = 3
"""Gates after the largest one that the search for the first maximum may need."""
SLOPE_GATES = 30
LATE_FIRST, LATE_LAST = 50, 70
PROMINENCE, APART = 0.05, 5


@compiled.part
def _crossing(v, g, start, step, level):  # pragma: no cover - compiled
    """Return where the echo first falls to a level, going from ``start``; NaN if it does not."""
    k = start
    found = np.nan
    while 0 <= k + step < v.size:
        if v[k + step] <= level:
            found = g[k] + (v[k] - level) / (v[k] - v[k + step]) * (g[k + step] - g[k])
            break
        k += step
    return found


@compiled.part
def _slope(v, g, p):  # pragma: no cover - compiled
    """Return the least-squares slope of ln w per gate over the gates after the largest one, where w > 0."""
    n, sx, sy, sxx, sxy = 0, 0.0, 0.0, 0.0, 0.0
    for k in range(p + 1, v.size):
        x = float(g[k] - g[p])
        if x > SLOPE_GATES:
            break
        if v[k] > 0.0:
            y = np.log(v[k])
            n += 1
            sx += x
            sy += y
            sxx += x * x
            sxy += x * y
    below = n * sxx - sx * sx
    return (n * sxy - sx * sy) / below if n >= 3 and below > 0.0 else np.nan


@compiled.part
def _oversample(v, g, samples, last):  # pragma: no cover - compiled
    """Fill ``samples`` with the echo at tenths of a gate, linear between gates, up to gate index ``last``."""
    n = 0
    for k in range(last):
        steps = OVERSAMPLING * (g[k + 1] - g[k])
        rise = (v[k + 1] - v[k]) / steps
        for i in range(steps):
            samples[n] = v[k] + i * rise
            n += 1
    samples[n] = v[last]
    return n + 1


@compiled.part
def _smooth(samples, n, out):  # pragma: no cover - compiled
    """Fill ``out`` with the running mean of :data:`SMOOTHING` samples; fewer at the ends."""
    half = SMOOTHING // 2
    s, inside = 0.0, 0
    for k in range(min(half, n)):
        s += samples[k]
        inside += 1
    for k in range(n):
        if k + half < n:
            s += samples[k + half]
            inside += 1
        if k - half - 1 >= 0:
            s -= samples[k - half - 1]
            inside -= 1
        out[k] = s / inside


@compiled.part
def _first_maximum(smooth, n, least):  # pragma: no cover - compiled
    """Return the first sample that is higher than the one before, not lower than the next, and high enough; or -1."""
    found = -1
    same = ROUNDING * least
    for k in range(1, n - 1):
        if smooth[k] >= least and smooth[k] - smooth[k - 1] > same and smooth[k + 1] - smooth[k] <= same:
            found = k
            break
    return found


@compiled.part
def _back_to(smooth, start, level):  # pragma: no cover - compiled
    """Return the place, in samples, where the smoothed echo falls to a level going back from ``start``; or NaN."""
    found = np.nan
    k = start
    while k > 0:
        if smooth[k - 1] <= level:
            found = k - (smooth[k] - level) / (smooth[k] - smooth[k - 1])
            break
        k -= 1
    return found


@compiled.part
def _count_peaks(v, top, places, kept):  # pragma: no cover - compiled
    """Count local maxima: thinned to a distance, the highest first, then by their prominence."""
    n, k = 0, 1
    while k < v.size - 1:
        if v[k - 1] < v[k]:
            ahead = k + 1
            while ahead < v.size - 1 and v[ahead] == v[k]:
                ahead += 1
            if v[ahead] < v[k]:
                places[n] = (k + ahead - 1) // 2
                kept[n] = 1
                n += 1
                k = ahead
        k += 1
    done = 0
    while done < n:  # the highest that is not yet settled removes its neighbours
        best = -1
        for i in range(n):
            if kept[i] == 1 and (best < 0 or v[places[i]] >= v[places[best]]):
                best = i
        if best < 0:
            break
        kept[best] = 2
        done += 1
        i = best - 1
        while i >= 0 and places[best] - places[i] < APART:
            if kept[i] == 1:
                kept[i] = 0
            i -= 1
        i = best + 1
        while i < n and places[i] - places[best] < APART:
            if kept[i] == 1:
                kept[i] = 0
            i += 1
    count = 0
    for i in range(n):
        if kept[i] == 2:
            here = places[i]
            left = v[here]
            j = here
            while j >= 0 and v[j] <= v[here]:
                left = min(left, v[j])
                j -= 1
            right = v[here]
            j = here
            while j < v.size and v[j] <= v[here]:
                right = min(right, v[j])
                j += 1
            if v[here] - max(left, right) >= PROMINENCE * top:
                count += 1
    return count


@compiled.part
def _compact(w, fill, v, g):  # pragma: no cover - compiled
    """Copy the gates that have a value; return their number."""
    n = 0
    for k in range(w.size):
        x = float(w[k])
        if x != fill and not np.isnan(x):
            v[n] = x
            g[n] = k
            n += 1
    return n


@compiled.part
def _sums(v, g, p, out):  # pragma: no cover - compiled
    """Fill in what sums over all gates give; return the sum."""
    s1, s2, s3, s4, first, left, right = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    near3, near5, from35, from100, late, n_late = 0.0, 0.0, 0.0, 0.0, 0.0, 0
    for k in range(v.size):
        x = v[k]
        away = g[k] - g[p]
        q = x * x
        s1 += x
        s2 += q
        s3 += q * x
        s4 += q * q
        first += g[k] * q
        if away < 0:
            left += x
        elif away > 0:
            right += x
        if -3 <= away <= 3:
            near3 += x
        if -5 <= away <= 5:
            near5 += x
        if away >= 35:
            from35 += x
        if away >= 100:
            from100 += x
        if LATE_FIRST <= away <= LATE_LAST:
            late += x
            n_late += 1
    m = v[p]
    out[3] = 128.0 * m / s1
    out[5] = v.size * m / s1
    out[6] = out[5] / 256.0
    out[8] = np.sqrt(s4 / s2)
    out[9] = s2 * s2 / s4
    out[10] = first / s2
    out[16] = late / n_late / m if n_late > 0 else np.nan
    out[17] = left / s1
    out[18] = right / s1
    out[19] = left / right if right > 0.0 else np.nan
    out[20] = near3 / s1
    out[21] = near5 / s1
    out[22] = from35 / m
    out[23] = from100 / m
    return s1


@compiled.part
def _noise(v, g, out):  # pragma: no cover - compiled
    """Fill in the noise and the peakiness over the gates above it."""
    s, n = 0.0, 0
    for k in range(v.size):
        if NOISE_FIRST <= g[k] < NOISE_END:
            s += v[k]
            n += 1
    out[7] = s / n if n > 0 else np.nan
    above, n_above, top = 0.0, 0, v[0]
    for k in range(v.size):
        top = max(top, v[k])
        if v[k] > out[7]:
            above += v[k]
            n_above += 1
    out[4] = top / (above / n_above) if n_above > 0 else np.nan


@compiled.part
def _kurtosis(v, mean):  # pragma: no cover - compiled
    second, fourth = 0.0, 0.0
    for x in v:
        q = (x - mean) * (x - mean)
        second += q
        fourth += q * q
    return v.size * fourth / (second * second) if second > 0.0 else np.nan


@compiled.part
def _edge(v, g, p, samples, out):  # pragma: no cover - compiled
    """Fill in the first maximum of the smoothed echo and the widths of the leading edge before it."""
    last = p
    while last < v.size - 1 and g[last] - g[p] < EDGE_GATES:
        last += 1
    n = _oversample(v, g, samples[0], last)
    _smooth(samples[0], n, samples[1])
    top = _first_maximum(samples[1], n, FIRST_MAXIMUM * v[p])
    out[11] = out[12] = out[13] = np.nan
    if top >= 0:
        height = samples[1, top]
        out[13] = g[0] + top / OVERSAMPLING
        a = _back_to(samples[1], top, 0.05 * height)
        b = _back_to(samples[1], top, 0.95 * height)
        out[11] = (b - a) / OVERSAMPLING
        a = _back_to(samples[1], top, 0.3 * height)
        b = _back_to(samples[1], top, 0.7 * height)
        out[12] = (b - a) / OVERSAMPLING


@compiled.kernel
def all_features(
    waveform, scale, agc, fill, saturation, values, samples, places, out, flag
):  # pragma: no cover - compiled
    """Fill ``out`` (n, features) and ``flag`` (n,); the columns are those of ``waveform_features.FEATURES``.

    ``values`` (gates,), ``samples`` (2, 10 gates + 1) and ``places`` (3, gates) are room to work in.
    """
    for i in range(waveform.shape[0]):
        n = _compact(waveform[i], fill, values, places[0])
        v, g = values[:n], places[0, :n]
        bits = 0 if n == waveform.shape[1] else 2
        p = 0
        for k in range(n):
            if v[k] > v[p]:
                p = k
            if v[k] < 0.0:
                bits |= 4
        out[i, :] = np.nan
        total = _sums(v, g, p, out[i]) if n > 1 and v[p] > 0.0 else 0.0
        if not total > 0.0:
            out[i, :] = np.nan
            flag[i] = bits | 1
            continue
        m = v[p]
        out[i, 0] = m * scale[i]
        out[i, 1] = 10.0 * np.log10(m * scale[i]) + agc[i]
        out[i, 2] = g[p]
        _noise(v, g, out[i])
        _edge(v, g, p, samples, out[i])
        out[i, 14] = _slope(v, g, p)
        out[i, 15] = _crossing(v, g, p, 1, 0.3 * m) - _crossing(v, g, p, 1, 0.7 * m)
        out[i, 24] = _crossing(v, g, p, 1, 0.5 * m) - _crossing(v, g, p, -1, 0.5 * m)
        out[i, 25] = _count_peaks(v, m, places[1], places[2])
        out[i, 26] = _kurtosis(v, total / n)
        saturated = 0
        for x in v:
            if x >= saturation:
                saturated += 1
        out[i, 27] = saturated if not np.isnan(saturation) else np.nan
        if np.isnan(out[i, 4]):
            bits |= 8
        if np.isnan(out[i, 11]):
            bits |= 16
        if saturated > 0:
            bits |= 32
        out[i, 7] *= scale[i]
        out[i, 8] *= scale[i]
        flag[i] = bits
