"""The loops of :mod:`polynya.physics.waveform_features`, compiled. Each is small, so that it compiles fast.

Echoes come without their missing gates: row i of ``v`` holds ``size[i]`` values, row i of ``g`` their gates, and
``peak[i]`` is the place of the largest value, -1 where none is above zero.
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
SHARE = 1.0 / SMOOTHING
EDGE_GATES = 3
"""Gates after the largest one that the search for the first maximum may need."""
SLOPE_GATES = 30
LATE_FIRST, LATE_LAST = 50, 70
PROMINENCE, APART = 0.05, 5


@compiled.kernel
def compact(power, v, g, size, peak, flag):  # pragma: no cover - compiled
    """Copy the gates that have a value, and find the largest: ``flag`` gets bits 1, 2 and 4 of the features' flags."""
    for i in range(power.shape[0]):
        n, p, total, bits = 0, 0, 0.0, 0
        for k in range(power.shape[1]):
            x = power[i, k]
            if not np.isnan(x):
                v[i, n] = x
                g[i, n] = k
                if x > v[i, p]:
                    p = n
                if x < 0.0:
                    bits |= 4
                total += x
                n += 1
        if n < power.shape[1]:
            bits |= 2
        size[i] = n
        peak[i] = p
        if n < 2 or not total > 0.0:
            peak[i] = -1
            bits |= 1
        flag[i] = bits


@compiled.kernel
def sums(v, g, size, peak, out):  # noqa: C901  # pragma: no cover - compiled
    """Fill columns 0 to 15 of ``out``: power, place, peakinesses, noise, offset centre of gravity, shares, kurtosis."""
    for i in range(v.shape[0]):
        p = peak[i]
        if p < 0:
            continue
        n = size[i]
        m = v[i, p]
        s1, s2, s4, first = 0.0, 0.0, 0.0, 0.0
        for k in range(n):
            x = v[i, k]
            q = x * x
            s1 += x
            s2 += q
            s4 += q * q
            first += g[i, k] * q
        left, near3, near5 = 0.0, m, m
        for k in range(p):
            left += v[i, k]
        k = p - 1
        while k >= 0 and g[i, p] - g[i, k] <= 5:
            near5 += v[i, k]
            near3 += v[i, k] if g[i, p] - g[i, k] <= 3 else 0.0
            k -= 1
        from35, from100, late, n_late = 0.0, 0.0, 0.0, 0
        k = p + 1
        while k < n and g[i, k] - g[i, p] < 35:
            if g[i, k] - g[i, p] <= 5:
                near5 += v[i, k]
                near3 += v[i, k] if g[i, k] - g[i, p] <= 3 else 0.0
            k += 1
        while k < n:
            away = g[i, k] - g[i, p]
            from35 += v[i, k]
            if LATE_FIRST <= away <= LATE_LAST:
                late += v[i, k]
                n_late += 1
            if away >= 100:
                from100 += v[i, k]
            k += 1
        noise, n_noise, k = 0.0, 0, 0
        while k < n and g[i, k] < NOISE_END:
            if g[i, k] >= NOISE_FIRST:
                noise += v[i, k]
                n_noise += 1
            k += 1
        noise = noise / n_noise if n_noise > 0 else np.nan
        mean = s1 / n
        above, n_above, second, fourth = 0.0, 0, 0.0, 0.0
        for k in range(n):
            x = v[i, k]
            above += x if x > noise else 0.0
            n_above += 1 if x > noise else 0
            q = (x - mean) * (x - mean)
            second += q
            fourth += q * q
        out[i, 0] = m
        out[i, 1] = g[i, p]
        out[i, 2] = 128.0 * m / s1
        out[i, 3] = m * n_above / above if n_above > 0 else np.nan
        out[i, 4] = n * m / s1
        out[i, 5] = noise
        out[i, 6] = np.sqrt(s4 / s2)
        out[i, 7] = s2 * s2 / s4
        out[i, 8] = first / s2
        out[i, 9] = late / n_late / m if n_late > 0 else np.nan
        out[i, 10] = left / s1
        out[i, 11] = near3 / s1
        out[i, 12] = near5 / s1
        out[i, 13] = from35 / m
        out[i, 14] = from100 / m
        out[i, 15] = n * fourth / (second * second) if second > 0.0 else np.nan


@compiled.kernel
def crossings(v, g, size, peak, shares, steps, out):  # pragma: no cover - compiled
    """Fill ``out`` (n, levels) with where the echo first falls to shares of its largest value, going by ``steps``."""
    for i in range(v.shape[0]):
        if peak[i] < 0:
            continue
        for j in range(shares.size):
            level, step = shares[j] * v[i, peak[i]], steps[j]
            k = peak[i]
            while 0 <= k + step < size[i]:
                if v[i, k + step] <= level:
                    part = (v[i, k] - level) / (v[i, k] - v[i, k + step])
                    out[i, j] = g[i, k] + part * (g[i, k + step] - g[i, k])
                    break
                k += step


@compiled.kernel
def slopes(v, g, size, peak, out):  # pragma: no cover - compiled
    """Fill ``out`` (n,) with least-squares slopes of ln w per gate after the largest gate, where w > 0."""
    for i in range(v.shape[0]):
        p = peak[i]
        if p < 0:
            continue
        n, sx, sy, sxx, sxy = 0, 0.0, 0.0, 0.0, 0.0
        for k in range(p + 1, size[i]):
            x = float(g[i, k] - g[i, p])
            if x > SLOPE_GATES:
                break
            if v[i, k] > 0.0:
                y = np.log(v[i, k])
                n += 1
                sx += x
                sy += y
                sxx += x * x
                sxy += x * y
        below = n * sxx - sx * sx
        if n >= 3 and below > 0.0:
            out[i] = (n * sxy - sx * sy) / below


