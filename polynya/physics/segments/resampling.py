"""Photons into segments: one compiled pass assigns them and takes the sums."""

from __future__ import annotations

import numpy as np

from ... import compiled
from .records import Geosegments, PhotonRuns, Reference, Segments
from .statistics import height_statistics

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
    start, counts, rates = _blocks(background)
    h = np.ascontiguousarray(p["h_ph"])
    most = h.size // resolution_m.n_photons + 1 if runs else 0  # a run ends after n_photons, or after metres
    above, cells, sums = np.empty(h.size, np.float32), np.full(h.size, -1, np.int32), np.zeros((n_cells + most, 15))
    _assign(
        h,
        *(np.ascontiguousarray(p[name]) for name in PHOTONS),
        first,
        count,
        segment_x,
        ref_x,
        ref,
        start,
        counts,
        rates,
        cell,
        cell0,
        n_cells,
        min_confidence,
        resolution_m.n_photons if runs else 0,
        float(resolution_m.max_length_m) if runs else 0.0,
        above,
        cells,
        sums,
    )
    used = np.flatnonzero(sums[:, N] > 0.0)
    n_photons = sums[used, N].astype(np.int32)
    offsets, heights = _heights_by_cell(cells, above, used, n_photons)
    mean, median, sd = height_statistics(heights, offsets)
    x, latitude, longitude, delta_time, base = np.empty((5, used.size))
    rates_by_shot, n_shots = np.empty((4, used.size), np.float32), np.empty(used.size, np.int32)
    length = np.empty(used.size, np.float32)
    _columns(sums, used, cell, runs, x, latitude, longitude, delta_time, base, rates_by_shot, n_shots, length)
    return Segments(
        index=used + (0 if runs else int(cell0)),
        x_atc=x,
        latitude=latitude,
        longitude=longitude,
        delta_time=delta_time,
        length=length,
        n_photons=n_photons,
        n_shots=n_shots,
        mean=mean,
        median=median,
        sd=sd,
        reference=base,
        photon_rate=rates_by_shot[0],
        photon_rate_high=rates_by_shot[1],
        background_counts=rates_by_shot[2],
        background_rate=rates_by_shot[3],
        heights=heights,
        offsets=offsets,
    )


PHOTONS = (
    "dist_ph_along",
    "signal_conf_ph",
    "quality_ph",
    "pce_mframe_cnt",
    "ph_id_pulse",
    "lat_ph",
    "lon_ph",
    "delta_time",
)
"""What is taken of photons beside their height."""


