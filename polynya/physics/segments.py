"""Photons to along-track segments: fixed cells (2 m by default) or runs of a fixed number of photons.

One compiled pass sorts a beam's photons into segments and takes every statistic; nothing is filtered
or smoothed across segments here. A segment's heights are kept, sorted, so that later steps can take
statistics inside a window without touching the photons again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numba as nb
import numpy as np

NOMINAL, MEDIUM = 0, 3
MAX_EMPTY_SHOTS = 20
"""Shots without any photon are counted while fewer than this many follow each other; more is a gap."""
BLOCK_SECONDS = 0.005
"""A background block is 50 shots at 10 kHz."""


@dataclass(frozen=True, kw_only=True)
class ShotStatistics:
    """Statistics over a segment's laser shots of one per-shot quantity, each of shape (n,)."""

    mean: np.ndarray
    median: np.ndarray
    sd: np.ndarray


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
    p10, p90 : numpy.ndarray, shape (n,)
        10 and 90 % quantiles of photon height above the reference.
    reference : numpy.ndarray, shape (n,)
        Mean of the reference that was subtracted: ellipsoidal mean height = mean + reference.
    photon_rate, photon_rate_high : ShotStatistics
        Photons per shot: all of nominal quality, and those in the height statistics.
    background_counts, background_rate : ShotStatistics
        Of the 50-shot block each shot falls in; rate in Hz.
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
    p10: np.ndarray
    p90: np.ndarray
    reference: np.ndarray
    photon_rate: ShotStatistics
    photon_rate_high: ShotStatistics
    background_counts: ShotStatistics
    background_rate: ShotStatistics
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


def resample(
    photons: dict[str, np.ndarray],
    *,
    first: np.ndarray,
    count: np.ndarray,
    segment_x: np.ndarray,
    reference: np.ndarray,
    reference_x: np.ndarray,
    background: dict[str, np.ndarray] | None = None,
    resolution_m: float | PhotonRuns = 2.0,
    min_confidence: int = MEDIUM,
) -> Segments:
    """Sort photons into segments and take their statistics.

    Parameters
    ----------
    photons : dict of numpy.ndarray, shape (p,)
        ``h_ph``, ``dist_ph_along``, ``lat_ph``, ``lon_ph``, ``delta_time``, ``signal_conf_ph`` (sea-ice
        column), ``quality_ph``, ``pce_mframe_cnt``, ``ph_id_pulse``.
    first, count, segment_x : numpy.ndarray, shape (g,)
        20 m segments: first photon, number of photons, along-track start in metres.
    reference, reference_x : numpy.ndarray, shape (g,)
        Height to subtract from ``h_ph`` (mean sea surface plus tides), and where it holds; linear
        between, constant beyond the ends. Photons get NaN-free values or are left out.
    background : dict of numpy.ndarray, optional
        ``delta_time``, ``bckgrd_counts``, ``bckgrd_rate`` of the 50-shot blocks, sorted by time.
    resolution_m : float or PhotonRuns
        Cell length, or the run rule.
    min_confidence : int
        Photons of at least this sea-ice confidence and nominal quality enter the height statistics.

    Returns
    -------
    Segments
    """
    p = photons
    first, count = np.ascontiguousarray(first, np.int64), np.ascontiguousarray(count, np.int64)
    segment_x = np.ascontiguousarray(segment_x, np.float64)
    runs = isinstance(resolution_m, PhotonRuns)
    cell = 2.0 if runs else float(resolution_m)
    order = np.argsort(reference_x, kind="stable")
    ref_x, ref = (
        np.ascontiguousarray(reference_x[order], np.float64),
        np.ascontiguousarray(reference[order], np.float64),
    )
    good = np.isfinite(ref) & np.isfinite(ref_x)
    ref_x, ref = (ref_x[good], ref[good]) if good.any() else (np.zeros(1), np.zeros(1))
    cell0 = np.floor(np.min(segment_x) / cell) - 50
    n_cells = int(np.floor(np.max(segment_x) / cell) - cell0) + 100
    above, cells, shot_cell, shot_all, shot_high, shot_time = _assign(
        p["h_ph"],
        p["dist_ph_along"],
        p["signal_conf_ph"],
        p["quality_ph"],
        p["pce_mframe_cnt"],
        p["ph_id_pulse"],
        p["delta_time"],
        first,
        count,
        segment_x,
        ref_x,
        ref,
        cell,
        cell0,
        n_cells,
        min_confidence,
        resolution_m.n_photons if runs else 0,
        resolution_m.max_length_m if runs else 0.0,
    )
    if runs:
        n_cells = int(cells.max()) + 1 if cells.size else 0
    sums = _accumulate(
        cells,
        above,
        p["dist_ph_along"],
        p["lat_ph"],
        p["lon_ph"],
        p["delta_time"],
        first,
        count,
        segment_x,
        ref_x,
        ref,
        n_cells,
    )
    n, x, lat, lon, t, base, x_low, x_high, heights, offsets = sums
    used = np.flatnonzero(n > 0)
    mean, median, sd, p10, p90 = _height_statistics(heights, offsets, used)
    rank = np.full(n_cells, -1, np.int32)
    rank[used] = np.arange(used.size, dtype=np.int32)
    shot_rank = np.where(shot_cell >= 0, rank[np.maximum(shot_cell, 0)], -1) if n_cells else np.empty(0, np.int32)
    shot_order, shot_offsets = _group(shot_rank, used.size)
    blocks = _blocks(shot_time, background)

    def over_shots(values: np.ndarray) -> ShotStatistics:
        mean, median, sd = _shot_statistics(values, shot_order, shot_offsets)
        return ShotStatistics(mean=mean, median=median, sd=sd)

    return Segments(
        index=(used + (0 if runs else int(cell0))).astype(np.int64),
        x_atc=x[used],
        latitude=lat[used],
        longitude=lon[used],
        delta_time=t[used],
        length=(x_high - x_low)[used].astype(np.float32) if runs else np.full(used.size, cell, np.float32),
        n_photons=n[used].astype(np.int32),
        n_shots=np.diff(shot_offsets).astype(np.int32),
        mean=mean,
        median=median,
        sd=sd,
        p10=p10,
        p90=p90,
        reference=base[used],
        photon_rate=over_shots(shot_all),
        photon_rate_high=over_shots(shot_high),
        background_counts=over_shots(_take(background, "bckgrd_counts", blocks)),
        background_rate=over_shots(_take(background, "bckgrd_rate", blocks)),
        heights=heights,
        offsets=np.append(offsets[used], offsets[-1]).astype(np.int64),
    )


