"""Photons into segments: one compiled pass assigns them, another takes the sums."""

from __future__ import annotations

import numba as nb
import numpy as np

from .records import Geosegments, PhotonRuns, Reference, Segments, ShotStatistics
from .statistics import group, height_statistics, shot_statistics

MEDIUM = 3
"""Sea-ice signal confidence of photons that make heights."""
MAX_EMPTY_SHOTS = 20
"""Shots without any photon are counted while fewer than this many follow each other; more is a gap."""
BLOCK_SECONDS = 0.005
"""A background block is 50 shots at 10 kHz."""


def resample(
    photons: dict[str, np.ndarray],
    *,
    geosegments: Geosegments,
    reference: Reference,
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
    geosegments : Geosegments
        Where the photons lie.
    reference : Reference
        Height to subtract from ``h_ph``. Photons get NaN-free values or are left out.
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
    first = np.ascontiguousarray(geosegments.first, np.int64)
    count = np.ascontiguousarray(geosegments.count, np.int64)
    segment_x = np.ascontiguousarray(geosegments.x, np.float64)
    runs = isinstance(resolution_m, PhotonRuns)
    cell = 2.0 if runs else float(resolution_m)
    ref_x, ref = _sorted_reference(reference)
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
    mean, median, sd = height_statistics(heights, offsets, used)
    rank = np.full(n_cells, -1, np.int32)
    rank[used] = np.arange(used.size, dtype=np.int32)
    shot_rank = np.where(shot_cell >= 0, rank[np.maximum(shot_cell, 0)], -1) if n_cells else np.empty(0, np.int32)
    shot_order, shot_offsets = group(shot_rank, used.size)
    blocks = _blocks(shot_time, background)

    def over_shots(values: np.ndarray) -> ShotStatistics:
        mean, median, sd = shot_statistics(values, shot_order, shot_offsets)
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
        reference=base[used],
        photon_rate=over_shots(shot_all),
        photon_rate_high=over_shots(shot_high),
        background_counts=over_shots(_take(background, "bckgrd_counts", blocks)),
        background_rate=over_shots(_take(background, "bckgrd_rate", blocks)),
        heights=heights,
        offsets=np.append(offsets[used], offsets[-1]).astype(np.int64),
    )


def _sorted_reference(reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Return place and height of the reference in order along the track, missing entries left out."""
    order = np.argsort(reference.x, kind="stable")
    x = np.ascontiguousarray(reference.x[order], np.float64)
    height = np.ascontiguousarray(reference.height[order], np.float64)
    good = np.isfinite(height) & np.isfinite(x)
    return (x[good], height[good]) if good.any() else (np.zeros(1), np.zeros(1))


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
def _assign(  # noqa: C901, PLR0913
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
def _accumulate(  # noqa: C901, PLR0913
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
