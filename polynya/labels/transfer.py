"""Labels of 2 m segments: from the image under the track, or from the truth of a simulation.

The image's class at the shifted position becomes the label where it is the only class within the laser's footprint and
the shift's standard error; where another class, a cloud or the scene's edge lies that near, the segment stays without a
label and a flag says why. Positions are those of the scene's CRS, metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import schema
from ..physics import surface_type, tracks
from ..physics.drift import BLOCK_M, LONG_WAVE_M
from ..tracks import collocation

LABELLED, TRANSITION, CLOUD, OUTSIDE, SHIFT_UNSURE, NO_CLASS = 0, 1, 2, 3, 4, 5
"""``label_flag`` of ``schema.LABELS``."""
FOOTPRINT_RADIUS_M = 5.5
"""Half of ATLAS's footprint (Magruder et al. 2020, doi:10.1029/2020GL089078)."""
RING_STEP_M = 5.0
"""The neighbourhood is looked at on a grid of this step, half of a pixel of 10 m."""
SAMPLE_M = 10.0
"""Segments are averaged over this for the shift: a pixel."""
WATER_BRIGHTNESS, THIN_DARKEST, THIN_BRIGHTEST = 0.03, 0.10, 0.70
"""Brightness of water beside snow, and the bounds for thin ice (albedos of Brandt et al. 2005,
doi:10.1175/JCLI3489.1)."""
PAIR = {name: k // 2 for k, name in enumerate(schema.BEAM_NAMES)}
"""Number of a beam's pair: its two beams run 90 m apart and see the same leads."""


@dataclass(frozen=True, kw_only=True)
class DriftSamples:
    """What a track expects of the image, averaged over 10 m; arrays of shape (k,), blocks increasing.

    Attributes
    ----------
    darkness : numpy.ndarray
        0 bright snow to 1 water, less its mean within 600 m.
    easting, northing : numpy.ndarray
        Metres, without shift.
    block : numpy.ndarray of int64
        Stretch of 500 m of a beam pair.
    """

    darkness: np.ndarray
    easting: np.ndarray
    northing: np.ndarray
    block: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Transferred:
    """Labels of n segments; arrays of shape (n,).

    Attributes
    ----------
    label, flag : numpy.ndarray of int8
        Of ``schema.LABEL_CLASSES`` and ``schema.LABEL_FLAGS``; the label is -1 where the flag is not 0.
    value : numpy.ndarray of int16
        V of the pixel, -1 outside.
    """

    label: np.ndarray
    flag: np.ndarray
    value: np.ndarray


def expected_darkness(probability: np.ndarray, rate_clear: np.ndarray) -> np.ndarray:
    """Return how dark the image should be under each segment.

    Snow and ice scatter evenly, so thin ice returns as many photons as it is bright; water is dark however bright it
    shines back to the laser, which is what classes are for.

    Parameters
    ----------
    probability : numpy.ndarray, shape (n, 3)
        Of thick ice, thin ice and water, label-free; NaN where unknown.
    rate_clear : numpy.ndarray, shape (n,)
        Photons per shot of a strong beam under a clear sky.

    Returns
    -------
    numpy.ndarray, shape (n,)
        0 to 1, NaN where unknown.
    """
    thin = np.clip(rate_clear / surface_type.CLEAR_RATE, THIN_DARKEST, THIN_BRIGHTEST)
    return 1.0 - (probability[:, 0] + probability[:, 1] * thin + probability[:, 2] * WATER_BRIGHTNESS)


def drift_samples(
    x: np.ndarray, darkness: np.ndarray, *, easting: np.ndarray, northing: np.ndarray, starts: np.ndarray, beam: str
) -> DriftSamples:
    """Average one beam's expected darkness over 10 m and remove its long waves.

    Parameters
    ----------
    x, darkness, easting, northing : numpy.ndarray, shape (n,)
        Segments in order; NaN darkness is left out.
    starts : numpy.ndarray
        Pieces of :func:`polynya.physics.tracks.pieces`.
    beam : str
        Its name: beams of one pair share their blocks.

    Returns
    -------
    DriftSamples
    """
    usual, _ = tracks.running_mean(x, darkness.astype(np.float64), np.ones(x.size), starts, LONG_WAVE_M)
    less = darkness - usual
    good = np.flatnonzero(np.isfinite(less) & np.isfinite(easting))
    cell = np.floor(x[good] / SAMPLE_M).astype(np.int64)
    heads = np.flatnonzero(np.diff(cell, prepend=cell[:1] - 1))
    if good.size == 0:
        empty = np.empty(0)
        return DriftSamples(darkness=empty, easting=empty, northing=empty, block=np.empty(0, np.int64))
    size = np.diff(np.concatenate([heads, [good.size]]))
    mean = [np.add.reduceat(a[good], heads) / size for a in (less, easting, northing)]
    block = PAIR[beam] * 10**9 + np.floor(x[good][heads] / BLOCK_M).astype(np.int64)
    return DriftSamples(darkness=mean[0], easting=mean[1], northing=mean[2], block=block)


def joined(parts: list[DriftSamples]) -> DriftSamples:
    """Join the samples of several beams, sorted by block: beams of one pair share theirs."""
    block = np.concatenate([p.block for p in parts])
    order = np.argsort(block, kind="stable")
    arrays = {n: np.concatenate([getattr(p, n) for p in parts])[order] for n in ("darkness", "easting", "northing")}
    return DriftSamples(**arrays, block=block[order])


def pixels(geobox: object, *, easting: np.ndarray, northing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of positions on a north-up grid; pixel (0, 0) reaches from 0 to 1.

    Parameters
    ----------
    geobox : odc.geo.geobox.GeoBox
        The grid, north up.
    easting, northing : numpy.ndarray, shape (n,)
        Metres in its CRS.
    """
    grid = geobox.affine
    return (northing - grid.f) / grid.e, (easting - grid.c) / grid.a


def transfer(
    row: np.ndarray,
    column: np.ndarray,
    *,
    classes: np.ndarray,
    value: np.ndarray,
    is_cloud: np.ndarray,
    pixel_m: float,
    radius_m: float,
) -> Transferred:
    """Give each segment the class of the pixel under it, where the neighbourhood holds no other.

    Parameters
    ----------
    row, column : numpy.ndarray, shape (n,)
        Shifted position in pixels; pixel (0, 0) reaches from 0 to 1. NaN or outside is ``outside_scene``.
    classes : numpy.ndarray of int8, shape (h, w)
        0 thick ice, 1 thin ice, 2 open water, -1 no class (missing).
    value : numpy.ndarray of uint8, shape (h, w)
        V of the scene.
    is_cloud : numpy.ndarray of bool, shape (h, w)
        Cloud and its shadow.
    pixel_m : float
        Side of a pixel, m.
    radius_m : float
        The neighbourhood: footprint and shift error together, metres.

    Returns
    -------
    Transferred
    """
    h, w = classes.shape
    label = np.full(row.size, -1, np.int8)
    flag = np.full(row.size, OUTSIDE, np.int8)
    seen = np.full(row.size, -1, np.int16)
    with np.errstate(invalid="ignore"):
        inside = np.flatnonzero((row >= 0) & (row < h) & (column >= 0) & (column < w))
    if inside.size == 0:
        return Transferred(label=label, flag=flag, value=seen)
    # One lookup a place: class, or 3 cloud, 4 missing.
    code = np.where(is_cloud, np.int8(3), np.where(classes < 0, np.int8(4), classes)).astype(np.int8)
    r, c = row[inside], column[inside]
    own = code[r.astype(np.int64), c.astype(np.int64)]
    is_mixed, near_cloud, near_edge = (np.zeros(inside.size, bool) for _ in range(3))
    for north, east in _disc(radius_m):
        rr, cc = np.floor(r - north / pixel_m).astype(np.int64), np.floor(c + east / pixel_m).astype(np.int64)
        off = (rr < 0) | (rr >= h) | (cc < 0) | (cc >= w)
        there = code[np.clip(rr, 0, h - 1), np.clip(cc, 0, w - 1)]
        near_edge |= off | (there == 4)
        near_cloud |= ~off & (there == 3)
        is_mixed |= ~off & (there < 3) & (there != own)
    here = np.where(near_edge, OUTSIDE, np.where(near_cloud, CLOUD, np.where(is_mixed, TRANSITION, LABELLED))).astype(
        np.int8
    )
    here[own == 4] = OUTSIDE
    here[own == 3] = CLOUD
    flag[inside] = here
    label[inside] = np.where(here == LABELLED, own, -1)
    seen[inside] = np.where(own == 4, -1, value[r.astype(np.int64), c.astype(np.int64)].astype(np.int16))
    return Transferred(label=label, flag=flag, value=seen)


def _disc(radius_m: float) -> list[tuple[float, float]]:
    """Offsets (north, east) on a grid within the radius, and twelve on its rim, metres."""
    k = np.arange(-int(radius_m / RING_STEP_M), int(radius_m / RING_STEP_M) + 1) * RING_STEP_M
    north, east = (a.ravel() for a in np.meshgrid(k, k, indexing="ij"))
    within = np.hypot(north, east) <= radius_m
    turn = np.arange(12) * np.pi / 6
    return list(
        zip(
            np.concatenate([north[within], radius_m * np.sin(turn)]),
            np.concatenate([east[within], radius_m * np.cos(turn)]),
            strict=True,
        )
    )


def without_labels(found: Transferred) -> Transferred:
    """Return the same without labels, for a shift that is uncertain: flag 4 wherever the image would have given one."""
    flag = np.where(found.flag == OUTSIDE, OUTSIDE, SHIFT_UNSURE).astype(np.int8)
    return Transferred(label=np.full(flag.size, -1, np.int8), flag=flag, value=found.value)


def from_truth(x: np.ndarray, truth_x: np.ndarray, *, truth_class: np.ndarray, any_ice: bool) -> Transferred:
    """Label 2 m segments by the truth cell they lie in.

    Parameters
    ----------
    x : numpy.ndarray, shape (n,)
        Along-track distance of the segments, m.
    truth_x, truth_class : numpy.ndarray, shape (m,)
        Centres of the 2 m cells, in any order, and their classes.
    any_ice : bool
        True where the truth knows ice only as ice (ATL07): class 0 becomes label 3.

    Returns
    -------
    Transferred
        ``value`` is -1 throughout; flag 5 where the truth has no class here.
    """
    cells = np.floor(truth_x / 2.0).astype(np.int64)
    order = np.argsort(cells, kind="stable")
    at = collocation.match(np.floor(np.asarray(x) / 2.0).astype(np.int64), cells[order])
    label = np.where(at >= 0, truth_class[order][np.maximum(at, 0)] if cells.size else -1, -1).astype(np.int8)
    flag = np.where(label < 0, NO_CLASS, LABELLED).astype(np.int8)
    if any_ice:
        label[label == schema.THICK_ICE] = schema.ANY_ICE
    return Transferred(label=label, flag=flag, value=np.full(label.size, -1, np.int16))
