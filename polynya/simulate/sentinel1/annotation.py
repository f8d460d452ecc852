"""What the annotation of a Sentinel-1 EW GRDM product says of its pixels: gain, noise, sub-swaths, angles, positions.

One record serves a drawn product and a real one. The functions evaluate it on a rectangle of pixels; the noise follows
the rule of the Product Specification (S1-RS-MDA-52-7441, 3/11): ``sigma0 = (DN^2 - n_r n_a) / A^2``, where ``n_r`` is
interpolated within the block of the sub-swath that holds the pixel, never over its border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Block:
    """A rectangle of one sub-swath, limits included, and the azimuth noise in it.

    Attributes
    ----------
    swath : int
        1 to 5.
    first_line, last_line, first_sample, last_sample : int
    lines : numpy.ndarray, int64
        Where the azimuth noise is given; empty where it is 1 everywhere.
    factors : dict of str to numpy.ndarray, float64
        Azimuth noise by polarisation.
    """

    swath: int
    first_line: int
    last_line: int
    first_sample: int
    last_sample: int
    lines: np.ndarray
    factors: dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class NoiseVector:
    """Range noise along one line: nodes and DN squared by polarisation; 0 where the product has no valid pixels."""

    line: int
    pixels: np.ndarray
    values: dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class _Along:
    """The positive nodes of one vector in one sub-swath, and the sample after which there is no noise."""

    line: int
    pixels: np.ndarray
    values: np.ndarray
    stop: float


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Gains, float64, shape (lines, pixels): ``sigma0 = DN^2 / sigma^2``; ``beta`` and ``dn`` are one number."""

    lines: np.ndarray
    pixels: np.ndarray
    sigma: np.ndarray
    gamma: np.ndarray
    beta: float


@dataclass(frozen=True, kw_only=True)
class Points:
    """The geolocation grid, float64, shape (lines, pixels): degrees on WGS 84, m, s."""

    lines: np.ndarray
    pixels: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    height: np.ndarray
    incidence: np.ndarray
    elevation: np.ndarray
    slant_range_time: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """Who saw the scene, and when.

    Attributes
    ----------
    mission : str
        ``S1A`` and the like.
    start : str
        Time of line 0, ISO with microseconds, UTC.
    line_s : float
        Time between two lines.
    number, data_take : int
        Absolute orbit, mission data take.
    heading : float
        Of the platform, degrees clockwise from north.
    ascending : bool
    software : str
        Version of the processor.
    """

    mission: str
    start: str
    line_s: float
    number: int
    data_take: int
    heading: float
    ascending: bool
    software: str


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """A product without its pixels: EW GRDM, HH and HV, 40 m."""

    lines: int
    samples: int
    orbit: Orbit
    blocks: tuple[Block, ...]
    noise: tuple[NoiseVector, ...]
    calibration: Calibration
    points: Points