def _sorted_reference(reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Return place and height of the reference in order along the track, missing entries left out."""
    order = np.argsort(reference.x, kind="stable")
    x = np.ascontiguousarray(reference.x[order], np.float64)
    height = np.ascontiguousarray(reference.height[order], np.float64)
    good = np.isfinite(height) & np.isfinite(x)
    return (x[good], height[good]) if good.any() else (np.zeros(1), np.zeros(1))


def _blocks(background: dict[str, np.ndarray] | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return start, counts and rate of the 50-shot blocks; no block where there is no background."""
    if background is None or background["delta_time"].size == 0:
        return np.empty(0), np.empty(0, np.float32), np.empty(0, np.float32)
    return (
        np.ascontiguousarray(background["delta_time"], np.float64),
        np.asarray(background["bckgrd_counts"]).astype(np.float32),
        np.asarray(background["bckgrd_rate"]).astype(np.float32),
    )


N, X, LAT, LON, LON_FIRST, TIME, TIME_FIRST, BASE, X_LOW, X_HIGH, SHOTS, ALL, HIGH, COUNTS, RATES = range(15)
"""Columns of a cell's sums: over its photons, then over its shots."""


@compiled.part
def _block_at(time, start, k, tolerance):  # pragma: no cover - compiled
    """Index of the 50-shot block that a shot falls in, -1 where none is near; and where the search goes on."""
    if start.size == 0:
        return -1, k
    if start[k] > time + 1e-6:
        k = max(np.searchsorted(start, time + 1e-6) - 1, 0)
    while k + 1 < start.size and start[k + 1] <= time + 1e-6:
        k += 1
    return (k if abs(time - start[k]) <= 2.0 * tolerance else -1), k


@compiled.part
def _add_shot(sums, c, n_all, n_high, block, counts, rates):  # pragma: no cover - compiled
    sums[c, SHOTS] += 1.0
    sums[c, ALL] += n_all
    sums[c, HIGH] += n_high
    sums[c, COUNTS] += counts[block] if block >= 0 else np.nan
    sums[c, RATES] += rates[block] if block >= 0 else np.nan


@compiled.part
def _put(sums, c, n, x, lat, lon, time, base):  # pragma: no cover - compiled
    sums[c, N], sums[c, X], sums[c, LAT] = n, x, lat
    sums[c, LON], sums[c, TIME], sums[c, BASE] = lon, time, base


@compiled.kernel
def _assign(  # noqa: C901, PLR0913
    h,
    dist,
    conf,
    quality,
    mframe,
    pulse,
    lat,
    lon,
    time,
    first,
    count,
    seg_x,
    ref_x,
    ref,
    block_start,
    block_counts,
    block_rates,
    cell,
    cell0,
    n_cells,
    min_conf,
    run_n,
    run_length,
    above,
    cells,
    sums,
):  # pragma: no cover - compiled
    """Give each photon its height above the reference and its cell (-1: not in the statistics); sum up cells and shots.

    One pass: a shot is added to the cell of its first photon when the next one begins, with the empty shots between.
    """
    room = sums.shape[0]
    shot_id = np.int64(-1)
    shot_cell = np.int32(-1)
    shot_all = 0.0
    shot_high = 0.0
    shot_time = 0.0
    last_x = 0.0
    block = 0
    half = cell == 2.0
    interval = 0
    x0, x1, y0, y1 = np.inf, -np.inf, 0.0, 0.0
    run = np.int32(0)
    run_count = 0
    run_start = 0.0
    run_last = 0.0
    held = np.int32(-1)
    n_in, x_sum, lat_sum, lon_sum, lon_first, time_sum, time_first, base = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for g in range(first.size):
        for i in range(first[g], first[g] + count[g]):
            x = seg_x[g] + np.float64(dist[i])
            if not (np.isfinite(x) and np.isfinite(h[i]) and abs(h[i]) < 1.0e5) or quality[i] != 0 or conf[i] == -2:
                continue
            number = np.floor(x * 0.5 if half else x / cell) - cell0
            if number < 0 or number >= n_cells:
                continue
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
                place = min(run, np.int32(room - 1))
            else:
                place = np.int32(number)
            this = np.int64(mframe[i]) * np.int64(200) + np.int64(pulse[i])
            if this != shot_id:
                if shot_cell >= 0:
                    b, block = _block_at(shot_time, block_start, block, BLOCK_SECONDS)
                    _add_shot(sums, shot_cell, shot_all, shot_high, b, block_counts, block_rates)
                    gap = this - shot_id
                    if 1 < gap <= MAX_EMPTY_SHOTS:
                        for j in range(1, gap):
                            xe = last_x + (x - last_x) * j / gap
                            c = (
                                place
                                if run_n > 0
                                else np.int32(min(max(np.floor(xe / cell) - cell0, 0.0), n_cells - 1.0))
                            )
                            b, block = _block_at(time[i] - 1e-4 * (gap - j), block_start, block, BLOCK_SECONDS)
                            _add_shot(sums, c, 0.0, 0.0, b, block_counts, block_rates)
                shot_id = this
                shot_cell = place
                shot_all = 0.0
                shot_high = 0.0
                shot_time = time[i]
                last_x = x
            shot_all += 1.0
            if not high:
                continue
            shot_high += 1.0
            # The reference at x: linear inside an interval that is kept until x leaves it, constant beyond the ends.
            if not x0 <= x < x1:
                while interval + 1 < ref_x.size and ref_x[interval + 1] <= x:
                    interval += 1
                while interval > 0 and ref_x[interval] > x:
                    interval -= 1
                if x <= ref_x[0] or ref_x.size == 1:
                    x0, x1, y0, y1 = np.inf, -np.inf, ref[0], ref[0]
                elif interval + 1 >= ref_x.size:
                    x0, x1, y0, y1 = np.inf, -np.inf, ref[-1], ref[-1]
                else:
                    x0, x1, y0, y1 = ref_x[interval], ref_x[interval + 1], ref[interval], ref[interval + 1]
            value = y0 + (x - x0) / (x1 - x0) * (y1 - y0) if x0 < x1 else y0
            above[i] = h[i] - value
            cells[i] = place
            if place != held:  # a cell's sums stay in registers as long as photons fall into it
                if held >= 0:
                    _put(sums, held, n_in, x_sum, lat_sum, lon_sum, time_sum, base)
                held = place
                n_in, x_sum, lat_sum = sums[place, N], sums[place, X], sums[place, LAT]
                lon_sum, time_sum, base = sums[place, LON], sums[place, TIME], sums[place, BASE]
                if n_in == 0.0:
                    sums[place, LON_FIRST], sums[place, TIME_FIRST], sums[place, X_LOW] = lon[i], time[i], x
                lon_first, time_first = sums[place, LON_FIRST], sums[place, TIME_FIRST]
            n_in += 1.0
            x_sum += x
            lat_sum += lat[i]
            step = lon[i] - lon_first
            if step > 180.0:
                step -= 360.0
            elif step < -180.0:
                step += 360.0
            lon_sum += step
            time_sum += time[i] - time_first
            base += value
            if run_n > 0:
                sums[place, X_LOW] = min(sums[place, X_LOW], x)
                sums[place, X_HIGH] = max(sums[place, X_HIGH], x) if n_in > 1.0 else x
    if held >= 0:
        _put(sums, held, n_in, x_sum, lat_sum, lon_sum, time_sum, base)
    if shot_cell >= 0:
        b, block = _block_at(shot_time, block_start, block, BLOCK_SECONDS)
        _add_shot(sums, shot_cell, shot_all, shot_high, b, block_counts, block_rates)


@compiled.kernel
def _columns(  # noqa: PLR0913
    sums, used, cell, runs, x, latitude, longitude, delta_time, base, rates, shots, length
):  # pragma: no cover - compiled
    """Put means over photons, means over shots (NaN in a cell without a shot), shots and length of cells."""
    for k in range(used.size):
        row = sums[used[k]]
        n = row[N]
        x[k], latitude[k], base[k] = row[X] / n, row[LAT] / n, row[BASE] / n
        delta_time[k] = row[TIME_FIRST] + row[TIME] / n
        east = row[LON_FIRST] + row[LON] / n
        longitude[k] = east - 360.0 if east >= 180.0 else (east + 360.0 if east < -180.0 else east)
        rates[0, k], rates[1, k] = row[ALL] / row[SHOTS], row[HIGH] / row[SHOTS]
        rates[2, k], rates[3, k] = row[COUNTS] / row[SHOTS], row[RATES] / row[SHOTS]
        shots[k] = np.int32(row[SHOTS])
        length[k] = row[X_HIGH] - row[X_LOW] if runs else cell


def _heights_by_cell(
    cells: np.ndarray, above: np.ndarray, used: np.ndarray, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sort heights by cell, in file order inside, where the used cells hold n; return their offsets and the heights."""
    offsets = np.zeros(used.size + 1, np.int64)
    np.cumsum(n, out=offsets[1:])
    place = np.empty(used[-1] + 1 if used.size else 1, np.int64)
    place[used] = offsets[:-1]
    heights = np.empty(offsets[-1], np.float32)
    _sort_by_cell(cells, above, place, heights)
    return offsets, heights


@compiled.kernel
def _sort_by_cell(cells, above, place, heights):  # pragma: no cover - compiled
    for i in range(cells.size):
        c = cells[i]
        if c >= 0:
            heights[place[c]] = above[i]
            place[c] += 1
