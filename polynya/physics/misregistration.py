"""How far two images of the same ground lie apart: the shift at which one explains most of the other.

At every shift within reach the response (brightness, backscatter) is fitted by a linear combination of structure images
(gradients of the heights, a simulated radar image, other bands) over the pixels that both know; all shifts at once by
Fourier transforms, holes masked (after Padfield 2012, doi:10.1109/TIP.2011.2181402). What is compared is the
log-likelihood ratio ``-n ln(1 - R^2)``, so that a good fit in a small overlap does not win. Its median over the shifts
is that of pure chance (chi-squared) times a factor for how far the images are correlated with themselves; ``score`` is
the ratio free of this factor. Confidence is 1 minus the ratio of the best other shift to the best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import fft, ndimage, stats

from ..errors import UsageError

ELSEWHERE_M = 500.0
"""The second best shift is looked for at least so far from the best: nearer ones belong to the same peak."""
LEAST_OVERLAP = 0.3
"""A shift counts where at least this share of the structure overlaps the response."""
LEAST_CONFIDENCE = 0.55
LEAST_SCORE = 20.0
"""Below either the shift is not believed. Found on Khumbu: true peaks have confidence .58 to .9 and scores of 27 to
170; mirrored images, which have no true shift, at most .50 (score 51)."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Where an image lies against another.

    Attributes
    ----------
    east_m, north_m : float
        How far the response's features lie from the structure's, m.
    pixels : float
        Its size in pixels, along the axis where it is larger.
    r_squared : float
        Share of the response's variance explained at this shift.
    score : float
        Log-likelihood ratio there, in units in which chance gives about 1 a structure image and window.
    confidence : float
        0 to 1: 1 minus the best log-likelihood ratio of other shifts over the best.
    """

    east_m: float
    north_m: float
    pixels: float
    r_squared: float
    score: float
    confidence: float

    @property
    def is_confident(self) -> bool:
        """Whether the shift is believed."""
        return self.confidence >= LEAST_CONFIDENCE and self.score >= LEAST_SCORE

    @property
    def length_m(self) -> float:
        """Length of the shift, m."""
        return float(np.hypot(self.east_m, self.north_m))


def estimate(
    pairs: Sequence[tuple[np.ndarray, np.ndarray]], *, pixel_m: tuple[float, float], reach_m: float = 2000.0
) -> Shift | None:
    """Find the shift of a response against structure images, from one or several windows together.

    Parameters
    ----------
    pairs : sequence of (structure, response)
        Structure (k, h, w), response (h, w); NaN where unknown. k is the same in all windows.
    pixel_m : tuple of float
        Width and height of a pixel, m.
    reach_m : float
        Largest shift to either side, m; at most 0.7 of the smallest window's extent is looked at.

    Returns
    -------
    Shift or None
        None where the windows are too small or too empty to say anything.

    Raises
    ------
    UsageError
        If shapes do not fit.
    """
    for structure, response in pairs:
        if structure.ndim != 3 or structure.shape[1:] != response.shape or structure.shape[0] != pairs[0][0].shape[0]:
            raise UsageError(
                f"structure of shape {structure.shape} for a response of {response.shape}; expected (k, h, w) and (h,"
                " w), the same k in all windows. Cut them alike."
            )
    if not pairs:
        return None
    reach = tuple(
        int(min(reach_m / p, max(min(s.shape[a] for _, s in pairs) * 0.7, 0)))
        for p, a in ((pixel_m[1], 0), (pixel_m[0], 1))
    )
    if min(reach) < 4:
        return None
    likelihood = np.zeros((2 * reach[0] + 1, 2 * reach[1] + 1))
    overlap, freedom = np.zeros_like(likelihood), 0
    for structure, response in pairs:
        found = _likelihood(structure, response, reach)
        if found is None:
            continue
        likelihood += np.nan_to_num(found[0])
        overlap += np.where(np.isnan(found[0]), 0.0, found[1])
        freedom += structure.shape[0]
    if not freedom or np.count_nonzero(overlap) < 50:
        return None
    likelihood[overlap == 0] = np.nan
    chance = float(np.nanmedian(likelihood)) / float(stats.chi2.median(freedom))
    if not chance > 0:
        return None
    row, column = np.unravel_index(int(np.nanargmax(likelihood)), likelihood.shape)
    south, east = (np.arange(n) - r for n, r in zip(likelihood.shape, reach, strict=True))
    far = (
        np.hypot((south - south[row])[:, None] * pixel_m[1], (east - east[column])[None, :] * pixel_m[0]) > ELSEWHERE_M
    )
    second = (
        np.nanmax(np.where(far, likelihood, np.nan)) if (far & ~np.isnan(likelihood)).any() else likelihood[row, column]
    )
    best = float(likelihood[row, column])
    down, right = _subpixel(likelihood, row, column)
    down, right = down + south[row], right + east[column]
    return Shift(
        east_m=float(right * pixel_m[0]),
        north_m=float(-down * pixel_m[1]),
        pixels=float(max(abs(down), abs(right))),
        r_squared=float(1.0 - np.exp(-best / overlap[row, column])),
        score=best / chance,
        confidence=float(1.0 - second / best),
    )


def _likelihood(
    structure: np.ndarray, response: np.ndarray, reach: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the log-likelihood ratio and the pixels compared at every shift, rows and columns from -reach to reach."""
    known, seen = np.isfinite(structure).all(axis=0), np.isfinite(response)
    if known.sum() < 400 or seen.sum() < 400:
        return None
    shape = tuple(fft.next_fast_len(n + r, real=True) for n, r in zip(response.shape, reach, strict=True))

    def scaled(image: np.ndarray, where: np.ndarray) -> np.ndarray | None:
        mean, spread = float(image[where].mean()), float(image[where].std())
        return np.where(where, (np.where(where, image, mean) - mean) / spread, 0.0) if spread > 0 else None

    y = scaled(response, seen)
    parts = [scaled(s, known) for s in structure]
    if y is None or any(p is None for p in parts):
        return None
    basis = [known.astype(float), *parts]

    def transform(image: np.ndarray) -> np.ndarray:
        return fft.rfft2(image, shape)

    def correlate(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return sum over x of a(x) b(x + shift)."""
        return np.roll(fft.irfft2(np.conj(a) * b, shape), reach, axis=(0, 1))[: 2 * reach[0] + 1, : 2 * reach[1] + 1]

    of_mask, of_y, of_square = transform(seen.astype(float)), transform(y), transform(y * y)
    k = len(basis)
    count = correlate(transform(basis[0]), of_mask)
    enough = count >= LEAST_OVERLAP * known.sum()
    if not enough.any():
        return None
    normal, right = np.empty((*count.shape, k, k)), np.empty((*count.shape, k))
    for i in range(k):
        right[..., i] = correlate(transform(basis[i]), of_y)
        for j in range(i, k):
            normal[..., i, j] = normal[..., j, i] = correlate(transform(basis[i] * basis[j]), of_mask)
    squares = correlate(transform(basis[0]), of_square)[enough]
    n, normal, right = count[enough], normal[enough], right[enough]
    normal += np.eye(k) * (1e-5 * n.max())
    solution = np.linalg.solve(normal, right[..., None])[..., 0]
    total = squares - right[:, 0] ** 2 / n
    unexplained = squares - np.einsum("ni,ni->n", solution, right)
    good = total > 1e-6 * n
    share = np.clip(np.where(good, unexplained, 1.0) / np.where(good, total, 1.0), 1e-6, 1.0)
    out = np.full(count.shape, np.nan)
    out[enough] = np.where(good, -n * np.log(share), np.nan)
    return out, count


def _subpixel(surface: np.ndarray, row: int, column: int) -> tuple[float, float]:
    """Return how far the top of a parabola through the peak lies from its pixel, rows and columns."""
    out = []
    for axis, at in ((0, row), (1, column)):
        line = surface[:, column] if axis == 0 else surface[row]
        if 0 < at < line.size - 1 and np.isfinite(line[at - 1 : at + 2]).all():
            bend = line[at - 1] - 2 * line[at] + line[at + 1]
            out.append(float(np.clip(0.5 * (line[at - 1] - line[at + 1]) / bend, -0.5, 0.5)) if bend < 0 else 0.0)
        else:
            out.append(0.0)
    return out[0], out[1]


def band_pass(image: np.ndarray, *, fine: float, coarse: float | None) -> np.ndarray:
    """Smooth an image with holes and take away what varies slowly.

    Parameters
    ----------
    image : numpy.ndarray, shape (h, w)
        NaN where unknown.
    fine, coarse : float
        Standard deviations of the two Gaussians, pixels; without ``coarse`` only smoothing.

    Returns
    -------
    numpy.ndarray of float64, shape (h, w)
        NaN where the image is.
    """
    known = np.isfinite(image)
    filled, weight = np.where(known, image, 0.0).astype(float), known.astype(float)

    def smooth(sigma: float) -> np.ndarray:
        return ndimage.gaussian_filter(filled, sigma) / np.maximum(ndimage.gaussian_filter(weight, sigma), 0.02)

    out = smooth(fine) if coarse is None else smooth(fine) - smooth(coarse)
    return np.where(known, out, np.nan)


def look_azimuths(latitude: float) -> tuple[float, float]:
    """Return where a right-looking radar in Sentinel-1's orbit looks, ascending and descending, degrees clockwise from
    north.

    Parameters
    ----------
    latitude : float
        Degrees.

    Notes
    -----
    Heading over the ground of a circular orbit of inclination 98.18 degrees, 98.7 minutes a turn, over the turning
    Earth.
    """
    inclination, turn = np.radians(98.18), 2 * np.pi / (98.7 * 60)
    across = np.cos(inclination) / max(np.cos(np.radians(latitude)), abs(np.cos(inclination)))
    heading = np.arcsin(across)
    east = turn * np.sin(heading) - 7.2921e-5 * np.cos(np.radians(latitude))
    heading = float(np.degrees(np.arctan2(east, turn * np.cos(heading))))
    return (heading + 90.0) % 360.0, (180.0 - heading + 90.0) % 360.0


def radar_image(
    height: np.ndarray, *, pixel_m: tuple[float, float], look_azimuth: float, incidence: float, pad: int, finer: int = 3
) -> np.ndarray:
    """Simulate an image of a side-looking radar on a flat Earth: how much ground falls into each cell, in dB.

    What lies above the middle height is displaced towards the sensor by ``height / tan(incidence)``; slopes that face
    it are squeezed and bright, layover adds up. This is the geometry of images that were never terrain-corrected.

    Parameters
    ----------
    height : numpy.ndarray, shape (h, w)
        m; NaN where unknown.
    pixel_m : tuple of float
        Width and height of a pixel, m.
    look_azimuth, incidence : float
        Where the radar looks, degrees from north; incidence angle, degrees.
    pad : int
        Pixels added on each side, for what is displaced beyond the edge.
    finer : int
        Points of ground along a pixel's side.

    Returns
    -------
    numpy.ndarray of float64, shape (h + 2 pad, w + 2 pad)
        dB of ground area a cell, 0 on flat ground; NaN where no ground falls.
    """
    known = np.isfinite(height)
    middle = float(np.median(height[known]))
    rows, columns = (np.arange(n * finer) / finer + (0.5 / finer - 0.5) for n in height.shape)
    at = np.meshgrid(rows, columns, indexing="ij")
    fine = ndimage.map_coordinates(np.where(known, height, middle), at, order=1, mode="nearest")
    there = ndimage.map_coordinates(known.astype(float), at, order=1, mode="nearest") > 0.99
    away = -(fine - middle) / np.tan(np.radians(incidence))
    r = np.rint(at[0] - away * np.cos(np.radians(look_azimuth)) / pixel_m[1]).astype(np.intp) + pad
    c = np.rint(at[1] + away * np.sin(np.radians(look_azimuth)) / pixel_m[0]).astype(np.intp) + pad
    shape = (height.shape[0] + 2 * pad, height.shape[1] + 2 * pad)
    there &= (r >= 0) & (c >= 0) & (r < shape[0]) & (c < shape[1])
    area = np.bincount(r[there] * shape[1] + c[there], minlength=shape[0] * shape[1]).reshape(shape) / finer**2
    covered = ndimage.binary_closing(np.pad(area > 0, 4), iterations=4)[4:-4, 4:-4]
    return np.where(covered, 10.0 * np.log10(ndimage.gaussian_filter(area, 0.7) + 0.1), np.nan)