def swaths(annotation: Annotation, lines: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the sub-swath of pixels, 1 to 5 and 0 outside, uint8, shape (lines, samples).

    Parameters
    ----------
    annotation : Annotation
        The product.
    lines, samples : numpy.ndarray
        Rising; may lie between pixels.
    """
    out = np.zeros((len(lines), len(samples)), np.uint8)
    for block in annotation.blocks:
        rows, columns = _inside(block, lines, samples)
        out[rows, columns] = block.swath
    return out


def noise(annotation: Annotation, polarisation: str, lines: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the noise ``n_r n_a``, DN squared, float32, shape (lines, samples); NaN where there is none.

    Bilinear within the sub-swath: of each vector only the nodes in the sub-swath's block at the vector's line count.
    Nodes of 0 are left out, and pixels beyond the last positive node have no noise where zeros follow it.

    Parameters
    ----------
    annotation : Annotation
        The product.
    polarisation : str
        ``HH`` or ``HV``.
    lines, samples : numpy.ndarray
        Rising; may lie between pixels.
    """
    out = range_noise(annotation, polarisation, lines, samples)
    for block in annotation.blocks:
        rows, columns = _inside(block, lines, samples)
        if len(block.lines):
            factor = np.interp(lines[rows], block.lines, block.factors[polarisation])
            out[rows, columns] *= factor.astype(np.float32)[:, None]
    return out


def range_noise(annotation: Annotation, polarisation: str, lines: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return ``n_r`` alone, as :func:`noise` takes it.

    Parameters
    ----------
    annotation, polarisation, lines, samples
        As of :func:`noise`.
    """
    out = np.full((len(lines), len(samples)), np.nan, np.float32)
    vectors: dict[int, list[_Along]] = {}
    for block in annotation.blocks:
        rows, columns = _inside(block, lines, samples)
        at_lines, at = lines[rows], samples[columns]
        if not len(at_lines) or not len(at):
            continue
        if block.swath not in vectors:
            vectors[block.swath] = _vectors(annotation, block.swath, polarisation)
        of = _around(vectors[block.swath], at_lines[0], at_lines[-1])
        if not of:
            continue
        table = np.stack([np.where(at > v.stop, np.nan, np.interp(at, v.pixels, v.values)) for v in of])
        where = np.array([v.line for v in of], np.float64)
        out[rows, columns] = _between_rows(table.astype(np.float32), where, at_lines)
    return out


def gain(annotation: Annotation, lines: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return A of ``sigma0 = DN^2 / A^2``, bilinear, float32, shape (lines, samples).

    Parameters
    ----------
    annotation : Annotation
        The product.
    lines, samples : numpy.ndarray
        Rising; clipped to the grid of the calibration vectors.
    """
    c = annotation.calibration
    return _bilinear(c.lines, c.pixels, c.sigma, lines, samples).astype(np.float32)


def incidence(annotation: Annotation, lines: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Return the incidence angle, degrees, float32, shape (lines, samples).

    Parameters
    ----------
    annotation : Annotation
        The product.
    lines, samples : numpy.ndarray
        Rising; clipped to the geolocation grid.
    """
    p = annotation.points
    return _bilinear(p.lines, p.pixels, p.incidence, lines, samples).astype(np.float32)


def positions(annotation: Annotation, lines: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return latitude and longitude, degrees, float64, each of shape (lines, samples).

    Interpolated as directions from the Earth's centre, so that neither the pole nor the date line matters.

    Parameters
    ----------
    annotation : Annotation
        The product.
    lines, samples : numpy.ndarray
        Rising; clipped to the geolocation grid.
    """
    p = annotation.points
    latitude, longitude = np.radians(p.latitude), np.radians(p.longitude)
    planes = (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    x, y, z = (_bilinear(p.lines, p.pixels, plane, lines, samples) for plane in planes)
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _inside(block: Block, lines: np.ndarray, samples: np.ndarray) -> tuple[slice, slice]:
    """Return which of the rising lines and samples round into a block."""
    rows = np.searchsorted(lines, (block.first_line - 0.5, block.last_line + 0.5))
    columns = np.searchsorted(samples, (block.first_sample - 0.5, block.last_sample + 0.5))
    return slice(*rows), slice(*columns)


def _vectors(annotation: Annotation, swath: int, polarisation: str) -> list[_Along]:
    """Return the vectors of a sub-swath: nodes in the block that holds the vector's line, those of 0 left out."""
    found = []
    blocks = [b for b in annotation.blocks if b.swath == swath]
    for vector in annotation.noise:
        block = next((b for b in blocks if b.first_line <= vector.line <= b.last_line), None)
        if block is None:
            continue
        value = vector.values[polarisation]
        inside = (vector.pixels >= block.first_sample) & (vector.pixels <= block.last_sample)
        use = inside & (value > 0.0)
        if use.any():
            last = vector.pixels[use][-1]
            # Where zeros follow, the valid swath ends; elsewhere the last node holds on to the border of the block.
            stop = float(last) if (inside & (vector.pixels > last)).any() else np.inf
            found.append(_Along(line=vector.line, pixels=vector.pixels[use], values=value[use], stop=stop))
    return found


def _around(vectors: list[_Along], first: float, last: float) -> list[_Along]:
    """Return the vectors between two lines, and the nearest before and after them."""
    lines = [v.line for v in vectors]
    start, stop = np.searchsorted(lines, first, side="right") - 1, np.searchsorted(lines, last) + 1
    return vectors[max(int(start), 0) : int(stop)]


def _between_rows(table: np.ndarray, where: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Interpolate the rows of a table linearly; its first and last row hold beyond it."""
    at = np.interp(lines, where, np.arange(len(where)))
    low = np.minimum(at.astype(np.int64), max(len(where) - 2, 0))
    high = np.minimum(low + 1, len(where) - 1)
    share = (at - low).astype(np.float32)[:, None]
    return table[low] * (1.0 - share) + table[high] * share


def _bilinear(
    rows: np.ndarray, columns: np.ndarray, grid: np.ndarray, lines: np.ndarray, samples: np.ndarray
) -> np.ndarray:
    """Interpolate a grid at all pairs of lines and samples; beyond it the value of its border holds."""
    i, s = _places(rows, lines)
    j, t = _places(columns, samples)
    narrow = grid[:, j] * (1.0 - t) + grid[:, np.minimum(j + 1, len(columns) - 1)] * t
    return narrow[i] * (1.0 - s[:, None]) + narrow[np.minimum(i + 1, len(rows) - 1)] * s[:, None]


def _places(nodes: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each position the node before it and the share of the way to the next."""
    place = np.interp(at, nodes, np.arange(len(nodes)))
    low = np.minimum(place.astype(np.int64), max(len(nodes) - 2, 0))
    return low, place - low