def _take(background: dict[str, np.ndarray] | None, name: str, blocks: np.ndarray) -> np.ndarray:
    if background is None or background[name].size == 0:
        return np.full(blocks.size, np.nan, np.float32)
    return np.where(blocks >= 0, background[name][np.maximum(blocks, 0)], np.nan).astype(np.float32)


def _blocks(shot_time: np.ndarray, background: dict[str, np.ndarray] | None) -> np.ndarray:
    """Index of the 50-shot block each shot falls in, -1 where none is within one block."""
    if background is None or background["delta_time"].size == 0:
        return np.full(shot_time.size, -1, np.int64)
    start = np.ascontiguousarray(background["delta_time"], np.float64)
    return _nearest_block(shot_time, start, BLOCK_SECONDS)


@nb.njit(cache=True, nogil=True)
def _nearest_block(time, start, tolerance):  # pragma: no cover - compiled
    out = np.full(time.size, -1, np.int64)
    k = 0
    for i in range(time.size):
        t = time[i]
        if k >= start.size or start[k] > t + 1e-6:
            k = np.searchsorted(start, t + 1e-6) - 1
        while k + 1 < start.size and start[k + 1] <= t + 1e-6:
            k += 1
        if k < 0:
            k = 0
        if abs(t - start[k]) <= 2.0 * tolerance:
            out[i] = k
    return out


@nb.njit(cache=True, nogil=True, inline="always")
def _reference_at(x, ref_x, ref, k):  # pragma: no cover - compiled
    """Linear interpolation with a moving index k; returns the value and the new index."""
    while k + 1 < ref_x.size and ref_x[k + 1] <= x:
        k += 1
    while k > 0 and ref_x[k] > x:
        k -= 1
    if x <= ref_x[0] or ref_x.size == 1:
        return ref[0], k
    if k + 1 >= ref_x.size:
        return ref[-1], k
    f = (x - ref_x[k]) / (ref_x[k + 1] - ref_x[k])
    return ref[k] + f * (ref[k + 1] - ref[k]), k