@compiled.part
def _between(samples, v, g, i, k):  # pragma: no cover - compiled
    """Fill in the samples from one gate to just before the next."""
    first, count = OVERSAMPLING * (g[i, k] - g[i, 0]), OVERSAMPLING * (g[i, k + 1] - g[i, k])
    rise = (v[i, k + 1] - v[i, k]) / count
    for j in range(count):
        samples[0, first + j] = v[i, k] + j * rise


@compiled.kernel
def leading_edges(v, g, size, peak, shares, samples, out):  # noqa: C901  # pragma: no cover - compiled
    """Fill ``out`` (n, 1 + levels): the first maximum of the smoothed echo, and where it falls to shares of that.

    ``samples`` (2, 10 gates + 1) is room to work in: the echo at tenths of a gate, and its running mean; both are
    filled around the leading edge only. ``shares`` rise.
    """
    half = SMOOTHING // 2
    for i in range(v.shape[0]):
        p = peak[i]
        if p < 0:
            continue
        least, last, q = FIRST_MAXIMUM * v[i, p], p, 0
        while last < size[i] - 1 and g[i, last] - g[i, p] < EDGE_GATES:
            last += 1
        while v[i, q] < least:
            q += 1
        end = OVERSAMPLING * (g[i, last] - g[i, 0]) + 1
        samples[0, end - 1] = v[i, last]
        from_gate = max(q - 3, 0)
        to_gate = from_gate
        begin = max(OVERSAMPLING * (g[i, max(q - 1, 0)] - g[i, 0]) - half, 0)
        added = max(begin - half, 0)
        dropped, total, top, k = added, 0.0, -1, begin
        same = ROUNDING * least
        while k < end and top < 0:
            while to_gate < last and OVERSAMPLING * (g[i, to_gate] - g[i, 0]) <= k + half:
                _between(samples, v, g, i, to_gate)
                to_gate += 1
            while added < end and added <= k + half:
                total += samples[0, added]
                added += 1
            if dropped < k - half:
                total -= samples[0, dropped]
                dropped += 1
            inside = added - dropped
            samples[1, k] = total * SHARE if inside == SMOOTHING else total / inside
            if k > begin + 1:
                here = samples[1, k - 1]
                if here >= least and here - samples[1, k - 2] > same and samples[1, k] - here <= same:
                    top = k - 1
            k += 1
        if top < 0:
            continue
        out[i, 0] = g[i, 0] + top / OVERSAMPLING
        height, k, total = samples[1, top], begin, 0.0
        for j in range(max(begin - half, 0), min(begin + half, end - 1) + 1):
            total += samples[0, j]
        while k > 0 and samples[1, k] > shares[0] * height:
            k -= 1
            if k >= half:
                while from_gate > 0 and OVERSAMPLING * (g[i, from_gate] - g[i, 0]) > k - half:
                    from_gate -= 1
                    _between(samples, v, g, i, from_gate)
                total += samples[0, k - half]
            if k + half + 1 < end:
                total -= samples[0, k + half + 1]
            inside = min(k + half, end - 1) - max(k - half, 0) + 1
            samples[1, k] = total / inside
        lowest, k = k, top
        for j in range(shares.size - 1, -1, -1):
            level = shares[j] * height
            while k > lowest and samples[1, k - 1] > level:
                k -= 1
            if k > lowest:
                part = (samples[1, k] - level) / (samples[1, k] - samples[1, k - 1])
                out[i, 1 + j] = g[i, 0] + (k - part) / OVERSAMPLING


@compiled.kernel
def peaks(v, size, peak, low, places, kept, out):  # noqa: C901  # pragma: no cover - compiled
    """Fill ``out`` (n,) with numbers of local maxima: thinned to a distance, the highest first, then by prominence.

    ``low`` (n,) is the smallest value; ``places`` and ``kept`` (gates,) are room to work in.
    """
    for i in range(v.shape[0]):
        if peak[i] < 0:
            continue
        n, k, end = 0, 1, size[i] - 1
        least = PROMINENCE * v[i, peak[i]]
        while k < end:
            if v[i, k - 1] < v[i, k]:
                ahead = k + 1
                while ahead < end and v[i, ahead] == v[i, k]:
                    ahead += 1
                if v[i, ahead] < v[i, k]:
                    if v[i, k] - low[i] >= least:  # a lower one neither counts nor removes one that does
                        places[n] = (k + ahead - 1) // 2
                        kept[n] = 1
                        n += 1
                    k = ahead
            k += 1
        is_open = True
        while is_open:  # the highest of its open neighbours stays and removes them; of equal ones the last
            is_open = False
            for j in range(n):
                if kept[j] != 1:
                    continue
                state, height = 2, v[i, places[j]]
                b = j - 1
                while b >= 0 and places[j] - places[b] < APART:
                    if kept[b] == 2:
                        state = 0
                    elif kept[b] == 1 and v[i, places[b]] > height:
                        state = min(state, 1)
                    b -= 1
                b = j + 1
                while b < n and places[b] - places[j] < APART:
                    if kept[b] == 2:
                        state = 0
                    elif kept[b] == 1 and v[i, places[b]] >= height:
                        state = min(state, 1)
                    b += 1
                kept[j] = state
                is_open = is_open or state == 1
        count = 0
        for j in range(n):
            if kept[j] != 2:
                continue
            height = v[i, places[j]]
            left, right = height, height
            k = places[j]
            while k >= 0 and v[i, k] <= height and height - left < least:
                left = min(left, v[i, k])
                k -= 1
            k = places[j]
            while k <= end and v[i, k] <= height and height - right < least:
                right = min(right, v[i, k])
                k += 1
            if height - max(left, right) >= least:
                count += 1
        out[i] = count
