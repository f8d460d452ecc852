"""How far the ice drifted between a laser track and an image: the shift that makes both agree.

Both see the same leads. The track says where it should be dark (water, thin ice), the image where it is; both are
freed of what varies over kilometres, and their correlation over all beams is computed for every shift of a grid.
``shift_east`` and ``shift_north`` are what is **added** to a track position to find the same ice in the image.

Two questions decide how certain the shift is. Is the peak more than chance? The highest of m independent normal
values stands above the second highest by an exponential amount of mean sigma / sqrt(2 ln m) (Rényi's representation
of spacings with the normal's extreme-value scale; Leadbetter, Lindgren, Rootzén 1983, doi:10.1007/978-1-4612-5449-2),
so a gap of g sigma has the chance exp(-g sqrt(2 ln m)). Does it rest on more than a lead or two, in both directions?
Blocks of the track are resampled with replacement (bootstrap, Efron 1979, doi:10.1214/aos/1176344552) and the peak
is looked for again: how often it stays is the other half of the confidence, how far it moves is the standard error.
A single beam over parallel leads makes a ridge instead of a peak, and the error along the ridge says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba as nb
import numpy as np
from scipy import ndimage

NEAR_M = 20.0
"""A peak of a resampled track within this distance counts as the same, metres."""
LONG_WAVE_M = 600.0
"""What varies over more than this on either side is taken out of track and image: illumination, haze, floe height."""
BLOCK_M = 500.0
"""Length of the blocks of track that are resampled: longer than most leads are wide, metres."""
MOST_BLOCKS = 96
FINE_M, FINE_REACH_M = 2.0, 30.0
"""Step and half-width of the fine grid around the peak, metres."""
SEPARATE_M = 30.0
"""Distance of two maxima that count as two peaks, and about the distance over which the score forgets itself,
metres."""
SURE = 0.75
"""Least confidence of a certain shift. On simulated pairs, tracks under scenes of other places reached 0.46 (188
trials) and ice without leads 0.63 (16); see docs/labels.md."""
SURE_ERROR_M = 12.0
"""Largest standard error, east or north, of a certain shift: two of them lie outside the 20 m that are wanted at
worst."""
LEAST_SAMPLES = 200
"""Samples of 10 m that a score must rest on."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """An estimated shift and how far it can be trusted.

    Attributes
    ----------
    east, north : float
        Metres to add to a track position; 0 where nothing could be estimated.
    east_error, north_error : float
        One standard error, metres; infinite where nothing could be estimated.
    confidence : float
        0 to 1: share of the resampled tracks whose peak stays within 20 m, times the chance that noise makes no such
        peak.
    is_sure : bool
    reason : str
        Why it is uncertain; empty where it is certain.
    peak, second : float
        Correlation at the highest and at the second highest maximum.
    gap : float
        Their difference in standard deviations of the score over all shifts.
    n : int
        Samples with image under them at the peak.
    offsets : numpy.ndarray, shape (k,)
        Shifts of the score surface along either axis, metres, increasing.
    surface : numpy.ndarray of float32, shape (k, k)
        Correlation; rows are north, columns east, both increasing. NaN where too little image lies under the track.
    """

    east: float
    north: float
    east_error: float
    north_error: float
    confidence: float
    is_sure: bool
    reason: str
    peak: float
    second: float
    gap: float
    n: int
    offsets: np.ndarray
    surface: np.ndarray


def image_darkness(value: np.ndarray, usable: np.ndarray, *, pixel_m: float) -> np.ndarray:
    """Return how dark each pixel is against its surroundings.

    Parameters
    ----------
    value : numpy.ndarray, shape (h, w)
        V, 0 to 255.
    usable : numpy.ndarray of bool, shape (h, w)
        False for cloud, shadow and missing pixels.
    pixel_m : float
        Size of a pixel, metres.

    Returns
    -------
    numpy.ndarray of float32, shape (h, w)
        1 - V over the bright ice's V, less the mean within 600 m; NaN where not usable.
    """
    if not usable.any():
        return np.full(value.shape, np.nan, np.float32)
    counts = np.bincount(value[usable].ravel(), minlength=256)
    bright = float(np.searchsorted(np.cumsum(counts), 0.75 * counts.sum()))
    dark = np.where(usable, np.clip(1.0 - value.astype(np.float32) / max(bright, 1.0), 0.0, 1.0), 0.0).astype(
        np.float32
    )
    size = 2 * round(LONG_WAVE_M / pixel_m) + 1
    weight = ndimage.uniform_filter(usable.astype(np.float32), size, mode="constant")
    mean = ndimage.uniform_filter(dark, size, mode="constant")
    return np.where(usable, dark - mean / np.maximum(weight, 1e-6), np.nan).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class TrackSamples:
    """What a track expects of an image, n samples of it.

    Attributes
    ----------
    darkness : numpy.ndarray, shape (n,)
        Freed of its long waves; larger is darker. Averages over about a pixel's length.
    row, column : numpy.ndarray, shape (n,)
        Position before the shift, pixels; pixel (0, 0) reaches from 0 to 1. May lie outside.
    block : numpy.ndarray of int, shape (n,)
        Number of the stretch of track that a sample belongs to, increasing: what is resampled together.
    """

    darkness: np.ndarray
    row: np.ndarray
    column: np.ndarray
    block: np.ndarray


def estimate_shift(
    samples: TrackSamples,
    image: np.ndarray,
    *,
    pixel_m: float,
    max_shift_m: float = 1000.0,
    seed: int = 0,
    replicates: int = 200,
) -> Shift:
    """Find the shift at which track and image agree best.

    Parameters
    ----------
    samples : TrackSamples
        What the track expects.
    image : numpy.ndarray of float32, shape (h, w)
        Of :func:`image_darkness`: north up, NaN where not usable.
    pixel_m : float
        Pixel size, metres; the grid of shifts has the same step.
    max_shift_m : float
        Shifts to try, east and north.
    seed : int
        Of the draws.
    replicates : int
        Bootstrap resamples.

    Returns
    -------
    Shift
    """
    reach = max(round(max_shift_m / pixel_m), 1)
    offsets = np.arange(-reach, reach + 1) * pixel_m
    darkness, row, column = samples.darkness, samples.row, samples.column
    good = np.isfinite(darkness)
    margin = reach + 2
    good &= (row > -margin) & (row < image.shape[0] + margin) & (column > -margin) & (column < image.shape[1] + margin)
    if good.sum() < LEAST_SAMPLES:
        return _nothing(offsets, f"only {int(good.sum()) * 10} m of track over the image", int(good.sum()))
    track, row, column = (np.ascontiguousarray(a[good], np.float64) for a in (darkness, row, column))
    starts = _block_starts(samples.block[good])
    padded = np.pad(image, 2 * margin, constant_values=np.nan).astype(np.float32)
    row, column = row + 2 * margin, column + 2 * margin
    step = np.arange(-reach, reach + 1, dtype=np.float64)
    sums = _block_sums(
        track,
        padded,
        row,
        column,
        starts,
        -step[:, None] + 0 * step[None, :],
        0 * step[:, None] + step[None, :],
        between=False,
    )
    surface, n = _score(sums.sum(axis=0, dtype=np.float64))
    if not np.isfinite(surface).any():
        enough = float(n.max()) >= LEAST_SAMPLES / 2
        return _nothing(
            offsets,
            "the image has no contrast under the track" if enough else "too little cloud-free image under the track",
            int(n.max()),
        )
    top = np.unravel_index(np.nanargmax(surface), surface.shape)
    second, sigma = _second_peak(surface, top, pixel_m)
    peak = float(surface[top])
    gap = (peak - second) / sigma if sigma > 0 else 0.0
    fine = np.arange(-FINE_REACH_M, FINE_REACH_M + FINE_M / 2, FINE_M) / pixel_m
    rows, columns = (
        -(step[top[0]] + fine)[:, None] + 0 * fine[None, :],
        0 * fine[:, None] + (step[top[1]] + fine)[None, :],
    )
    fine_sums = _block_sums(track, padded, row, column, starts, rows, columns, between=True)
    fine_surface, _ = _score(fine_sums.sum(axis=0, dtype=np.float64))
    place = np.unravel_index(np.nanargmax(fine_surface), fine_surface.shape)
    east = float((step[top[1]] + fine[place[1]]) * pixel_m)
    north = float((step[top[0]] + fine[place[0]]) * pixel_m)
    found = _resampled_peaks(
        sums, fine_sums, surface, top, step * pixel_m, fine * pixel_m, seed=seed, replicates=replicates
    )
    away = found - np.array([north, east])
    stays = float(np.mean(np.hypot(away[:, 0], away[:, 1]) <= NEAR_M))
    north_error, east_error = (float(max(np.quantile(np.abs(away[:, k]), 0.683), 1.0)) for k in (0, 1))
    independent = max((2 * reach * pixel_m / SEPARATE_M) ** 2, 4.0)
    by_noise = float(np.exp(-max(gap, 0.0) * np.sqrt(2.0 * np.log(independent))))
    confidence = stays * (1.0 - by_noise)
    is_at_edge = max(abs(step[top[0]]), abs(step[top[1]])) > reach - 2
    reason = _why_uncertain(
        confidence, stays, by_noise, errors=(east_error, north_error), is_at_edge=is_at_edge, peak=peak
    )
    return Shift(
        east=east,
        north=north,
        east_error=east_error,
        north_error=north_error,
        confidence=confidence,
        is_sure=not reason,
        reason=reason,
        peak=peak,
        second=second,
        gap=float(gap),
        n=int(n[top]),
        offsets=offsets,
        surface=surface,
    )


def _why_uncertain(
    confidence: float, stays: float, by_noise: float, *, errors: tuple[float, float], is_at_edge: bool, peak: float
) -> str:
    """Return why a shift is uncertain, empty where it is certain."""
    if is_at_edge:
        return "the best agreement lies at the edge of the search"
    if peak <= 0:
        return "track and image do not agree anywhere"
    if by_noise > 0.25:
        return "no peak stands out: too few leads, or no contrast"
    if max(errors) > SURE_ERROR_M:
        word = "east" if errors[0] > errors[1] else "north"
        return f"the shift {word} is open by {max(errors):.0f} m: leads run alike, or there are too few"
    if confidence < SURE:
        return f"it rests on few leads: {100 * stays:.0f} % of the resampled tracks agree"
    return ""


def _nothing(offsets: np.ndarray, reason: str, n: int) -> Shift:
    blank = np.full((offsets.size, offsets.size), np.nan, np.float32)
    return Shift(
        east=0.0,
        north=0.0,
        east_error=np.inf,
        north_error=np.inf,
        confidence=0.0,
        is_sure=False,
        reason=reason,
        peak=np.nan,
        second=np.nan,
        gap=0.0,
        n=n,
        offsets=offsets,
        surface=blank,
    )


def _block_starts(block: np.ndarray) -> np.ndarray:
    """First sample of each block, and the end; neighbouring blocks are joined until there are at most MOST_BLOCKS."""
    heads = np.concatenate([[0], np.flatnonzero(np.diff(block)) + 1, [block.size]])
    together = -(-(heads.size - 1) // MOST_BLOCKS)
    return np.unique(np.concatenate([heads[:-1:together], [block.size]])).astype(np.int64)


def _score(total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation and sample count from sums (..., 4, k, k) of product, track squared, image squared and samples."""
    product, of_track, of_image, n = (total[..., k, :, :] for k in range(4))
    enough = n >= np.maximum(0.5 * n.max(axis=(-2, -1), keepdims=True), LEAST_SAMPLES / 2)
    # Where little varies in the image (or the track's dark parts lie under cloud) a small product must not look large.
    of_image = np.maximum(of_image, 0.25 * of_image.mean(axis=(-2, -1), keepdims=True))
    of_track = np.maximum(of_track, 0.5 * of_track.max(axis=(-2, -1), keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(enough, product / np.sqrt(of_image * of_track), np.nan)
    return np.where(np.isfinite(score), score, np.nan).astype(np.float32), n


def _second_peak(surface: np.ndarray, top: tuple[int, int], pixel_m: float) -> tuple[float, float]:
    """Height of the next highest maximum beyond SEPARATE_M, and the standard deviation of the surface away from the
    peak."""
    filled = np.where(np.isfinite(surface), surface, -np.inf)
    rows, columns = np.indices(surface.shape)
    distance = np.hypot(rows - top[0], columns - top[1]) * pixel_m
    far = (distance > 4 * SEPARATE_M) & np.isfinite(surface)
    size = 2 * round(SEPARATE_M / pixel_m / 2) + 1
    other = (
        (ndimage.maximum_filter(filled, size, mode="nearest") == filled)
        & (distance > SEPARATE_M)
        & np.isfinite(surface)
    )
    if far.sum() < 10 or not other.any():
        return float(surface[top]), 1.0
    return float(filled[other].max()), float(surface[far].std())


def _resampled_peaks(
    sums: np.ndarray,
    fine_sums: np.ndarray,
    surface: np.ndarray,
    top: tuple[int, int],
    step: np.ndarray,
    fine: np.ndarray,
    *,
    seed: int,
    replicates: int,
) -> np.ndarray:
    """Peaks (north, east; metres) of tracks whose blocks were drawn with replacement, shape (replicates, 2).

    Only the tenth of the shifts that agrees best is looked at again: no other wins.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    blocks = sums.shape[0]
    weight = np.stack(
        [np.bincount(rng.integers(0, blocks, blocks), minlength=blocks) for _ in range(replicates)]
    ).astype(np.float32)
    flat = np.where(np.isfinite(surface), surface, -np.inf).ravel()
    best = np.argpartition(-flat, max(flat.size // 10, 1))[: max(flat.size // 10, 1)]
    rows, columns = np.unravel_index(best, surface.shape)
    score, _ = _score((weight @ sums[:, :, rows, columns].reshape(blocks, -1)).reshape(replicates, 4, 1, best.size))
    at = np.argmax(np.where(np.isfinite(score), score, -np.inf).reshape(replicates, -1), axis=1)
    out = np.stack([step[rows[at]], step[columns[at]]], axis=1)
    near = np.flatnonzero(np.abs(out - np.array([step[top[0]], step[top[1]]])).max(axis=1) <= fine[-1])
    score, _ = _score((weight[near] @ fine_sums.reshape(blocks, -1)).reshape(near.size, *fine_sums.shape[1:]))
    at = np.argmax(np.where(np.isfinite(score), score, -np.inf).reshape(near.size, -1), axis=1)
    out[near] = np.stack([step[top[0]] + fine[at // fine.size], step[top[1]] + fine[at % fine.size]], axis=1)
    return out


@nb.njit(cache=True, nogil=True)
def _block_sums(track, image, row, column, starts, rows, columns, between):  # pragma: no cover - compiled
    """Sums over each block of track x image, track squared, image squared and samples, at every shift in pixels.

    ``between`` takes the image linear between pixel centres, else the pixel itself.
    """
    blocks = starts.size - 1
    out = np.zeros((blocks, 4, rows.shape[0], rows.shape[1]), np.float32)
    for p in range(rows.shape[0]):
        for q in range(rows.shape[1]):
            for b in range(blocks):
                product, of_track, of_image, n = 0.0, 0.0, 0.0, 0.0
                for i in range(starts[b], starts[b + 1]):
                    r = row[i] + rows[p, q]
                    c = column[i] + columns[p, q]
                    if between:
                        r -= 0.5
                        c -= 0.5
                        r0 = int(r)
                        c0 = int(c)
                        u = r - r0
                        v = c - c0
                        seen = (image[r0, c0] * (1 - v) + image[r0, c0 + 1] * v) * (1 - u) + (
                            image[r0 + 1, c0] * (1 - v) + image[r0 + 1, c0 + 1] * v
                        ) * u
                    else:
                        seen = image[int(r), int(c)]
                    if seen == seen:
                        product += track[i] * seen
                        of_track += track[i] * track[i]
                        of_image += seen * seen
                        n += 1.0
                out[b, 0, p, q] = product
                out[b, 1, p, q] = of_track
                out[b, 2, p, q] = of_image
                out[b, 3, p, q] = n
    return out