@nb.njit(cache=True, nogil=True)
def _count_shots(mframe, pulse):  # pragma: no cover - compiled
    """Upper bound of the shots in a beam: changes of shot number, and the short runs of empty shots between them."""
    total = 2
    last = np.int64(-1)
    for i in range(mframe.size):
        this = np.int64(mframe[i]) * np.int64(200) + np.int64(pulse[i])
        if this != last:
            # a photon that is left out can hide a shot: then two short gaps make one longer one, still within this sum
            total += min(max(this - last, 1), 2 * MAX_EMPTY_SHOTS)
            last = this
    return total


@nb.njit(cache=True, nogil=True)
def _assign(
    h,
    dist,
    conf,
    quality,
    mframe,
    pulse,
    time,
    first,
    count,
    seg_x,
    ref_x,
    ref,
    cell,
    cell0,
    n_cells,
    min_conf,
    run_n,
    run_length,
):  # pragma: no cover - compiled
    """Give each photon its height above the reference and its cell (-1: not in the statistics); list the shots."""
    n = h.size
    above = np.empty(n, np.float32)
    cells = np.full(n, -1, np.int32)
    room = _count_shots(mframe, pulse)
    shot_cell = np.empty(room, np.int32)
    shot_all = np.empty(room, np.float32)
    shot_high = np.empty(room, np.float32)
    shot_time = np.empty(room, np.float64)
    n_shot = -1
    shot_id = np.int64(-1)
    last_x = 0.0
    k = 0
    run = np.int32(0)
    run_count = 0
    run_start = 0.0
    run_last = 0.0
    for g in range(first.size):
        for i in range(first[g], first[g] + count[g]):
            x = seg_x[g] + np.float64(dist[i])
            if not (np.isfinite(x) and np.isfinite(h[i]) and abs(h[i]) < 1.0e5) or quality[i] != 0 or conf[i] == -2:
                continue
            number = np.floor(x / cell) - cell0
            if number < 0 or number >= n_cells:
                continue
            value, k = _reference_at(x, ref_x, ref, k)
            above[i] = h[i] - value
            high = conf[i] >= min_conf
            if run_n > 0:
                if high:
                    if run_count > 0 and (run_count >= run_n or x - run_start > run_length or x - run_last > 50.0):
                        run += np.int32(1)
                        run_count = 0
                    if run_count == 0:
                        run_start = x
                    run_count += 1
                    run_last = x
                place = run
            else:
                place = np.int32(number)
            if high:
                cells[i] = place
            this = np.int64(mframe[i]) * np.int64(200) + np.int64(pulse[i])
            if this != shot_id:
                gap = this - shot_id
                if n_shot >= 0 and 1 < gap <= MAX_EMPTY_SHOTS and n_shot + gap < room:
                    for j in range(1, gap):
                        n_shot += 1
                        xe = last_x + (x - last_x) * j / gap
                        shot_cell[n_shot] = (
                            place if run_n > 0 else np.int32(min(max(np.floor(xe / cell) - cell0, 0.0), n_cells - 1.0))
                        )
                        shot_all[n_shot] = 0.0
                        shot_high[n_shot] = 0.0
                        shot_time[n_shot] = time[i] - 1e-4 * (gap - j)
                if n_shot + 1 < room:
                    n_shot += 1
                shot_id = this
                shot_cell[n_shot] = place
                shot_all[n_shot] = 0.0
                shot_high[n_shot] = 0.0
                shot_time[n_shot] = time[i]
                last_x = x
            shot_all[n_shot] += 1.0
            if high:
                shot_high[n_shot] += 1.0
    m = n_shot + 1
    return above, cells, shot_cell[:m].copy(), shot_all[:m].copy(), shot_high[:m].copy(), shot_time[:m].copy()


