"""A Sentinel-1 EW scene over sea ice at 400 m, straight from the physics: what a network is trained on.

:func:`draw_scene` gives the channels that a reader makes of a product (sigma0 after noise removal, incidence angle,
mask) with the truth on the same cells, and writes nothing. The product of :mod:`.product` shows the same scene pixel by
pixel. Simulated data trains, tests and demonstrates; it is never skill on real data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...errors import UsageError
from . import presets
from .annotation import Annotation, gain, incidence, noise, positions, swaths
from .chart import draw_chart
from .drawn import draw_annotation
from .floes import render
from .world import draw_world

CELL_PIXELS = 10
"""Pixels of 40 m along a side of a cell of 400 m."""
FULL = (1070, 1048)
"""Lines and samples of a whole scene, cells of 400 m."""
SMALLEST = 16
"""Cells along a side of the smallest window."""
SAMPLES = 2
"""Along a side of a cell, where the ice is evaluated."""
FLOOR_DB = (-35.0, -45.0)
"""What HH and HV become where the noise-free power is smaller, or negative, dB."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One simulated scene on the swath grid: rows are lines (time), columns are range, near range first.

    Attributes
    ----------
    sigma0 : numpy.ndarray, float32, shape (2, rows, columns)
        HH and HV after noise removal, linear; may be negative; NaN where not valid.
    nesz : numpy.ndarray, float32, shape (2, rows, columns)
        Noise equivalent sigma zero as annotated, linear: ``sigma0 + nesz`` is the power without noise removal.
    incidence : numpy.ndarray, float32, shape (rows, columns)
        Incidence angle, degrees.
    valid : numpy.ndarray, bool
        False outside the sub-swaths and where the annotated noise is no number to trust.
    latitude, longitude : numpy.ndarray, float32
        Of the cells' centres, degrees, WGS 84.
    concentration : numpy.ndarray, float32
        Truth: area share of ice in the cell, 0 to 1.
    stage : numpy.ndarray, uint8
        Truth, codes of AutoICE: 0 water, 1 new, 2 young, 4 thick first-year, 5 old ice (3 is not simulated).
    floe : numpy.ndarray, uint8
        Truth, codes of AutoICE: 0 water, 1 cake, 2 small, 3 medium, 4 big, 5 vast.
    swath : numpy.ndarray, uint8
        Sub-swath EW1 to EW5 as 1 to 5; 0 outside.
    polygon : numpy.ndarray, int32
        Number of the ice chart's polygon, from 0: the mean over a polygon is what a chart knows.
    chart_concentration : numpy.ndarray, float32
        What the ice chart says of the cell, 0 to 1, in tenths and with the chart's errors.
    about : dict
        What was drawn: kind, place, time, wind, seed.
    """

    sigma0: np.ndarray
    nesz: np.ndarray
    incidence: np.ndarray
    valid: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    concentration: np.ndarray
    stage: np.ndarray
    floe: np.ndarray
    swath: np.ndarray
    polygon: np.ndarray
    chart_concentration: np.ndarray
    about: dict[str, object]

    def decibels(self, *, remove_noise: bool = True) -> np.ndarray:
        """Return HH and HV in dB, float32, shape (2, rows, columns), not below :data:`FLOOR_DB`; NaN where not valid.

        Parameters
        ----------
        remove_noise : bool
            Without it the annotated noise is left in, as in a product that nobody corrected.
        """
        power = self.sigma0 if remove_noise else self.sigma0 + self.nesz
        floor = np.float32(10.0) ** (np.array(FLOOR_DB, np.float32)[:, None, None] / 10.0)
        return (10.0 * np.log10(np.maximum(power, floor))).astype(np.float32)


def draw_scene(
    seed: int,
    *,
    size: tuple[int, int] = FULL,
    ranges: str = "standard",
    kind: str | None = None,
    hemisphere: str = "north",
) -> Scene:
    """Draw one scene at 400 m with its truth; the same arguments give the same arrays.

    Parameters
    ----------
    seed : int
        0 or more. Everything is drawn from it: place, time, noise, sub-swaths, ice, wind.
    size : tuple of int
        Lines and samples in cells of 400 m, at most :data:`FULL`; a smaller window lies anywhere in the swath.
    ranges : str
        ``standard``, or ``stress``: wider ranges of wind, backscatter and noise residue.
    kind : str, optional
        ``water``, ``edge`` or ``pack``; drawn with shares .30, .45, .25 if left out.
    hemisphere : str
        ``north`` (EPSG:3413) or ``south`` (EPSG:3976).

    Raises
    ------
    UsageError
        If an argument is none of these.
    """
    check_arguments(seed=seed, ranges=ranges, kind=kind, hemisphere=hemisphere)
    if not all(SMALLEST <= n <= most for n, most in zip(size, FULL, strict=True)):
        raise UsageError(
            f"size is {size[0]} x {size[1]} cells of 400 m; expected {SMALLEST} to {FULL[0]} lines and {SMALLEST} to"
            f" {FULL[1]} samples. Choose another."
        )
    annotation, place = draw_annotation(seed, hemisphere=hemisphere)
    window = draw_window(seed, size)
    lines, samples = (CELL_PIXELS * (first + np.arange(n)) + 4.5 for first, n in zip(window, size, strict=True))
    angle = incidence(annotation, lines, samples)
    world = draw_world(seed, size, angle.mean(axis=0), ranges=presets.RANGES[ranges], kind=kind)
    drawn = render(world.cover, world.backscatter, rows=(0, size[0]), samples=SAMPLES)
    swath = swaths(annotation, lines, samples)
    true = drawn.power.reshape(2, size[0], SAMPLES, size[1], SAMPLES).mean(axis=(2, 4))
    nesz = _nesz(annotation, lines, samples)
    sigma0 = _observe(np.random.default_rng([seed, 30]), true, nesz, world.residue[:, swath])
    stage = np.array((0, *presets.STAGES), np.uint8)[drawn.stage]
    chart = draw_chart(seed, drawn.concentration, stage, drawn.floe)
    latitude, longitude = positions(annotation, lines, samples)
    return Scene(
        sigma0=sigma0,
        nesz=nesz,
        incidence=angle,
        valid=np.isfinite(nesz).all(axis=0),
        latitude=latitude.astype(np.float32),
        longitude=longitude.astype(np.float32),
        concentration=drawn.concentration,
        stage=stage,
        floe=drawn.floe,
        swath=swath,
        polygon=chart.polygon,
        chart_concentration=chart.concentration[chart.polygon],
        about={
            "simulated": "polynya; no measurement",
            "seed": seed,
            "ranges": ranges,
            "place": place,
            "time": annotation.orbit.start,
            "window": window,
            "chart_shift_km": round(chart.shift_km, 2),
            **world.about,
        },
    )


def check_arguments(*, seed: int, ranges: str, kind: str | None, hemisphere: str) -> None:
    """Raise unless a scene can be drawn so.

    Parameters
    ----------
    seed, ranges, kind, hemisphere
        As of :func:`draw_scene`.

    Raises
    ------
    UsageError
        If one of them is not what is expected.
    """
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected 0 or more. Choose another.")
    chosen = (
        ("ranges", ranges, presets.RANGES),
        ("kind", kind, presets.KINDS),
        ("hemisphere", hemisphere, presets.EPSG),
    )
    for name, value, known in chosen:
        if value not in known and not (name == "kind" and value is None):
            raise UsageError(f"{name} is {value!r}; expected {', '.join(known)}. Choose one of them.")


def draw_window(seed: int, size: tuple[int, int], *, within: tuple[int, int] = FULL) -> tuple[int, int]:
    """Draw where in the swath a window lies: its first row and column of cells.

    Parameters
    ----------
    seed : int
        Of the scene.
    size : tuple of int
        Of the window, cells.
    within : tuple of int
        Of the swath, cells.
    """
    rng = np.random.default_rng([seed, 11])
    rows, columns = (int(rng.integers(0, most - n + 1)) for n, most in zip(size, within, strict=True))
    return rows, columns


def _nesz(annotation: Annotation, lines: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the annotated noise of both polarisations as sigma zero, linear."""
    squared = gain(annotation, lines, samples) ** 2
    return np.stack([noise(annotation, p, lines, samples) / squared for p in presets.POLARISATIONS])


def _observe(rng: np.random.Generator, true: np.ndarray, nesz: np.ndarray, residue: np.ndarray) -> np.ndarray:
    """Add the true noise, multiply by speckle, and take the annotated noise away again."""
    looks = np.float32(presets.ENL_CELL)
    power = true + nesz * residue.astype(np.float32)
    speckle = gamma_of(rng.standard_normal(true.shape, dtype=np.float32), looks)
    return power * speckle - nesz


def gamma_of(normal: np.ndarray, looks: float) -> np.ndarray:
    """Return gamma numbers of mean 1 and variance 1 / looks from standard normal ones, same shape.

    Wilson and Hilferty (1931, doi:10.1073/pnas.17.12.684): the cube root is nearly normal; from 5 looks on the mean is
    right to 1e-5.

    Parameters
    ----------
    normal : numpy.ndarray
        Standard normal.
    looks : float
        Equivalent number of looks.
    """
    part = 1.0 / (9.0 * looks)
    return (np.float32(1.0 - part) + np.float32(np.sqrt(part)) * normal) ** 3
