"""The pixels of a simulated product: backscatter of every pixel, true noise, speckle, and the numbers in the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numba
import numpy as np

from .annotation import Annotation, gain, noise, swaths
from .floes import render
from .presets import POLARISATIONS
from .world import World

CELL_PIXELS = 10
ENL_PIXEL = 10.7
"""Equivalent number of looks of one pixel of EW GRDM."""
SPREAD = (0.39, 0.45)
"""Weight of the neighbours in azimuth and range before the noise becomes speckle: a resolution of 87 m by 93 m, and
about 200 looks in 400 m."""
STRIP_CELLS = 32
"""Rows of cells at a time."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Some lines of the product.

    Attributes
    ----------
    line : int
        The first.
    numbers : numpy.ndarray, uint16, shape (2, lines, samples)
        HH and HV; 0 outside the valid swath.
    row : int
        First row of cells.
    concentration, stage, floe : numpy.ndarray, shape (rows, columns)
        As of :class:`.floes.Rendered`.
    """

    line: int
    numbers: np.ndarray
    row: int
    concentration: np.ndarray
    stage: np.ndarray
    floe: np.ndarray


def strips(annotation: Annotation, world: World, seed: int) -> Iterator[Strip]:
    """Yield the product from the first line to the last; memory is that of a strip.

    Parameters
    ----------
    annotation : Annotation
        Of these pixels.
    world : World
        On whole cells of 10 x 10 pixels; the pixels beyond the last whole cell repeat it.
    seed : int
        Of the speckle.
    """
    rows, columns = world.cover.target.shape
    rngs = [np.random.default_rng([seed, 31, p]) for p in range(2)]
    white = [r.standard_normal((2, annotation.samples + 2), dtype=np.float32) for r in rngs]
    samples = np.arange(annotation.samples, dtype=np.float64)
    for row in range(0, rows, STRIP_CELLS):
        end = min(row + STRIP_CELLS, rows)
        line = row * CELL_PIXELS
        stop = annotation.lines if end == rows else end * CELL_PIXELS
        drawn = render(world.cover, world.backscatter, rows=(row, end), samples=CELL_PIXELS)
        lines = np.arange(line, stop, dtype=np.float64)
        missing = ((0, stop - end * CELL_PIXELS), (0, annotation.samples - columns * CELL_PIXELS))
        squared_gain = gain(annotation, lines, samples) ** 2
        swath = swaths(annotation, lines, samples)
        numbers = np.empty((2, len(lines), annotation.samples), np.uint16)
        for p, polarisation in enumerate(POLARISATIONS):
            more = rngs[p].standard_normal((len(lines), annotation.samples + 2), dtype=np.float32)
            white[p] = np.concatenate([white[p], more])
            _numbers(
                np.pad(drawn.power[p], missing, mode="edge"),
                squared_gain,
                noise(annotation, polarisation, lines, samples),
                world.residue[p].astype(np.float32),
                swath,
                white[p],
                numbers[p],
            )
            white[p] = white[p][-2:]
        yield Strip(
            line=line,
            numbers=numbers,
            row=row,
            concentration=drawn.concentration,
            stage=drawn.stage,
            floe=drawn.floe,
        )


@numba.njit(cache=True, parallel=True)
def _numbers(
    sigma0: np.ndarray,
    squared_gain: np.ndarray,
    noise: np.ndarray,
    residue: np.ndarray,
    swath: np.ndarray,
    white: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill DN: the root of backscatter and true noise under one speckle, rounded; 0 where there is no noise.

    Speckle is gamma, of correlated normal numbers by Wilson and Hilferty (1931, doi:10.1073/pnas.17.12.684).
    """
    down, along = SPREAD
    scale = 1.0 / np.sqrt((1.0 + 2.0 * down * down) * (1.0 + 2.0 * along * along))
    part = 1.0 / (9.0 * ENL_PIXEL)
    root = np.sqrt(part)
    for i in numba.prange(out.shape[0]):
        for j in range(out.shape[1]):
            if not noise[i, j] > 0.0:
                out[i, j] = 0
                continue
            z = 0.0
            for k in range(3):
                weight = 1.0 if k == 1 else down
                z += weight * (along * (white[i + k, j] + white[i + k, j + 2]) + white[i + k, j + 1])
            speckle = (1.0 - part + root * scale * z) ** 3
            power = (sigma0[i, j] * squared_gain[i, j] + noise[i, j] * residue[swath[i, j]]) * max(speckle, 0.0)
            out[i, j] = min(max(round(np.sqrt(power)), 1), 65535)