@nb.njit(cache=True, nogil=True)
def _accumulate(
    cells, above, dist, lat, lon, time, first, count, seg_x, ref_x, ref, n_cells
):  # pragma: no cover - compiled
    n = np.zeros(n_cells, np.int64)
    x_sum = np.zeros(n_cells)
    lat_sum = np.zeros(n_cells)
    lon_sum = np.zeros(n_cells)
    lon_first = np.zeros(n_cells)
    t_sum = np.zeros(n_cells)
    t_first = np.zeros(n_cells)
    base = np.zeros(n_cells)
    x_low = np.zeros(n_cells)
    x_high = np.zeros(n_cells)
    k = 0
    for g in range(first.size):
        for i in range(first[g], first[g] + count[g]):
            c = cells[i]
            if c < 0:
                continue
            x = seg_x[g] + np.float64(dist[i])
            value, k = _reference_at(x, ref_x, ref, k)
            if n[c] == 0:
                lon_first[c] = lon[i]
                t_first[c] = time[i]
                x_low[c] = x
                x_high[c] = x
            n[c] += 1
            x_sum[c] += x
            lat_sum[c] += lat[i]
            step = lon[i] - lon_first[c]
            if step > 180.0:
                step -= 360.0
            elif step < -180.0:
                step += 360.0
            lon_sum[c] += step
            t_sum[c] += time[i] - t_first[c]
            base[c] += value
            if x < x_low[c]:
                x_low[c] = x
            if x > x_high[c]:
                x_high[c] = x
    offsets = np.zeros(n_cells + 1, np.int64)
    for c in range(n_cells):
        offsets[c + 1] = offsets[c] + n[c]
        if n[c] > 0:
            x_sum[c] /= n[c]
            lat_sum[c] /= n[c]
            east = lon_first[c] + lon_sum[c] / n[c]
            lon_sum[c] = east - 360.0 if east >= 180.0 else east + 360.0 if east < -180.0 else east
            t_sum[c] = t_first[c] + t_sum[c] / n[c]
            base[c] /= n[c]
    heights = np.empty(offsets[n_cells], np.float32)
    place = offsets[:-1].copy()
    for g in range(first.size):
        for i in range(first[g], first[g] + count[g]):
            c = cells[i]
            if c >= 0:
                heights[place[c]] = above[i]
                place[c] += 1
    return n, x_sum, lat_sum, lon_sum, t_sum, base, x_low, x_high, heights, offsets


@nb.njit(cache=True, nogil=True, inline="always")
def _sort(a):  # pragma: no cover - compiled
    """Insertion sort: faster than a general one for the few values a segment holds."""
    if a.size > 64:
        a.sort()
        return
    for i in range(1, a.size):
        v = a[i]
        j = i - 1
        while j >= 0 and a[j] > v:
            a[j + 1] = a[j]
            j -= 1
        a[j + 1] = v


@nb.njit(cache=True, nogil=True, inline="always")
def _quantile(a, q):  # pragma: no cover - compiled
    """Linear quantile of a sorted array (Hyndman and Fan's type 7, as numpy's default)."""
    place = q * (a.size - 1)
    low = int(place)
    high = min(low + 1, a.size - 1)
    return a[low] + (place - low) * (a[high] - a[low])


@nb.njit(cache=True, nogil=True)
def _height_statistics(heights, offsets, used):  # pragma: no cover - compiled
    m = used.size
    mean = np.empty(m, np.float32)
    median = np.empty(m, np.float32)
    sd = np.empty(m, np.float32)
    p10 = np.empty(m, np.float32)
    p90 = np.empty(m, np.float32)
    for k in range(m):
        a = heights[offsets[used[k]] : offsets[used[k] + 1]]
        _sort(a)
        s = 0.0
        for v in a:
            s += v
        s /= a.size
        q = 0.0
        for v in a:
            q += (v - s) * (v - s)
        mean[k] = s
        sd[k] = np.sqrt(q / a.size)
        median[k] = _quantile(a, 0.5)
        p10[k] = _quantile(a, 0.1)
        p90[k] = _quantile(a, 0.9)
    return mean, median, sd, p10, p90


@nb.njit(cache=True, nogil=True)
def _group(rank, n):  # pragma: no cover - compiled
    """Counting sort: positions grouped by rank, and the offsets of the groups; negative ranks left out."""
    offsets = np.zeros(n + 1, np.int64)
    for r in rank:
        if r >= 0:
            offsets[r + 1] += 1
    for k in range(n):
        offsets[k + 1] += offsets[k]
    place = offsets[:-1].copy()
    order = np.empty(offsets[n], np.int64)
    for i in range(rank.size):
        r = rank[i]
        if r >= 0:
            order[place[r]] = i
            place[r] += 1
    return order, offsets


