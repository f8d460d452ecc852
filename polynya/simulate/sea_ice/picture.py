"""The ice map seen from above: how much of each 10 m pixel is water, thin ice and snow, and how bright each is.

Edges are anti-aliased: a lead covers the share of a pixel that lies inside it, so narrow leads give mixed pixels. Later
leads cover earlier ones, as along a track.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from ...schema import OPEN_WATER, THICK_ICE, THIN_ICE
from ..sentinel2.frame import PIXEL, Frame
from . import profile
from .ice_map import KNOT, MIN_WIDTH, IceMap, Ridges
from .patches import BRIGHT_PATCH
from .presets import IMAGE
from .profile import ROUGH, SPECULAR

PIECE = 4
"""Knots of a lead that are painted at a time."""


@dataclass(frozen=True, kw_only=True)
class Surfaces:
    """The surface in blue light at a sun elevation of 30 degrees without cloud: float32, shape (rows, columns).

    Attributes
    ----------
    snow, thin, water : numpy.ndarray
        Reflectance of each kind times the share of the pixel it covers; their sum is the pixel's reflectance.
    surface_class : numpy.ndarray of int8
        2 where at least half is water, else 1 where at least half is water or thin ice, else 0.
    """

    snow: np.ndarray
    thin: np.ndarray
    water: np.ndarray
    surface_class: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """How the ice lies and looks when the image is taken.

    Attributes
    ----------
    shift : tuple of float
        East and north, m, that the ice moved by until the image was taken.
    sun : tuple of float
        Elevation and azimuth, degrees: they set the length and direction of the ridges' shadows.
    snow, water : float
        Blue reflectance of snow and of calm water.
    mottle : float
        Relative spread of the snow's reflectance.
    skin : float
        Thickness of new ice that grew on calm water since the laser passed, m.
    """

    shift: tuple[float, float]
    sun: tuple[float, float]
    snow: float
    water: float
    mottle: float
    skin: float


def paint(ice: IceMap, frame: Frame, appearance: Appearance, *, seed: np.random.SeedSequence) -> Surfaces:
    """Paint a map onto a scene's grid.

    Parameters
    ----------
    ice : IceMap
        The ice cover as the laser saw it.
    frame : Frame
        The scene's grid.
    appearance : Appearance
        Drift, sun and reflectances.
    seed : numpy.random.SeedSequence
        Of this picture.

    Returns
    -------
    Surfaces
    """
    shift = appearance.shift
    rng = np.random.Generator(np.random.PCG64(seed))
    along, across = frame.pixel_track(shift=shift)
    shape = along.shape
    leads = ice.curves.leads
    thin_at = thin_reflectance(profile.thin_ice_albedo(leads.thickness, leads.snow))
    water_at = (
        appearance.water
        * np.exp(0.10 * rng.standard_normal(leads.centre.size))
        * np.where(leads.kind == ROUGH, 1.12, 1.0)
    )
    tilt = np.clip(0.15 * rng.standard_normal(leads.centre.size), -0.4, 0.4)
    grown = thin_reflectance(profile.thin_ice_albedo(np.float64(appearance.skin), np.float64(0.0))) - thin_reflectance(
        np.float64(0.07)
    )
    water_at = np.where(leads.kind == SPECULAR, water_at + grown, water_at)
    share_water, share_thin = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    planes = (share_water, share_thin, np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    to_row, to_column = _to_pixel(frame, shift)
    curves = ice.curves
    _paint_leads(
        along,
        across,
        to_row,
        to_column,
        curves.first,
        curves.count,
        curves.begin,
        curves.along,
        curves.width,
        curves.split,
        leads.water_share,
        thin_at,
        tilt,
        water_at,
        *planes,
    )
    blotches = np.exp(0.08 * rough_field(shape, (4, 24), rng)).astype(np.float32)
    shade = np.ones(shape, np.float32)
    dark = ice.patches.kind != BRIGHT_PATCH
    _shade_patches(
        shade, ice.patches.start[dark], ice.patches.across[dark], ice.patches.length[dark], to_row, to_column
    )
    _shade_ridges(shade, *_shadow_steps(ice.ridges, frame, shift, appearance.sun, rng))
    floe = ice.floes.at(along[::2, ::2], across[::2, ::2])
    bright = np.repeat(np.repeat(ice.floes.bright[floe].astype(np.float32) ** 0.6, 2, axis=0), 2, axis=1)
    bright *= 1.0 + appearance.mottle * rough_field(shape, (3, 16, 110), rng)
    np.clip(bright * np.float32(appearance.snow) * np.maximum(shade, 0.25), 0.0, 0.97, out=bright)
    bright *= 1.0 - share_water - share_thin
    surface_class = np.full(shape, THICK_ICE, np.int8)
    surface_class[share_water + share_thin >= 0.5] = THIN_ICE
    surface_class[share_water >= 0.5] = OPEN_WATER
    return Surfaces(snow=bright, thin=planes[2] * blotches, water=planes[3], surface_class=surface_class)


def thin_reflectance(albedo: np.ndarray) -> np.ndarray:
    """Return the blue nadir reflectance of thin ice of an albedo (:class:`~polynya.simulate.sea_ice.presets.Image`)."""
    return IMAGE.thin_floor + IMAGE.thin_gain * (np.asarray(albedo) - 0.07)


def rough_field(shape: tuple[int, int], scales: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw a Gaussian field of unit variance, float32: the sum of equal fields correlated over ``scales`` pixels."""
    total = np.zeros(shape, np.float32)
    for scale in scales:
        step = max(scale // 3, 1)
        sigma = scale / step / 2.0
        small = tuple(int(np.ceil(n / step)) + 2 for n in shape)
        field = gaussian_filter(rng.standard_normal(small, dtype=np.float32), sigma, mode="wrap")
        field /= field.std() + np.float32(1e-12)
        total += (
            field[: shape[0], : shape[1]]
            if step == 1
            else zoom(field, step, order=1, grid_mode=True, mode="nearest")[: shape[0], : shape[1]]
        )
    return total / np.float32(np.sqrt(len(scales)))


def _to_pixel(frame: Frame, shift: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the affine (along, across, 1) -> row and column, within a pixel: for boxes around what is painted."""
    (x0, x1), (y0, y1) = frame.extent()
    x, y = (g.ravel() for g in np.meshgrid(np.linspace(x0, x1, 9), np.linspace(y0, y1, 9)))
    easting, northing = frame.position(x, y)
    terms = np.stack([x, y, np.ones(x.size)], axis=1)
    row = np.linalg.lstsq(terms, (frame.top - northing - shift[1]) / PIXEL, rcond=None)[0]
    column = np.linalg.lstsq(terms, (easting + shift[0] - frame.left) / PIXEL, rcond=None)[0]
    return row, column


def _shadow_steps(
    ridges: Ridges, frame: Frame, shift, sun: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, ...]:
    """Return pixel coordinates along every ridge, 5 m apart, with the shadow's length and direction in pixels."""
    count = np.maximum((2.0 * ridges.half / 5.0).astype(np.int64), 1)
    which = np.repeat(np.arange(count.size), count)
    d = (np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 0.5) * 5.0 - ridges.half[which]
    easting, northing = frame.position(
        ridges.x[which] + ridges.tan[which] * d + ridges.bend[which] * d**2, ridges.y[which] + d
    )
    broken = rng.random(which.size)
    height = ridges.sail[which] * np.where(broken < 0.3, 0.0, broken)  # a sail is not a wall
    length = np.minimum(height / np.tan(np.radians(max(sun[0], 2.0))), 60.0) / PIXEL
    away = np.radians(sun[1] + 180.0)
    stretch = np.sqrt(1.0 + ridges.tan[which] ** 2) * 5.0 / PIXEL
    return (
        (frame.top - northing - shift[1]) / PIXEL,
        (easting + shift[0] - frame.left) / PIXEL,
        length,
        stretch,
        -float(np.cos(away)),
        float(np.sin(away)),
    )


@numba.njit(cache=True)
def _overlap(p, low, high):
    return max(0.0, min(p + 0.5, high) - max(p - 0.5, low))


@numba.njit(cache=True)
def _paint_leads(  # noqa: PLR0913
    x,
    y,
    to_row,
    to_column,
    first,
    count,
    begin,
    along,
    width,
    split,
    water_share,
    thin_at,
    tilt,
    water_at,
    water,
    thin,
    thin_light,
    water_light,
):
    rows, columns = x.shape
    for i in range(first.size):
        for k0 in range(0, count[i] - 1, PIECE):
            k1 = min(k0 + PIECE, count[i] - 1)
            r0, r1, c0, c1 = 1e18, -1e18, 1e18, -1e18
            for k in range(k0, k1 + 1):
                yk = begin[i] + k * KNOT
                for side in (-0.5, 0.5):
                    xk = along[first[i] + k] + side * (width[first[i] + k] + 40.0)
                    r = to_row[0] * xk + to_row[1] * yk + to_row[2]
                    c = to_column[0] * xk + to_column[1] * yk + to_column[2]
                    r0, r1, c0, c1 = min(r0, r), max(r1, r), min(c0, c), max(c1, c)
            y_low, y_high = begin[i] + k0 * KNOT, begin[i] + k1 * KNOT
            for r in range(max(int(r0) - 2, 0), min(int(r1) + 3, rows)):
                for c in range(max(int(c0) - 2, 0), min(int(c1) + 3, columns)):
                    yy = y[r, c]
                    if yy < y_low or yy >= y_high:
                        continue
                    at = (yy - begin[i]) / KNOT
                    k = min(int(at), count[i] - 2)
                    share = at - k
                    j = first[i] + k
                    w = (1.0 - share) * width[j] + share * width[j + 1]
                    if w < MIN_WIDTH:
                        continue
                    slope = (along[j + 1] - along[j]) / KNOT
                    upright = 1.0 / np.sqrt(1.0 + slope * slope)
                    p = (x[r, c] - ((1.0 - share) * along[j] + share * along[j + 1])) * upright / PIXEL
                    half = 0.5 * w * upright / PIXEL
                    covered = _overlap(p, -half, half)
                    if covered <= 0.0:
                        continue
                    part = 2.0 * half * water_share[i]
                    low = -half + (2.0 * half - part) * ((1.0 - share) * split[j] + share * split[j + 1])
                    wet = min(_overlap(p, low, low + part), covered)
                    left = 1.0 - covered
                    water[r, c] = water[r, c] * left + wet
                    thin[r, c] = thin[r, c] * left + covered - wet
                    thin_light[r, c] = thin_light[r, c] * left + (covered - wet) * thin_at[i] * (
                        1.0 + tilt[i] * min(max(p / half, -1.0), 1.0)
                    )
                    water_light[r, c] = water_light[r, c] * left + wet * water_at[i]


@numba.njit(cache=True)
def _shade_patches(shade, along, across, diameter, to_row, to_column):
    rows, columns = shade.shape
    for i in range(along.size):
        r = to_row[0] * along[i] + to_row[1] * across[i] + to_row[2] - 0.5
        c = to_column[0] * along[i] + to_column[1] * across[i] + to_column[2] - 0.5
        radius = 0.5 * diameter[i] / PIXEL
        for a in range(max(int(r - radius) - 1, 0), min(int(r + radius) + 3, rows)):
            for b in range(max(int(c - radius) - 1, 0), min(int(c + radius) + 3, columns)):
                inside = min(max(radius - np.sqrt((a - r) ** 2 + (b - c) ** 2) + 0.5, 0.0), 1.0)
                shade[a, b] *= 1.0 - 0.45 * min(inside, 4.0 * radius * radius)


@numba.njit(cache=True)
def _shade_ridges(shade, row, column, length, stretch, row_step, column_step):
    rows, columns = shade.shape
    for i in range(row.size):
        steps = int(length[i] / 0.5) + 1
        for k in range(steps):
            at = length[i] * (k + 0.5) / steps
            r, c = int(np.floor(row[i] + row_step * at)), int(np.floor(column[i] + column_step * at))
            if 0 <= r < rows and 0 <= c < columns:
                shade[r, c] -= 0.7 * stretch[i] * length[i] / steps
