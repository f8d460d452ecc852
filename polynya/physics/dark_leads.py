"""Leads in a radar image: pixels that are darker than the ice around them, in threads.

Calm water and new ice without frost flowers mirror the beam away from the radar, so most young leads are dark in HH
and in HV. What is dark is said relative to the ice within some kilometres, since backscatter falls with the incidence
angle and differs between kinds of ice. Murashkin et al. (2018, Annals of Glaciology 59) classify the same features,
backscatter and texture of HH and HV in moving windows, by a random forest; here there are thresholds. Texture is used
as the local spread: where the ice around varies much, a pixel must be darker.

Bright leads (water roughened by wind, frost flowers on new ice) are not found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

ICE, LEAD, UNKNOWN = 0, 1, 255
CONNECTED = np.ones((3, 3), bool)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Thresholds of leads.

    Attributes
    ----------
    seed_db : float
        HH of the darkest pixels of a lead, below the ice around, dB.
    grow_db : float
        HH of its other pixels, which touch these.
    hv_db : float
        HV of a lead's pixels, below the ice around, as far as the noise allows: dB.
    spread : float
        Beside ``seed_db``, this many standard deviations of the ice around.
    around_m : float
        Side of the square of the ice around.
    block_m : float
        Side of the blocks whose means stand for the ice around.
    least_pixels : int
        Fewer connected pixels are speckle.
    widest_m : float
        Wider water is no lead but a polynya or the open sea: unknown.
    """

    seed_db: float = 7.0
    grow_db: float = 4.0
    hv_db: float = 1.5
    spread: float = 3.0
    around_m: float = 6000.0
    block_m: float = 400.0
    least_pixels: int = 8
    widest_m: float = 4000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """What a detector says of an image.

    Attributes
    ----------
    states : numpy.ndarray of uint8, shape (h, w)
        :data:`ICE`, :data:`LEAD`, :data:`UNKNOWN`.
    contrast : numpy.ndarray of float32, shape (h, w)
        HH over the ice around, dB; NaN where not known.
    """

    states: np.ndarray
    contrast: np.ndarray


def find(
    hh: np.ndarray,
    hv: np.ndarray | None,
    *,
    pixel_m: float,
    rule: Rule | None = None,
) -> Found:
    """Find leads.

    Parameters
    ----------
    hh, hv : numpy.ndarray of float32, shape (h, w)
        Sigma nought averaged over pixels, noise removed, linear; may be negative. NaN where not valid or no sea ice. HV
        may be None: then only HH counts, and more speckle is taken for leads.
    pixel_m : float
        Side of a pixel.
    rule : Rule, optional
        Thresholds; the defaults where left out.

    Returns
    -------
    Found
    """
    rule = rule or Rule()
    known = np.isfinite(hh)
    contrast, spread = _contrast(hh, known, pixel_m=pixel_m, rule=rule)
    seeds = contrast <= -np.maximum(rule.seed_db, rule.spread * spread)
    dark = contrast <= -rule.grow_db
    if hv is not None:
        both = known & np.isfinite(hv)
        other, _ = _contrast(_smooth(hv, both), both, pixel_m=pixel_m, rule=rule)
        dark &= ~(other > -rule.hv_db)  # unknown HV takes nothing
        seeds &= dark
    mask = _threads(dark, seeds, least=rule.least_pixels)
    wide = _wide(mask, pixel_m=pixel_m, widest_m=rule.widest_m)
    states = np.where(mask, np.uint8(LEAD), np.uint8(ICE))
    states[wide | ~known] = UNKNOWN
    return Found(states=states, contrast=np.where(known, contrast, np.nan).astype(np.float32))


def _smooth(values: np.ndarray, known: np.ndarray, *, side: int = 3) -> np.ndarray:
    """Return the mean over squares of what is known."""
    total = ndimage.uniform_filter(np.where(known, values, 0.0).astype(np.float32), side, mode="constant")
    share = ndimage.uniform_filter(known.astype(np.float32), side, mode="constant")
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(known, total / share, np.nan)


def _contrast(values: np.ndarray, known: np.ndarray, *, pixel_m: float, rule: Rule) -> tuple[np.ndarray, np.ndarray]:
    """Return values over those around, dB, and the standard deviation of the blocks around, dB."""
    side = max(round(rule.block_m / pixel_m), 1)
    blocks = _blocks(np.where(known, values, np.nan), side)
    floor = 1e-6
    db = 10.0 * np.log10(np.maximum(blocks, floor))
    window = max(round(rule.around_m / (side * pixel_m)) // 2 * 2 + 1, 3)
    middle, spread = _around(db, window)
    h, w = values.shape
    background, width = (_spread_out(v, side, (h, w)) for v in (middle, spread))
    with np.errstate(invalid="ignore"):
        own = 10.0 * np.log10(np.maximum(values, floor))
    return own - background, width


def _blocks(values: np.ndarray, side: int) -> np.ndarray:
    """Return the means of what is known in blocks; NaN where less than half of one is."""
    h, w = values.shape
    rows, columns = -(-h // side), -(-w // side)
    padded = np.full((rows * side, columns * side), np.nan, np.float32)
    padded[:h, :w] = values
    parts = padded.reshape(rows, side, columns, side)
    good = np.isfinite(parts)
    count = good.sum(axis=(1, 3))
    total = np.where(good, parts, 0.0).sum(axis=(1, 3))
    return np.where(2 * count >= side * side, total / np.maximum(count, 1), np.nan)


def _around(db: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return median and spread of the blocks around each, by quantiles, which dark leads hardly move."""
    filled = np.where(np.isfinite(db), db, _nearest(db))
    middle = ndimage.percentile_filter(filled, 50, size=window, mode="nearest")
    high = ndimage.percentile_filter(filled, 84, size=window, mode="nearest")
    return middle, high - middle


def _nearest(values: np.ndarray) -> np.ndarray:
    missing = ~np.isfinite(values)
    if missing.all():
        return np.zeros_like(values)
    at = ndimage.distance_transform_edt(missing, return_distances=False, return_indices=True)
    return values[tuple(at)]


def _spread_out(blocks: np.ndarray, side: int, shape: tuple[int, int]) -> np.ndarray:
    """Return blocks at all pixels, linear between their middles."""
    out = blocks.astype(np.float32)
    for axis, n in enumerate(shape):
        at = np.clip((np.arange(n) + 0.5) / side - 0.5, 0.0, blocks.shape[axis] - 1.0)
        first = np.minimum(at.astype(np.int64), max(blocks.shape[axis] - 2, 0))
        part = (at - first).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        low, high = np.take(out, first, axis), np.take(out, np.minimum(first + 1, blocks.shape[axis] - 1), axis)
        out = low * (1.0 - part) + high * part
    return out


def _threads(dark: np.ndarray, seeds: np.ndarray, *, least: int) -> np.ndarray:
    """Return the connected dark pixels that hold a seed and are enough."""
    names, n = ndimage.label(dark, structure=CONNECTED)
    sizes = np.bincount(names.ravel(), minlength=n + 1)
    seeded = np.bincount(names[seeds], minlength=n + 1) > 0
    keep = seeded & (sizes >= least)
    keep[0] = False
    return keep[names]


def _wide(mask: np.ndarray, *, pixel_m: float, widest_m: float) -> np.ndarray:
    """Return the parts of a mask that are wider than a lead: those within half the width of a pixel so far inside."""
    half = 0.5 * widest_m / pixel_m
    inside = ndimage.distance_transform_edt(mask)
    core = inside > half
    if not core.any():
        return core
    return mask & (ndimage.distance_transform_edt(~core) <= half + 1.5)