@nb.njit(cache=True, nogil=True)
def _shot_statistics(values, order, offsets):  # pragma: no cover - compiled
    m = offsets.size - 1
    mean = np.full(m, np.nan, np.float32)
    median = np.full(m, np.nan, np.float32)
    sd = np.full(m, np.nan, np.float32)
    scratch = np.empty(64, np.float32)
    for k in range(m):
        size = offsets[k + 1] - offsets[k]
        if size == 0:
            continue
        if size > scratch.size:
            scratch = np.empty(2 * size, np.float32)
        a = scratch[:size]
        s = 0.0
        for j in range(size):
            a[j] = values[order[offsets[k] + j]]
            s += a[j]
        if np.isnan(s):
            continue
        s /= size
        q = 0.0
        for v in a:
            q += (v - s) * (v - s)
        _sort(a)
        mean[k] = s
        sd[k] = np.sqrt(q / size)
        median[k] = _quantile(a, 0.5)
    return mean, median, sd


def window_statistics(
    segments: Segments, *, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Take statistics of each segment's photons inside a height window.

    Parameters
    ----------
    segments : Segments
    low, high : numpy.ndarray, shape (n,)
        Window above the reference, metres.

    Returns
    -------
    n, mean, sd, p10, p90 : numpy.ndarray, shape (n,)
        Photons inside and their statistics; NaN where none is inside. sd is the population's.
    """
    return _window(
        segments.heights,
        segments.offsets,
        np.ascontiguousarray(low, np.float64),
        np.ascontiguousarray(high, np.float64),
    )


@nb.njit(cache=True, nogil=True)
def _window(heights, offsets, low, high):  # pragma: no cover - compiled
    m = offsets.size - 1
    count = np.zeros(m, np.int32)
    mean = np.full(m, np.nan, np.float32)
    sd = np.full(m, np.nan, np.float32)
    p10 = np.full(m, np.nan, np.float32)
    p90 = np.full(m, np.nan, np.float32)
    for k in range(m):
        a = heights[offsets[k] : offsets[k + 1]]
        i = 0
        while i < a.size and a[i] < low[k]:
            i += 1
        j = a.size
        while j > i and a[j - 1] > high[k]:
            j -= 1
        size = j - i
        count[k] = size
        if size == 0:
            continue
        w = a[i:j]
        s = 0.0
        for v in w:
            s += v
        s /= size
        q = 0.0
        for v in w:
            q += (v - s) * (v - s)
        mean[k] = s
        sd[k] = np.sqrt(q / size)
        p10[k] = _quantile(w, 0.1)
        p90[k] = _quantile(w, 0.9)
    return count, mean, sd, p10, p90


def select(segments: Segments, *, low: int, high: int) -> Segments:
    """Return the segments whose index lies in ``low <= index < high``; the index must increase."""
    a, b = np.searchsorted(segments.index, (low, high))
    return _slice(segments, int(a), int(b))


def _slice(segments: Segments, a: int, b: int) -> Segments:
    parts = {}
    for field in fields(Segments):
        value = getattr(segments, field.name)
        if field.name == "heights":
            value = value[segments.offsets[a] : segments.offsets[b]]
        elif field.name == "offsets":
            value = value[a : b + 1] - value[a]
        elif isinstance(value, ShotStatistics):
            value = ShotStatistics(mean=value.mean[a:b], median=value.median[a:b], sd=value.sd[a:b])
        else:
            value = value[a:b]
        parts[field.name] = value
    return Segments(**parts)


def concatenate(pieces: Sequence[Segments]) -> Segments:
    """Join segments of consecutive stretches, in order along the track."""
    if len(pieces) == 1:
        return pieces[0]
    parts = {}
    for field in fields(Segments):
        values = [getattr(p, field.name) for p in pieces]
        if field.name == "offsets":
            ends = np.cumsum([0] + [int(v[-1]) for v in values])
            parts["offsets"] = np.concatenate(
                [v[:-1] + e for v, e in zip(values, ends[:-1], strict=True)] + [ends[-1:]]
            )
        elif isinstance(values[0], ShotStatistics):
            parts[field.name] = ShotStatistics(
                **{n: np.concatenate([getattr(v, n) for v in values]) for n in ("mean", "median", "sd")}
            )
        else:
            parts[field.name] = np.concatenate(values)
    return Segments(**parts)
